#!/bin/sh
set -e
groupadd -f choir
groupadd -f keys
usermod -G desk,keys niko
rm -rf /srv/choir
mkdir -m 2770 /srv/choir
chgrp choir /srv/choir
# Who was in the choir before still is, in shells that are open: niko's begin anew.
if grep -lE "^Groups:.*\b$(getent group choir | cut -d: -f3)\b" /proc/[0-9]*/status >/dev/null 2>&1; then pkill -HUP -u niko bash || true; fi
