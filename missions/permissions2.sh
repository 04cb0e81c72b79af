#!/bin/sh
# Who is there: nini, who may do everything with sudo, niko and guest.
set -e
groupadd desk
for user in nini niko guest; do
  useradd -m -s /bin/bash "$user"
  chmod 755 "/home/$user"
done
usermod -aG desk nini
usermod -aG desk niko
echo 'nini ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/nini
