#!/bin/sh
. ../lib.sh
cd /srv/project || exit 1
if can niko sh -c 'echo >>notes/todo && test -x build'; then ok "niko can write in the notes and run build"; else no "niko cannot write in the notes or run build"; fi
can niko sh -c 'rm -f notes/.try; : >notes/.try'
if [ "$(stat -c %G notes/.try 2>/dev/null)" = desk ]; then ok "what niko makes there belongs to the group desk"; else no "what niko makes there does not belong to the group desk"; fi
rm -f notes/.try
if [ -x notes/todo ]; then no "a plain text has become a program"; else ok "a plain text is no program"; fi
if can guest sh -c 'echo >>notes/todo'; then no "guest can write there, too"; else ok "guest cannot write there"; fi
exit $failed
