# why: niko can still read it
chmod 604 ~/diary
