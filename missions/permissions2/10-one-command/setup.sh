#!/bin/sh
set -e
rm -f /etc/sudoers.d/niko
gpasswd -d niko sudo >/dev/null 2>&1 || true
cat >/usr/local/bin/backup <<'END'
#!/bin/sh
exec wc -c /etc/shadow
END
chown root:root /usr/local/bin/backup
chmod 755 /usr/local/bin/backup
