#!/bin/sh
set -e
rm -rf /srv/project
mkdir -p /srv/project/notes
echo 'Buy paint.' >/srv/project/notes/todo
printf '#!/bin/sh\necho building\n' >/srv/project/build
chown -R nini:nini /srv/project
chmod 755 /srv/project /srv/project/notes /srv/project/build
chmod 644 /srv/project/notes/todo
