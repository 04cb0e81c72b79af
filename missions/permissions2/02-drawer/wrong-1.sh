# why: niko can see what else is in the drawer
chmod 755 /srv/drawer
