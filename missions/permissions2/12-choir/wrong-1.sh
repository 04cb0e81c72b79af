# why: niko's shell does not know it yet
sudo usermod -aG choir niko
