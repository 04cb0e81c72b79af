# why: counter still runs
sudo pkill -x counter
