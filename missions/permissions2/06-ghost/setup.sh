#!/bin/sh
set -e
cd /
pkill -KILL -u niko -x sleep || true
rm -f /var/tmp/huge.log /var/tmp/small.log
setsid runuser -u niko -- sh -c '
  exec 3>/var/tmp/huge.log; head -c 4000000 /dev/zero >&3; rm /var/tmp/huge.log; exec sleep 90001' >/dev/null 2>&1 </dev/null &
setsid runuser -u niko -- sh -c 'exec 3>/var/tmp/small.log; echo reading >&3; exec sleep 90002' >/dev/null 2>&1 </dev/null &
for try in $(seq 100); do
  pgrep -f '^sleep 90001' >/dev/null && pgrep -f '^sleep 90002' >/dev/null && exit 0
  sleep 0.1
done
exit 1
