# why: something of nini's is missing
rm /srv/drawer/present-for-niko
chmod 711 /srv/drawer
