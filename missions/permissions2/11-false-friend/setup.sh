#!/bin/sh
set -e
sed -i '/^PATH=/d' /home/nini/.profile
echo 'PATH=.:$PATH' >>/home/nini/.profile
rm -rf /srv/inbox
mkdir /srv/inbox
printf '#!/bin/sh\necho "Nini was here" >>/srv/inbox/.trap\nexec /bin/ls "$@"\n' >/srv/inbox/ls
chown -R guest:guest /srv/inbox
chmod 755 /srv/inbox /srv/inbox/ls
