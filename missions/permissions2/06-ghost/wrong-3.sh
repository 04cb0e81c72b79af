# why: the space of huge.log is still taken
pkill -u niko -f 90001
