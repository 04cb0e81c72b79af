# why: there is still a shell that makes everybody root
sudo chmod o-r /usr/local/share/fonts/.cache/index
