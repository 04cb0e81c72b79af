#!/bin/sh
. ../lib.sh
suggest=/usr/local/bin/suggest
if can niko $suggest try && grep -qx try /srv/box; then ok "niko can put something into the box"; else no "niko cannot put anything into the box with suggest"; fi
sed -i '/^try$/d' /srv/box
if can niko cat /srv/box; then no "niko can read what is in the box"; else ok "niko cannot read what is in the box"; fi
if [ -u $suggest ] && [ "$(stat -c %U $suggest)" = root ]; then no "suggest runs as root, which is more than it needs"; else ok "suggest does not run as root"; fi
exit $failed
