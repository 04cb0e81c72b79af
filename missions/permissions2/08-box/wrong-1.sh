# why: niko cannot put anything into the box with suggest
gcc -o ~/suggest ~/suggest.c
sudo install -o nini -m 755 ~/suggest /usr/local/bin/suggest
