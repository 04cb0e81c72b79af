#!/bin/sh
. ../lib.sh
diary=/home/nini/diary
if grep -q heron $diary 2>/dev/null; then ok "the diary is there"; else no "the diary is gone"; fi
if can nini test -r $diary -a -w $diary; then ok "nini can read it and write in it"; else no "nini cannot read it and write in it any more"; fi
if can niko cat $diary; then no "niko can still read it"; else ok "niko cannot read it"; fi
if can niko ls /home/nini; then ok "niko can still visit nini's home"; else no "niko can no longer visit nini's home"; fi
exit $failed
