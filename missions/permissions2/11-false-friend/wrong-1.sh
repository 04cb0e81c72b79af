# why: nini still runs an ls that lies where she is
sudo rm /srv/inbox/ls
