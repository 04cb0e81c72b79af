# why: what niko makes after his next login is open to others
# as niko
echo 'umask 022' >> ~/.profile
