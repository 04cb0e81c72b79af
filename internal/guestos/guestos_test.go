package guestos

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// box is a folder that stands for a guest's root.
type box struct {
	t   *testing.T
	dir string
}

func newBox(t *testing.T, files ...string) box {
	t.Helper()
	b := box{t, t.TempDir()}
	for i := 0; i < len(files); i += 2 {
		b.write(files[i], files[i+1])
	}
	return b
}

func (b box) write(name, text string) {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// read returns a file's text; none if it is not there.
func (b box) read(name string) string {
	data, _ := os.ReadFile(filepath.Join(b.dir, name))
	return string(data)
}

// run runs a command with a shell in the box, and has it say afterwards that it is still
// there. What would change this computer is a function that notes how it was called and
// says what there is to say: a shell prefers it to any program, also BusyBox's, which has
// its own and looks at no PATH.
func (b box) run(shell []string, command string) string {
	b.t.Helper()
	script := ""
	for _, program := range []string{"hostname", "date", "stty", "ip"} {
		script += fmt.Sprintf("%[1]s() { echo %[1]s \"$@\" >>%[2]s/calls; [ ! -e %[2]s/%[1]s.says ] || cat %[2]s/%[1]s.says; }\n", program, b.dir)
	}
	for _, folder := range []string{"/etc/", "/sys/", "/run/", "/proc/loadavg", "/proc/uptime", "/dev/urandom"} {
		command = strings.ReplaceAll(command, folder, b.dir+folder)
	}
	script += command + "\necho .\n"
	out, err := exec.Command(shell[0], append(shell[1:], "-c", script)...).Output()
	if err != nil || !strings.HasSuffix(string(out), ".\n") {
		b.t.Errorf("%s: %v, %q", command, err, out)
	}
	return strings.TrimSuffix(string(out), ".\n")
}

// shells calls f with each shell that a guest may have.
func shells(t *testing.T, f func(t *testing.T, shell []string)) {
	for _, shell := range [][]string{{"sh"}, {"bash"}, {"busybox", "sh"}} {
		t.Run(shell[0], func(t *testing.T) {
			if _, err := exec.LookPath(shell[0]); err != nil {
				t.Fatalf("%v: `labrun doctor --mend test` installs it", err)
			}
			f(t, shell)
		})
	}
}

func TestAddress(t *testing.T) {
	shells(t, func(t *testing.T, shell []string) {
		b := newBox(t,
			"sys/class/net/lo/address", "00:00:00:00:00:00\n",
			"sys/class/net/lan0/address", "52:55:00:d1:55:04\n",
			"sys/class/net/bonding_masters", "", // is no card
			"ip.says", "3: lan0    inet 10.254.0.1/24 brd 10.254.0.255 scope global lan0\\       valid_lft forever\n"+
				"3: lan0    inet 10.254.0.9/24 scope global secondary lan0\n")
		// What is no card is complained of, and that is no answer.
		got, err := ParseAddress(b.run(shell, Commands{}.AskAddress("52:55:00:d1:55:04")))
		if want := netip.MustParseAddr("10.254.0.1"); err != nil || got != want {
			t.Errorf("address %v, %v; want %v", got, err, want)
		}
		if got, want := b.read("calls"), "ip -4 -o addr show dev lan0\n"; got != want {
			t.Errorf("called was %q, want %q", got, want)
		}
		if got, err := ParseAddress(b.run(shell, Commands{}.AskAddress("52:55:00:d1:55:05"))); err != nil || got.IsValid() {
			t.Errorf("a card that is not there has %v, %v", got, err)
		}
		own := Commands{Address: `echo "lladdr $1"; echo "	inet 10.0.0.7 netmask 0xffffff00"`}
		if got, err := ParseAddress(b.run(shell, own.AskAddress("aa"))); err != nil || got.String() != "10.0.0.7" {
			t.Errorf("in the image's own way: %v, %v", got, err)
		}
	})
	for printed, want := range map[string]string{
		"": "invalid IP", "inet": "invalid IP", "lan0: down": "invalid IP",
		"inet addr:10.0.0.1  Bcast:10.0.0.255": "10.0.0.1", // BusyBox's ifconfig
	} {
		if got, err := ParseAddress(printed); err != nil || got.String() != want {
			t.Errorf("%q: %v, %v; want %s", printed, got, err, want)
		}
	}
	if got, err := ParseAddress("inet nowhere"); err == nil {
		t.Errorf("nowhere is %v", got)
	}
}

// TestInALine: a shell that stays says in a line what a command has printed in several, and how that ended.
func TestInALine(t *testing.T) {
	shells(t, func(t *testing.T, shell []string) {
		b := newBox(t, "etc/leases", "[\n\t{ \"a\": \"*\" },\n\t{ \"b?\": [1] }\n]")
		for _, c := range []struct {
			command, words string
			status         int
		}{
			{"cat /etc/leases", `[ { "a": "*" }, { "b?": [1] } ]`, 0},
			{"echo some words; ( exit 3 )", "some words", 3}, {"true", "", 0}, {"exit 5", "", 5},
		} {
			said := b.run(shell, InALine(c.command)+"; echo; echo /etc/l*")
			line, rest, _ := strings.Cut(said, "\n")
			if status, words, err := ParseLine(line); err != nil || status != c.status || words != c.words {
				t.Errorf("%s: %d, %q, %v", c.command, status, words, err)
			}
			if !strings.Contains(rest, "/etc/leases") {
				t.Errorf("after %s the shell finds no files: %q", c.command, rest)
			}
		}
	})
	if status, _, err := ParseLine("what"); err == nil {
		t.Errorf("a torn line is the status %d", status)
	}
}

func TestHostname(t *testing.T) {
	shells(t, func(t *testing.T, shell []string) {
		// As Debian has it, and as Alpine.
		b := newBox(t, "etc/hosts", "127.0.0.1 localhost\n127.0.1.1\told old.lan\n::1 localhost\n")
		b.run(shell, Commands{}.SetHostname("desk-1"))
		if got, want := b.read("etc/hosts"), "127.0.0.1 localhost\n127.0.1.1 desk-1\n::1 localhost\n"; got != want {
			t.Errorf("hosts are %q, want %q", got, want)
		}
		if got := b.read("etc/hostname"); got != "desk-1\n" {
			t.Errorf("the next boot's name is %q", got)
		}
		if got := b.read("calls"); got != "hostname desk-1\n" {
			t.Errorf("called was %q", got)
		}
		b = newBox(t, "etc/hosts", "127.0.0.1 localhost\n",
			"etc/network/interfaces", "iface eth0 inet dhcp\n    hostname localhost\n")
		b.run(shell, Commands{}.SetHostname("desk"))
		if got, want := b.read("etc/hosts"), "127.0.0.1 localhost\n127.0.1.1 desk\n"; got != want {
			t.Errorf("hosts are %q, want %q", got, want)
		}
		if got, want := b.read("etc/network/interfaces"), "iface eth0 inet dhcp\n    hostname desk\n"; got != want {
			t.Errorf("the DHCP client has %q, want %q", got, want)
		}
	})
}

func TestResync(t *testing.T) {
	now := time.Date(2026, 11, 27, 8, 0, 59, 600_000_007, time.UTC)
	shells(t, func(t *testing.T, shell []string) {
		b := newBox(t, "dev/urandom", "", "proc/uptime", "61.08 99.10\n", "run/later", "63.40 120.00\n")
		b.run(shell, NoteTime+"; mv /run/later /proc/uptime; "+Commands{}.Resync(now)) // 2.32 s after it has heard that
		if got, want := b.read("calls"), "date -s @1795766462\n"; got != want {
			t.Errorf("called was %q, want %q", got, want)
		}
		seed := b.read("dev/urandom")
		if raw, err := hex.DecodeString(strings.TrimSpace(seed)); err != nil || len(raw) != 64 {
			t.Errorf("mixed in is %q", seed)
		}
		b.run(shell, NoteTime+"; "+Commands{}.Resync(now))
		if again := b.read("dev/urandom"); again == seed {
			t.Error("the same randomness twice")
		}
		own := Commands{Restored: `echo at $1 $2 $3`}
		if got, want := b.run(shell, NoteTime+"; "+own.Resync(now)), "at 1795766459.600000007 1795766460 63.40\n"; got != want {
			t.Errorf("in the image's own way: %q, want %q", got, want)
		}
	})
}

func TestCards(t *testing.T) {
	cards := []string{"52:55:00:d1:55:03", "52:55:00:d1:55:04"}
	shells(t, func(t *testing.T, shell []string) {
		b := newBox(t,
			"sys/bus/pci/rescan", "", "sys/class/net/lo/address", "00:00:00:00:00:00\n",
			"sys/class/net/bonding_masters", "", // is no card
			"sys/class/net/uplink0/address", cards[0]+"\n", "proc/loadavg", "0.31 0.10 0.02 1/61 742\n")
		b.run(shell, Commands{}.FindCards())
		if got := b.read("sys/bus/pci/rescan"); got != "1\n" {
			t.Errorf("cards are looked for with %q", got)
		}
		wired := func() string { return b.run(shell, Commands{}.AskWired(cards)) }
		if got := wired(); got != "not\n" {
			t.Errorf("with a card missing: %q", got)
		}
		b.write("sys/class/net/lan0/address", cards[1]+"\n")
		if got := wired(); got != "wired\n" {
			t.Errorf("with all cards: %q", got)
		}
		b.write("proc/loadavg", "0.31 0.10 0.02 2/61 742\n")
		if got := wired(); got != "not\n" {
			t.Errorf("with a program at work: %q", got)
		}
		own := Commands{Cards: "echo cards", Wired: `[ $2 = 52:55:00:d1:55:04 ]`, Cables: "echo cables"}
		if got := b.run(shell, own.FindCards()+"; "+own.AskWired(cards)+"; "+own.CablesIn()); got != "cards\nwired\ncables\n" {
			t.Errorf("in the image's own way: %q", got)
		}
	})
}

// TestCablesIn: each DHCP client is told, and only those that there are.
func TestCablesIn(t *testing.T) {
	shells(t, func(t *testing.T, shell []string) {
		b := newBox(t)
		b.run(shell, Commands{}.CablesIn())
		var clients []*exec.Cmd
		for _, card := range []string{"eth0", "uplink0"} {
			client := exec.Command("sleep", "600")
			if err := client.Start(); err != nil {
				t.Fatal(err)
			}
			clients = append(clients, client)
			b.write("run/udhcpc."+card+".pid", fmt.Sprintln(client.Process.Pid))
			b.write("sys/class/net/"+card+"/operstate", "up\n")
		}
		b.run(shell, Commands{}.CablesIn())
		for _, client := range clients { // which has no use for the signal
			client.Wait()
			if status, _ := client.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGUSR1 {
				t.Errorf("a client ended with %v", client.ProcessState)
			}
		}
	})
}

func TestIdentityAndSize(t *testing.T) {
	shells(t, func(t *testing.T, shell []string) {
		b := newBox(t)
		b.run(shell, Commands{}.Resize(24, 80))
		if got, want := b.read("calls"), "stty -F /dev/ttyS0 rows 24 cols 80\n"; got != want {
			t.Errorf("called was %q, want %q", got, want)
		}
		if got := (Commands{}).Identify([]byte{1}); got != "" {
			t.Errorf("without a way to do it: %q", got)
		}
		said := strings.Fields(b.run(shell, Commands{Identity: `echo $1 $2 $3`}.Identify([]byte{1, 0xab})))
		if len(said) != 3 || said[0] != "01ab" {
			t.Fatalf("its identity is %q", said)
		}
		private, err := ssh.ParsePrivateKey([]byte("-----BEGIN OPENSSH PRIVATE KEY-----\n" + said[1] + "\n-----END OPENSSH PRIVATE KEY-----\n"))
		if err != nil {
			t.Fatal(err)
		}
		public, err := base64.StdEncoding.DecodeString(said[2])
		if err != nil || !bytes.Equal(public, private.PublicKey().Marshal()) {
			t.Errorf("of the key %x this is no half: %q, %v", private.PublicKey().Marshal(), said[2], err)
		}
	})
}

func TestSavable(t *testing.T) {
	shells(t, func(t *testing.T, shell []string) {
		for modes, want := range map[string]string{
			"speed 115200 baud; line = 0;\n-isig -icanon -iexten -echo\n": "savable\n",
			"speed 115200 baud; line = 0;\nisig icanon iexten echo\n":     "", // as init sets them
		} {
			b := newBox(t, "stty.says", modes)
			if got := b.run(shell, Commands{}.AskSavable()+" && echo savable"); got != want {
				t.Errorf("with the modes %q: %q", modes, got)
			}
			if got := b.read("calls"); got != "stty -F /dev/ttyS0 -a\n" {
				t.Errorf("called was %q", got)
			}
		}
		if got := newBox(t).run(shell, Commands{Savable: "true"}.AskSavable()+" && echo savable"); got != "savable\n" {
			t.Errorf("in the image's own way: %q", got)
		}
	})
}

func TestLeases(t *testing.T) {
	shells(t, func(t *testing.T, shell []string) {
		b := newBox(t)
		file := b.dir + "/leases.json"
		if got, err := ParseLeases(b.run(shell, AskLeases(file))); err != nil || got != nil {
			t.Errorf("of a router that has given none: %v, %v", got, err)
		}
		b.write("leases.json", `[{"num": 184, "addr": "10.254.0.186", "hardware_addr": "52:55:00:aa:00:10", "hostname": "os25",
			"hostname_override": "", "expiry": "2026-11-27T08:20:00.000000001Z", "last_ack": "2026-11-27T08:00:00.000000422Z"}]`)
		got, err := ParseLeases(b.run(shell, AskLeases(file)))
		if err != nil || len(got) != 1 || got[0].Addr != "10.254.0.186" || got[0].Expiry.Sub(got[0].LastAck).Round(time.Minute) != 20*time.Minute {
			t.Errorf("%+v, %v", got, err)
		}
	})
	if got, err := ParseLeases("[{"); err == nil {
		t.Errorf("a torn file: %v", got)
	}
}
