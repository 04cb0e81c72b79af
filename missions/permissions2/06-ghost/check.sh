#!/bin/sh
. ../lib.sh
ghost=$(pgrep -u niko -f '^sleep 90001')
if [ -n "$ghost" ] && [ "$(stat -L -c %s /proc/$ghost/fd/3)" != 0 ]; then no "the space of huge.log is still taken"; else ok "the space of huge.log is free"; fi
if pgrep -u niko -f '^sleep 90002' >/dev/null; then ok "niko's other program runs on"; else no "niko's other program has ended"; fi
exit $failed
