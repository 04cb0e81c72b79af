#!/bin/sh
set -e
rm -rf /srv/drawer
mkdir /srv/drawer
echo 'Two eggs, a cup of flour.' >/srv/drawer/recipe
echo 'A scarf.' >/srv/drawer/present-for-niko
chown -R nini:nini /srv/drawer
chmod 644 /srv/drawer/*
chmod 700 /srv/drawer
