package guestos

import (
	_ "embed"
	"fmt"
	"strings"
)

// consoleScript keeps somebody logged in at one of a guest's terminals.
//
//go:embed console.sh
var consoleScript string

// ports lists the serial ports that are cards, in the order of their places: one a line.
// Since Linux 6.6 two more folders are between a card and its port.
const ports = `for f in /sys/bus/pci/devices/*/tty/ttyS* /sys/bus/pci/devices/*/*/*/tty/ttyS*; do ` +
	`[ ! -e "$f" ] || [ "${f##*/}" = %s ] || echo "${f##*/}"; done`

// KeepConsoles has a user logged in at each of the guest's serial ports that are cards but
// the control channel's, in the order of their places, now and after each logout; where the
// user is empty, a login prompt waits. It fails if there are not as many ports. What it has
// started goes on without it; where it was called before, since the guest has booted, it
// changes nothing. Root may log in there, where a list says at which terminals root may.
func KeepConsoles(control string, users []string) string {
	var quoted []string
	for _, user := range users {
		quoted = append(quoted, "'"+user+"'")
	}
	return fmt.Sprintf(`mkdir -p /run/labrun
cat >/run/labrun/console <<'labrun-end'
%slabrun-end
set -- %s
n=0
for t in $(%s); do
  [ $# -gt 0 ] || break
  n=$((n + 1))
  echo $t >/run/labrun/console-$n
  [ ! -e /etc/securetty ] || grep -qx $t /etc/securetty || echo $t >>/etc/securetty
  if ! read -r pid </run/labrun/$t.pid || ! kill -0 "$pid"; then
    setsid sh /run/labrun/console $t "$1" </dev/null >/dev/null 2>&1 &
  fi 2>/dev/null
  shift
done
[ $# = 0 ] || { echo "the guest has found $n of the serial ports: $# are missing" >&2; exit 1; }`,
		consoleScript, strings.Join(quoted, " "), fmt.Sprintf(ports, control))
}

// ResizeConsole gives one of the terminals of KeepConsoles a size, counted from 1.
func ResizeConsole(number, rows, columns int) string {
	return fmt.Sprintf(`read -r t </run/labrun/console-%d && stty -F /dev/$t rows %d cols %d`, number, rows, columns)
}
