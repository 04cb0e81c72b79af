# why: niko can no longer change his profile
# as niko
echo 'umask 077' >> ~/.profile
chmod 400 ~/.profile
