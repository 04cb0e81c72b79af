#!/bin/sh
. ../lib.sh
choir=$(getent group choir | cut -d: -f3)
shell=$(pgrep -u niko -x bash | head -n 1)
if id -nG niko | grep -qw choir; then ok "niko is a member of the choir"; else no "niko is no member of the choir"; fi
if [ -n "$shell" ] && grep -qE "^Groups:.*\b$choir\b" /proc/$shell/status; then ok "niko's shell knows it"; else no "niko's shell does not know it yet"; fi
if id -nG niko | grep -qw keys; then ok "niko still has the keys"; else no "niko has lost the keys"; fi
exit $failed
