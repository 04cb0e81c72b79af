# why: niko is no member of the choir
sudo chmod o+rwx /srv/choir
