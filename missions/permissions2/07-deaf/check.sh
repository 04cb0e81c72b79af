#!/bin/sh
. ../lib.sh
if pgrep -u niko -x counter >/dev/null; then no "counter still runs"; else ok "counter has ended"; fi
if pgrep -u niko -x writer >/dev/null; then ok "writer runs on"; else no "writer has ended, too"; fi
exit $failed
