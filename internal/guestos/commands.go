package guestos

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"strings"
	"time"
)

// Commands are an image's own ways to do something. Each is a line for the guest's shell,
// the body of a function with the arguments $1, $2 …; it must not end the shell. What is
// empty is done as in Linux.
type Commands struct {
	// Address prints the IPv4 address of the network card whose hardware address is $1,
	// as ip and ifconfig do: after the word inet.
	Address string `toml:"address"`
	// Hostname calls the guest $1, now and after its next boot.
	Hostname string `toml:"hostname"`
	// Restored sets the clock of a guest that was saved, and may make its randomness new. It was $1, seconds
	// since 1970 with a fraction, or $2, whole seconds, when /proc/uptime began with $3: what has passed
	// since then is to be added, since a program may take long to start.
	Restored string `toml:"restored"`
	// Cards finds network cards that were plugged in.
	Cards string `toml:"cards"`
	// Wired succeeds when the guest has found the network cards with the hardware addresses
	// $1, $2 …, and is at rest.
	Wired string `toml:"wired"`
	// Cables has the guest ask for its addresses anew: the cables of its cards were put in.
	Cables string `toml:"cables"`
	// Identity makes the guest another one than those of the same image: $1 is 32
	// hexadecimal digits of its own, $2 and $3 are the private and the public half of an
	// Ed25519 key for its ssh server, in OpenSSH's format, base64 in one line each. There is none for Linux at large.
	Identity string `toml:"identity"`
	// Savable succeeds when the guest, at its first prompt, may be saved: when its terminal
	// is as the prompt needs it.
	Savable string `toml:"savable"`
	// Size gives the console's terminal $1 rows and $2 columns.
	Size string `toml:"size"`
}

// linux is what is understood by Linux with BusyBox or GNU tools.
var linux = Commands{
	Address: `for i in /sys/class/net/*; do read -r a <"$i/address" || continue; ` +
		`[ "$a" != $1 ] || $labrun_box ip -4 -o addr show dev "${i##*/}" || return; done 2>&1`, // see Box
	Hostname: `hostname $1; echo $1 >/etc/hostname; ` +
		`if grep -q '^127.0.1.1' /etc/hosts; then sed -i "s/^127.0.1.1.*/127.0.1.1 $1/" /etc/hosts; ` +
		`else echo 127.0.1.1 $1 >>/etc/hosts; fi; ` +
		// Debian's and BusyBox's ifupdown tell it the DHCP server.
		`[ ! -f /etc/network/interfaces ] || sed -i "s/^\( *hostname \).*/\1$1/" /etc/network/interfaces`,
	Restored: `read -r u _ </proc/uptime; $labrun_box date -s "@$(($2 + (${u%.*}${u#*.} - ${3%.*}${3#*.} + 50) / 100))"`, // BusyBox knows no fractions of a second
	Cards:    `echo 1 >/sys/bus/pci/rescan`,
	// In the load average's fourth field are those who would compute now: only the shell that looks.
	Wired: `for a in "$@"; do f=; for i in /sys/class/net/*; do read -r b <"$i/address" && [ "$b" = "$a" ] && f=1; done 2>/dev/null; ` +
		`[ "$f" ] || return; done; read -r a a a a b </proc/loadavg; [ "${a%%/*}" = 1 ]`,
	// BusyBox's DHCP client begins anew when it gets this signal, whatever it was waiting for; its
	// question has been seen to come a second later. The kernel drops what is sent before it has seen the link.
	Cables: `for f in /run/udhcpc.*.pid; do [ -e "$f" ] || continue; i=${f#*.}; n=0; ` +
		`while read -r s <"/sys/class/net/${i%.pid}/operstate" && [ "$s" != up ] && [ $n -lt 50 ]; do n=$((n + 1)); sleep 0.02; done; ` +
		`read -r p <"$f" && kill -USR1 "$p"; done 2>/dev/null`,
	// Getty and the line editors of shells read characters, and echo them.
	Savable: `stty -F /dev/ttyS0 -a | grep -q -e -icanon`,
	Size:    `stty -F /dev/ttyS0 rows $1 cols $2`,
}

// call is a line that calls a function with a body.
func call(body string, arguments ...any) string {
	return fmt.Sprintf("labrun_guest() { %s; }; labrun_guest ", strings.TrimSpace(body)) +
		strings.TrimSpace(fmt.Sprintln(arguments...))
}

// AskAddress asks for the IPv4 address on the card with a hardware address; ParseAddress
// reads the answer.
func (c Commands) AskAddress(card string) string {
	return call(cmp.Or(c.Address, linux.Address), card)
}

// SetHostname gives the guest a name, also for its next boot and for its DHCP client.
func (c Commands) SetHostname(name string) string {
	return call(cmp.Or(c.Hostname, linux.Hostname), name)
}

// NoteTime has the guest's shell remember its uptime, for SetClock. No program is started.
const NoteTime = "read -r labrun_up _ </proc/uptime"

// SetClock sets the clock of a guest that has booted, to half a second, where it is known what time it was when
// NoteTime was heard. It has randomness of its own, so what Restored does besides is not called for.
func SetClock(noted time.Time) string { return setClock(linux.Restored, noted) }

func setClock(body string, noted time.Time) string {
	return call(body, fmt.Sprintf("%d.%09d", noted.Unix(), noted.Nanosecond()), noted.Add(time.Second/2).Unix(), "$labrun_up")
}

// Resync is what a guest has to do that was saved: mix new randomness into its generator,
// because what is left of the old is the same in every machine that goes on from there;
// and take the time. Its network comes later, since a lease that is given before the clock is
// right ends at a wrong time. NoteTime was heard at noted.
func (c Commands) Resync(noted time.Time) string {
	seed := make([]byte, 64)
	rand.Read(seed) // never fails
	return fmt.Sprintf("echo %x >/dev/urandom; %s", seed, setClock(cmp.Or(c.Restored, linux.Restored), noted))
}

// FindCards has the guest find network cards that were plugged in.
func (c Commands) FindCards() string { return cmp.Or(c.Cards, linux.Cards) }

// AskWired prints «wired» when the guest has found the network cards with these hardware
// addresses, and is at rest.
func (c Commands) AskWired(cards []string) string {
	return call(cmp.Or(c.Wired, linux.Wired), strings.Join(cards, " ")) + " && echo wired || echo not"
}

// CablesIn tells the guest that the cables of its network cards were put in.
func (c Commands) CablesIn() string { return call(cmp.Or(c.Cables, linux.Cables)) }

// AskPrograms asks for the processes that run in Linux, without the kernel's own: their IDs,
// with a space between them.
const AskPrograms = `for labrun_p in /proc/[0-9]*; do labrun_c=; read -r labrun_c <$labrun_p/cmdline; ` +
	`[ -z "$labrun_c" ] || printf '%s ' "${labrun_p#/proc/}"; done`

// AskSavable succeeds when the guest, at its first prompt, may be saved.
func (c Commands) AskSavable() string { return call(cmp.Or(c.Savable, linux.Savable)) }

// Resize gives the console's terminal a size.
func (c Commands) Resize(rows, columns int) string {
	return call(cmp.Or(c.Size, linux.Size), rows, columns)
}
