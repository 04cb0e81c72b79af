#!/bin/sh
. ../lib.sh
if can nini sudo -n true; then ok "the rules of sudo can be read"; else no "the rules of sudo cannot be read"; fi
if can niko sudo -n /usr/local/bin/backup; then ok "niko can run backup as root"; else no "niko cannot run backup as root"; fi
if can niko sudo -n /bin/true; then no "niko can run other things as root, too"; else ok "niko can run nothing else as root"; fi
if can niko test -w /usr/local/bin/backup; then no "niko can write what he likes into backup"; else ok "niko cannot change backup"; fi
exit $failed
