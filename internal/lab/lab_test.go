package lab

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/control"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/qemu"
)

// Tests without -short boot real machines. Those that ask a machine for nothing but what package fakeqemu has do so with
// -short as well, with fakes: so the fakes are held to what real machines do.

var cold = flag.Bool("cold", false, "boot the machines of the tests instead of restoring them")
var repeat = flag.Int("repeat", 0, "how often what could be lost by chance is tried; 0: a few times")

const patience = 10 * time.Minute // for anything an emulated machine does on a busy host

func TestMain(m *testing.M) { labtest.Main(m) }

// openStore opens a cache of images: of real ones, the user's own, or with -short of fakes.
func openStore(t *testing.T) *image.Store {
	t.Helper()
	if testing.Short() {
		return labtest.Store(t)
	}
	lock, err := image.ParseLock(labrun.ImagesLock)
	if err != nil {
		t.Fatal(err)
	}
	store, err := image.Open(image.StoreOptions{Lock: lock, Recipes: labrun.Images(), Mirror: os.Getenv("LABRUN_MIRROR")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// needsMachines skips a test that no fake passes.
func needsMachines(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines: run without -short")
	}
}

func context5(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// routerAlone is the smallest lab: one machine, which boots in seconds.
func routerAlone(t *testing.T) (context.Context, *Lab, *Machine) {
	ctx := context5(t)
	l := newLab(t, Config{Networks: []string{"lan"}, Machines: []MachineConfig{
		{Name: "router7", Image: "router7", NICs: []NICConfig{{Uplink: true}, {Network: "lan"}}},
	}})
	router := l.Machine("router7")
	if err := l.Boot(ctx, router); err != nil {
		t.Fatal(err)
	}
	if _, err := router.WaitPrompt(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx, l, router
}

func newLab(t *testing.T, c Config) *Lab {
	t.Helper()
	return newLabWith(t, c, Options{Store: openStore(t), Records: t.TempDir(), Cold: *cold})
}

func newLabWith(t *testing.T, c Config, o Options) *Lab {
	t.Helper()
	l, err := New(c, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if _, err := os.Stat(l.session.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the session folder is still there: %v", err)
		}
	})
	return l
}

func TestControlChannel(t *testing.T) {
	labtest.Parallel(t)
	ctx, _, router := routerAlone(t)
	g, err := router.current()
	if err != nil {
		t.Fatal(err)
	}
	shells := map[string]*control.Shell{"own port": g.shell, "shared console": control.NewForeign(g.console, control.Options{Machine: "router7", Cards: router.macs})}
	for name, shell := range shells {
		t.Run(name, func(t *testing.T) {
			r, err := shell.Run(ctx, `printf 'one\n\n'; printf "it's two" >&2; exit 7`, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if r.Status != 7 || r.Stdout != "one\n\n" || r.Stderr != "it's two" {
				t.Errorf("got %+v", r)
			}
			data := make([]byte, 40_000)
			for i := range data {
				data[i] = byte(i * i >> 3)
			}
			file := "/root/a 'strange' name"
			if err := shell.WriteFile(ctx, file, data, 0o640); err != nil {
				t.Fatal(err)
			}
			back, err := shell.ReadFile(ctx, file)
			if err != nil || !bytes.Equal(back, data) {
				t.Errorf("read back %d bytes, %v; wrote %d", len(back), err, len(data))
			}
			if r, err := shell.Run(ctx, `ls -l /root | grep strange`, time.Minute); err != nil || !strings.HasPrefix(r.Stdout, "-rw-r-----") {
				t.Errorf("permissions: %q, %v", r.Stdout, err)
			}
			if err := shell.WriteFile(ctx, "/root/empty", nil, 0o600); err != nil {
				t.Error(err)
			}
			if back, err := shell.ReadFile(ctx, "/root/empty"); err != nil || len(back) != 0 {
				t.Errorf("the empty file has %d bytes, %v", len(back), err)
			}
			var refused *control.GuestError
			for _, path := range []string{"/root/none", "/root"} {
				if _, err := shell.ReadFile(ctx, path); !errors.As(err, &refused) {
					t.Errorf("reading %s: %v", path, err)
				}
			}
			if err := shell.WriteFile(ctx, "/none/x", data, 0o600); !errors.As(err, &refused) {
				t.Errorf("writing to a folder that is not there: %v", err)
			}
			_, err = shell.Run(ctx, "sleep 600", time.Second)
			if late := new(control.TimeoutError); !errors.As(err, &late) {
				t.Errorf("a command without end: %v", err)
			}
			if r, err := shell.Run(ctx, "sleep 600 & echo started", time.Minute); err != nil || r.Stdout != "started\n" {
				t.Errorf("a command in the background: %+v, %v", r, err)
			}
			if r, err := shell.Run(ctx, "seq 30000; cat", time.Minute); err != nil || !strings.HasSuffix(r.Stdout, "\n30000\n") {
				t.Errorf("a longer output: %d bytes, %v", len(r.Stdout), err)
			}
		})
	}
}

func TestControlShellComesBack(t *testing.T) {
	labtest.Parallel(t)
	ctx, _, router := routerAlone(t)
	// The command's shell is timeout's child, and that one the control shell's.
	if r, err := router.Run(ctx, "read -r _ _ _ parent _ </proc/$PPID/stat; kill -9 $parent; sleep 600", time.Minute); !errors.Is(err, control.ErrRestarted) {
		t.Errorf("a command that killed its shell had the result %+v, %v", r, err)
	}
	r, err := router.Run(ctx, "echo back", time.Minute)
	if err != nil || r.Stdout != "back\n" {
		t.Errorf("the next command: %+v, %v", r, err)
	}
}

func TestLeavesThroughTheConsole(t *testing.T) {
	labtest.Parallel(t)
	ctx, _, router := routerAlone(t)
	c, err := router.Console()
	if err != nil {
		t.Fatal(err)
	}
	wait := func(cause string, ends func()) error {
		t.Helper()
		ends()
		_, err := c.Expect(ctx, console.Text("what never comes"))
		var wait *console.WaitError
		if !errors.As(err, &wait) || wait.Tail == "" || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: the wait ended with %v", cause, err)
		}
		return err
	}
	var panicked *PanicError
	if err := wait("panic", func() {
		typedToCrash(t, c.Send(ctx, crashNow))
	}); !errors.As(err, &panicked) {
		t.Errorf("a panic: %v", err)
	}
}

// crashNow makes a kernel panic; that of a fake is where the host's has it, and if that has none, in /dev.
const crashNow = "echo c >/proc/sysrq-trigger || echo c >/dev/sysrq\n"

// typedToCrash checks how typing crashNow ended: it may be over before all is typed.
func typedToCrash(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.As(err, new(*PanicError)) {
		t.Fatal(err)
	}
}

// TestCrashWhileStarting crashes a machine before anybody saw it up: under
// emulation it is started again, once.
func TestCrashWhileStarting(t *testing.T) {
	labtest.Parallel(t)
	for !crashWhileStarting(t) {
		t.Log("its kernel crashed by itself: once more")
	}
}

// crashWhileStarting is one try; it reports whether no kernel crashed by itself, which
// uses up the restart.
func crashWhileStarting(t *testing.T) (sound bool) {
	t.Helper()
	ctx := context5(t)
	l := newLabWith(t, Config{Machines: []MachineConfig{{Name: "router7", Image: "router7"}}}, Options{Store: openStore(t), Cold: true})
	router := l.Machine("router7")
	if err := l.Boot(ctx, router); err != nil {
		t.Fatal(err)
	}
	if l.accel.Accel != qemu.TCG {
		t.Skip("machines are started again under emulation only; KVM works here")
	}
	crash := func() (sound bool) {
		t.Helper()
		c, err := router.Console()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Expect(ctx, console.Text("press Enter")); errors.As(err, new(*PanicError)) {
			return false
		} else if err != nil {
			t.Fatal(err)
		}
		if err := c.SendRaw(ctx, []byte("\r")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Expect(ctx, console.Prompt(console.ShellPrompt)); err != nil {
			t.Fatal(err)
		}
		typedToCrash(t, c.SendRaw(ctx, []byte(crashNow))) // whose echo may not come any more
		return true
	}
	for range 2 { // the second time it has started again
		if !crash() {
			return false
		}
	}
	_, err := router.WaitPrompt(ctx)
	if !errors.As(err, new(*PanicError)) {
		t.Errorf("after the second crash: %v", err)
	}
	return true
}

func TestKilledFromOutside(t *testing.T) {
	labtest.Parallel(t)
	ctx, l, router := routerAlone(t)
	c, _ := router.Console()
	g, _ := router.current()
	process, err := os.FindProcess(g.qemu().Pid())
	if err != nil {
		t.Fatal(err)
	}
	process.Kill()
	_, err = c.Expect(ctx, console.Text("what never comes"))
	var exit *qemu.ExitError
	if !errors.As(err, &exit) || exit.Reason != qemu.Killed {
		t.Errorf("the wait ended with %v", err)
	}
	// A failed step may be tried again: the machine can be booted anew.
	if err := l.Boot(ctx, router); err != nil {
		t.Fatal(err)
	}
	if _, err := router.WaitPrompt(ctx); err != nil {
		t.Error(err)
	}
}

func TestPromptThatNeverComes(t *testing.T) {
	labtest.Parallel(t)
	ctx, _, router := routerAlone(t)
	c, _ := router.Console()
	if err := c.Send(ctx, "echo the tail; sleep 600\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Expect(ctx, console.Text("the tail")); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := router.WaitPrompt(short)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the tail") {
		t.Errorf("the wait ended with %v", err)
	}
}

// TestFloodWithoutAReader lets a guest print while nobody waits: it must not
// stall. An emulated serial port moves about 200 KB/s, so the flood is of 1 MB here;
// package console takes 39 MB, and looks that it does not hoard them.
func TestFloodWithoutAReader(t *testing.T) {
	labtest.Parallel(t)
	ctx, _, router := routerAlone(t)
	c, _ := router.Console()
	if err := c.Send(ctx, "yes 0123456789012345678901234567890123456789 | head -c 1000000; echo; : >/run/flooded\n"); err != nil {
		t.Fatal(err)
	}
	for try := 0; ; try++ {
		if r, err := router.Run(ctx, "ls /run/flooded", time.Minute); err != nil {
			t.Fatal(err)
		} else if r.Status == 0 {
			break
		}
		if err := pause(ctx, try); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Send(ctx, "echo still $((6*7))\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Expect(ctx, console.Text("still 42")); err != nil {
		t.Error(err)
	}
}

// TestNetwork joins two machines, cuts the link between them and mends it.
func TestNetwork(t *testing.T) {
	labtest.Parallel(t)
	ctx := context5(t)
	l := newLab(t, Config{Networks: []string{"lan"}, Machines: []MachineConfig{
		{Name: "router7", Image: "router7", NICs: []NICConfig{{Uplink: true}, {Network: "lan"}}},
		{Name: "mini", Image: "mini", NICs: []NICConfig{{Network: "lan"}}},
		{Name: "twin", Image: "mini", NICs: []NICConfig{{Network: "lan"}}},
	}})
	router, mini, twin := l.Machine("router7"), l.Machine("mini"), l.Machine("twin")
	if mini.MAC(0) == twin.MAC(0) {
		t.Fatalf("two machines have the card %s", mini.MAC(0))
	}
	if _, err := mini.Run(ctx, "true", time.Minute); !errors.As(err, new(*NotBootedError)) {
		t.Errorf("a command before boot: %v", err)
	}
	if err := l.Boot(ctx, router, mini, twin); err != nil {
		t.Fatal(err)
	}
	if _, err := router.WaitPrompt(ctx); err != nil {
		t.Fatal(err)
	}
	leases, err := router.Leases(ctx, []*Machine{mini, twin})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := mini.Address(ctx, "lan")
	if err != nil {
		t.Fatal(err)
	}
	found, named := false, false
	for _, lease := range leases {
		found = found || lease.Addr == addr.String() && lease.HardwareAddr == mini.MAC(0)
		named = named || lease.Hostname == "localhost" // dnsmasq lets one machine have a name: the last that claims it
	}
	if !found || !named {
		t.Errorf("mini is at %s, and the leases are %+v", addr, leases)
	}
	if seen := watched(t, ctx, mini); seen != addr {
		t.Errorf("mini is at %v, and the switch says %v", addr, seen)
	}
	// The router gives itself an address, of which it need not have spoken.
	if seen := watched(t, ctx, router); seen.String() != "10.254.0.1" {
		t.Errorf("the switch says that the router is at %v", seen)
	}
	if err := mini.Own().Login(ctx, "", ""); err != nil {
		t.Fatal(err)
	}
	if err := twin.Own().Login(ctx, "root", "wrong"); !errors.As(err, new(*LoginError)) {
		t.Errorf("a wrong password: %v", err)
	}

	ping := func() bool {
		t.Helper()
		r, err := mini.Run(ctx, "ping -c 1 -W 3 10.254.0.1", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return r.Status == 0
	}
	if !ping() {
		t.Error("mini does not reach the router")
	}
	g, err := mini.current()
	if err != nil {
		t.Fatal(err)
	}
	if counted := g.ports[0].Counters(); counted.RxFrames == 0 || counted.TxFrames == 0 {
		t.Errorf("the port counted %+v", counted)
	}

	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if acks := countACKs(t, filepath.Join(l.options.Records, "lan.pcap")); acks < 2 {
		t.Errorf("the capture has %d DHCP acknowledgements, want at least 2", acks)
	}
}

// watched is the machine's address on the lab's network as it is found out where there is
// no control channel.
func watched(t *testing.T, ctx context.Context, m *Machine) netip.Addr {
	t.Helper()
	g, err := m.current()
	if err != nil {
		t.Fatal(err)
	}
	card, err := m.Card("lan")
	if err != nil {
		t.Fatal(err)
	}
	address, _, err := m.watchAddress(ctx, g, card)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func countACKs(t *testing.T, path string) (acks int) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reader, err := pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	for packet := range gopacket.NewPacketSource(reader, reader.LinkType()).Packets() {
		dhcp, ok := packet.Layer(layers.LayerTypeDHCPv4).(*layers.DHCPv4)
		if !ok {
			continue
		}
		for _, o := range dhcp.Options {
			if o.Type == layers.DHCPOptMessageType && len(o.Data) == 1 && layers.DHCPMsgType(o.Data[0]) == layers.DHCPMsgTypeAck {
				acks++
			}
		}
	}
	return acks
}

func TestTooLittleMemory(t *testing.T) {
	labtest.Parallel(t)
	free, err := host.AvailableMemory()
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t, Config{Machines: []MachineConfig{
		{Name: "one", Image: "mini"}, {Name: "huge", Image: "mini", Memory: free},
	}})
	err = l.Boot(context5(t), l.Machine("one"), l.Machine("huge"))
	if !errors.As(err, new(*EnvironmentError)) || !strings.Contains(err.Error(), "MiB are free") {
		t.Errorf("boot: %v", err)
	}
	if l.Machine("one").Running() {
		t.Error("the machine that would have fitted was started")
	}
}

func TestSessionsOfTheDeadAreSwept(t *testing.T) {
	root := t.TempDir()
	alive, err := openSession(root, "lab.star")
	if err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(root, "other")
	if err := errors.Join(os.MkdirAll(filepath.Join(dead, "sub"), 0o700), os.WriteFile(dead+".lock", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	next, err := openSession(root, "lab.star")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the dead session is still there: %v", err)
	}
	if _, err := os.Stat(alive.dir); err != nil {
		t.Errorf("the living session was swept: %v", err)
	}
	for _, s := range []*session{alive, next} {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
	left, _ := filepath.Glob(filepath.Join(root, "*"))
	if len(left) != 1 || left[0] != filepath.Join(root, "lock") {
		t.Errorf("left behind: %v", left)
	}
}

// When labrun has done its part, viewers may do theirs.
func TestHandOver(t *testing.T) {
	l := &Lab{}
	if (viewerSide{l}).Interactive("debian") {
		t.Error("viewers may type while labrun does")
	}
	l.HandOver()
	if !(viewerSide{l}).Interactive("debian") || (viewerSide{l}).Status().Guided {
		t.Error("viewers may not type, or the run counts as a student's")
	}
}

// A session is called as its mission is, so that a student knows it again.
func TestSessionNames(t *testing.T) {
	root := t.TempDir()
	for _, test := range []struct{ mission, want string }{
		{"labs/perm.star", "perm"}, {"perm.star", "perm-2"}, {"/other/perm.star", "perm-3"}, {"Week 1 (new).star", "week-1-new"}, {"week1", "week1"},
		{"", "lab"}, {"第一週.star", "lab-2"}, {"a-very-long-name-of-a-mission.star", "a-very-long-name-of-a-mi"}, {"../.star", "lab-3"},
	} {
		s, err := openSession(root, test.mission)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.close() })
		if got := filepath.Base(s.dir); got != test.want {
			t.Errorf("%s: the session is called %s, want %s", test.mission, got, test.want)
		}
		if test.want == "perm-2" { // a name that is free again is taken again
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
			if s, err = openSession(root, test.mission); err != nil || filepath.Base(s.dir) != test.want {
				t.Errorf("a name that is free again is not taken: %v", err)
			}
		}
	}
}

func TestDerivedMAC(t *testing.T) {
	seen := map[string]bool{}
	form := regexp.MustCompile(`^52:55:00(:[0-9a-f]{2}){3}$`)
	for i := range 200 {
		mac := derivedMAC(fmt.Sprint("m", i/2), i%2, 0)
		if !form.MatchString(mac) || seen[mac] {
			t.Fatalf("%s is malformed or not unique", mac)
		}
		seen[mac] = true
	}
}
