# why: niko has lost the keys
sudo usermod -G choir niko
