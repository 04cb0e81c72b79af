# labrun keeps somebody logged in at a terminal that the lab has asked for: $1 is its name, $2 the user. Without a user a
# login prompt waits there.
tty=/dev/$1 user=$2
export TERM=vt220 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
echo $$ >/run/labrun/$1.pid
cd /

known() {
  while IFS=: read -r name _; do [ "$name" != "$user" ] || return 0; done </etc/passwd
  return 1
}

# A user who was just made may get a home and groups next, which a login would miss: so nothing has changed for two seconds.
await() {
  printf '\r\nlabrun: there is no user %s here yet. As soon as there is, they are logged in.\r\n' "$user" >"$tty"
  stamp=/run/labrun/$1.stamp still=0
  : >"$stamp"
  while [ $still -lt 2 ]; do
    sleep 1
    still=$((still + 1))
    if ! known || [ /etc/passwd -nt "$stamp" ] || [ /etc/group -nt "$stamp" ]; then
      : >"$stamp"
      still=0
    fi
  done
}

# Whoever opens a terminal first in a session of their own has it as theirs: its keys send them signals.
while :; do
  if [ -z "$user" ]; then
    setsid getty -L 115200 "$1" vt220
  else
    known || await "$1"
    setsid sh -c 'exec <>"$1" >&0 2>&1; stty sane 115200 clocal; exec login -f "$2"' sh "$tty" "$user"
  fi
  sleep 1 # as an init does not start a program that ends at once over and over
done
