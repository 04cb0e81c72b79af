#!/bin/sh
set -e
echo 'Monday: saw a heron by the pond.' >/home/nini/diary
chown nini:nini /home/nini/diary
chmod 644 /home/nini/diary
chmod 755 /home/nini
