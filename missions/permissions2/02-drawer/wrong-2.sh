# why: niko cannot read the recipe
chmod 744 /srv/drawer
