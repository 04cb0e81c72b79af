# why: niko can write what he likes into backup
echo 'niko ALL=(root) NOPASSWD: /usr/local/bin/backup' | sudo tee /etc/sudoers.d/niko
sudo chown niko /usr/local/bin/backup
