#!/bin/sh
. ../lib.sh
mode=$(su - niko -c 'rm -f .new; : >.new; stat -c %a .new; rm -f .new')
case $mode in
[67]00) ok "what niko makes after his next login is closed to others" ;;
*) no "what niko makes after his next login is open to others" ;;
esac
if can niko test -w /home/niko/.profile; then ok "niko can still change his profile"; else no "niko can no longer change his profile"; fi
exit $failed
