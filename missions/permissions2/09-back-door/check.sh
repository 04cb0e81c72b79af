#!/bin/sh
. ../lib.sh
door=/usr/local/share/fonts/.cache/index
if [ -u $door ]; then no "there is still a shell that makes everybody root"; else ok "no shell makes everybody root"; fi
if [ -u /usr/bin/sudo ]; then ok "sudo still works"; else no "sudo does not work any more"; fi
exit $failed
