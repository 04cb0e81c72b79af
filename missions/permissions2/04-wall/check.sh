#!/bin/sh
. ../lib.sh
wall=/srv/wall
if can guest sh -c ": >$wall/.try && rm $wall/.try"; then ok "guest can put up a note and take it down"; else no "guest can no longer put up a note"; fi
: >$wall/.try; chown niko: $wall/.try
if can guest rm -f $wall/.try; then no "guest can take down a note of niko's"; else ok "guest cannot take down a note of niko's"; fi
rm -f $wall/.try
if [ -f $wall/from-niko ]; then ok "niko's note still hangs there"; else no "niko's note is gone"; fi
exit $failed
