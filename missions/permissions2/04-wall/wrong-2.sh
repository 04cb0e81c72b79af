# why: guest can take down a note of niko's
sudo chmod 600 /srv/wall/from-niko
