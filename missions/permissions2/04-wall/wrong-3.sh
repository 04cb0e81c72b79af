# why: niko's note is gone
sudo rm /srv/wall/from-niko
sudo chmod +t /srv/wall
