#!/bin/sh
set -e
cd /
pkill -KILL -u niko -x 'counter|writer' || true
for name in counter writer; do
  NAME=$name setsid runuser -u niko -- perl -e '
    $0 = $ENV{NAME}; $SIG{TERM} = "IGNORE" if $0 eq "counter"; sleep 90000 while 1' >/dev/null 2>&1 </dev/null &
done
for try in $(seq 100); do
  pgrep -u niko -x counter >/dev/null && pgrep -u niko -x writer >/dev/null && exit 0
  sleep 0.1
done
exit 1
