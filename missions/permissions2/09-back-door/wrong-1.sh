# why: there is still a shell that makes everybody root
chmod u-s /usr/local/share/fonts/.cache/index
