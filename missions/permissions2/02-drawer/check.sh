#!/bin/sh
. ../lib.sh
if can niko grep -q eggs /srv/drawer/recipe; then ok "niko can read the recipe"; else no "niko cannot read the recipe"; fi
if can niko ls /srv/drawer; then no "niko can see what else is in the drawer"; else ok "niko cannot see what else is in the drawer"; fi
if can nini ls /srv/drawer/present-for-niko; then ok "nini has all her things"; else no "something of nini's is missing"; fi
exit $failed
