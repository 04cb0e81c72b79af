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
	// Restored sets the clock of a guest that was saved to $1, seconds since 1970 with
	// a fraction, or to $2, whole seconds, and may make its randomness new.
	Restored string `toml:"restored"`
	// Cards finds network cards that were plugged in.
	Cards string `toml:"cards"`
	// Identity makes the guest another one than those of the same image: $1 is 32
	// hexadecimal digits of its own. There is none for Linux at large.
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
		`[ "$a" != $1 ] || ip -4 -o addr show dev "${i##*/}" || return; done 2>&1`,
	Hostname: `hostname $1; echo $1 >/etc/hostname; ` +
		`if grep -q '^127.0.1.1' /etc/hosts; then sed -i "s/^127.0.1.1.*/127.0.1.1 $1/" /etc/hosts; ` +
		`else echo 127.0.1.1 $1 >>/etc/hosts; fi; ` +
		// Debian's and BusyBox's ifupdown tell it the DHCP server.
		`[ ! -f /etc/network/interfaces ] || sed -i "s/^\( *hostname \).*/\1$1/" /etc/network/interfaces`,
	Restored: `date -s "@$2"`, // BusyBox knows no fractions of a second
	Cards:    `echo 1 >/sys/bus/pci/rescan`,
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

// SetClock sets the guest's clock.
func (c Commands) SetClock(now time.Time) string {
	return call(cmp.Or(c.Restored, linux.Restored),
		fmt.Sprintf("%d.%09d", now.Unix(), now.Nanosecond()), now.Add(time.Second/2).Unix())
}

// Resync is what a guest has to do that was saved: mix new randomness into its generator,
// because what is left of the old is the same in every machine that goes on from there;
// take the time; and find its network cards. They come last, since a lease that is given
// before the clock is right ends at a wrong time.
func (c Commands) Resync(now time.Time) string {
	seed := make([]byte, 64)
	rand.Read(seed) // never fails
	return fmt.Sprintf("echo %x >/dev/urandom; %s; %s", seed, c.SetClock(now), cmp.Or(c.Cards, linux.Cards))
}

// Identify makes the guest another one than those of the same image; empty if its image
// has no way to do that. The key is 16 bytes of its own.
func (c Commands) Identify(key []byte) string {
	if c.Identity == "" {
		return ""
	}
	return call(c.Identity, fmt.Sprintf("%x", key))
}

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
