# why: the space of huge.log is still taken
sudo rm -f /var/tmp/huge.log
