#!/bin/sh
. ../lib.sh
trap=/srv/inbox/.check
mkdir -p $trap; printf '#!/bin/sh\n' >$trap/ls; cp $trap/ls $trap/sl; chmod -R 755 $trap
ls=$(su - nini -c "cd $trap; command -v ls"); sl=$(su - nini -c "cd $trap; command -v sl")
rm -rf $trap
if [ "$ls" = /bin/ls ] || [ "$ls" = /usr/bin/ls ]; then ok "ls is the system's, wherever nini is"; else no "nini still runs an ls that lies where she is"; fi
if [ -z "$sl" ]; then ok "a slip of the pen runs nothing that lies where she is"; else no "a slip of the pen runs what lies where she is"; fi
exit $failed
