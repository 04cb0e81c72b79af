# why: niko's other program has ended
sudo pkill -u niko -x sleep
