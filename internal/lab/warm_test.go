package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/qemu"
)

// freshStore is a cache with the user's images and no templates.
func freshStore(t *testing.T) *image.Store {
	t.Helper()
	users := openStore(t)
	if testing.Short() {
		return users // it is the test's own
	}
	for _, name := range []string{"router7", "debian", "mini"} {
		if _, err := users.Ensure(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(users.Dir(), "builds"), filepath.Join(dir, "builds")); err != nil {
		t.Fatal(err)
	}
	if verdict, err := os.ReadFile(filepath.Join(users.Dir(), "accel.json")); err == nil {
		if err := os.WriteFile(filepath.Join(dir, "accel.json"), verdict, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return openAt(t, dir)
}

func openAt(t *testing.T, dir string) *image.Store {
	t.Helper()
	var options image.StoreOptions
	if testing.Short() {
		options = labtest.Options(t)
	} else {
		lock, err := image.ParseLock(labrun.ImagesLock)
		if err != nil {
			t.Fatal(err)
		}
		options = image.StoreOptions{Lock: lock, Recipes: labrun.Images(), Mirror: os.Getenv("LABRUN_MIRROR")}
	}
	options.Dir = dir
	store, err := image.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// told collects what a lab tells.
type told struct {
	event.Log
	mu       sync.Mutex
	notices  []string
	machines map[string]string // state and detail, by name
}

func listen() *told {
	l := &told{machines: map[string]string{}}
	l.Attach(func(r event.Record) {
		l.mu.Lock()
		defer l.mu.Unlock()
		switch e := r.Event.(type) {
		case event.Notice:
			// A crash is QEMU's fault, as panicked says, and no test's.
			if !strings.Contains(e.Text, "emulation") && !strings.Contains(e.Text, "stand-in") && !strings.Contains(e.Text, "crashed while") {
				l.notices = append(l.notices, e.Text)
			}
		case event.Machine:
			l.machines[e.Name] += " " + e.State + e.Detail
		}
	})
	return l
}

func (l *told) all() (notices, machines string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.notices, "\n"), fmt.Sprint(l.machines)
}

var oneRouter = Config{Networks: []string{"lan"}, Machines: []MachineConfig{
	{Name: "router7", Image: "router7", NICs: []NICConfig{{Uplink: true}, {Network: "lan"}}},
}}

// booted boots a lab's first machine and waits for its prompt. No template comes of a
// boot in which the kernel crashed: then it is made once more.
func booted(t *testing.T, c Config, store *image.Store) (*Lab, *Machine, *told) {
	t.Helper()
	ctx := context5(t)
	news := listen()
	for {
		l := newLabWith(t, c, Options{Store: store, Events: &news.Log, Records: t.TempDir()})
		m := l.Machines()[0]
		if err := l.Boot(ctx, m); err != nil {
			t.Fatal(err)
		}
		if _, err := m.WaitPrompt(ctx); err != nil {
			t.Fatal(err)
		}
		g, err := m.current()
		if err != nil {
			t.Fatal(err)
		}
		if !g.restarted.Load() {
			return l, m, news
		}
		t.Log("its kernel crashed while it started: once more")
		l.Close()
	}
}

// connected checks that a router has the network it has after an ordinary boot.
func connected(t *testing.T, m *Machine) {
	t.Helper()
	ctx := context5(t)
	if addr, err := m.Address(ctx, "lan"); err != nil || addr.String() != "10.254.0.1" {
		t.Errorf("its address is %v, %v", addr, err)
	}
	r, err := m.Run(ctx, "ip -o link; cat /sys/class/net/uplink0/address /sys/class/net/lan0/address", time.Minute)
	if err != nil || !strings.Contains(r.Stdout, "52:55:00:d1:55:03\n52:55:00:d1:55:04\n") {
		t.Errorf("its cards: %+v, %v", r, err)
	}
}

// usable checks a router that labrun has switched on: its network, and its clock.
func usable(t *testing.T, m *Machine) {
	t.Helper()
	connected(t, m)
	ctx := context5(t)
	const date = "date +%s"
	before := time.Now().Unix()
	r, err := m.Run(ctx, date, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	after := time.Now().Unix()
	if now, err := strconv.ParseInt(strings.TrimSpace(r.Stdout), 10, 64); err != nil || now < before-1 || now > after+1 {
		t.Errorf("its clock says %s, between %d and %d of the host's", r.Stdout, before, after)
	}
}

func countTemplates(t *testing.T, store *image.Store) int {
	t.Helper()
	list, err := store.Templates()
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestTemplateLife makes a template by an ordinary first boot and starts from it.
func TestTemplateLife(t *testing.T) {
	labtest.Parallel(t)
	store := freshStore(t)
	l, router, news := booted(t, oneRouter, store)
	usable(t, router)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if notices, machines := news.all(); notices != "" || strings.Contains(machines, "warm") {
		t.Errorf("the first boot told %q, %s", notices, machines)
	}
	if n := countTemplates(t, store); n != 2 {
		t.Fatalf("%d templates after the first boot", n)
	}

	l, router, news = booted(t, oneRouter, store)
	usable(t, router)
	if notices, machines := news.all(); notices != "" || machines != "map[router7: bootingwarm readywarm]" {
		t.Errorf("the second boot told %q, %s", notices, machines)
	}
	c, err := router.Console()
	if err != nil {
		t.Fatal(err)
	}
	if text := c.Since(0); !strings.Contains(text, "Linux version") || !strings.HasSuffix(text, "# ") {
		t.Errorf("the console's text has no boot messages or ends otherwise: %q", c.Tail(3))
	}
	ctx := context5(t)
	if err := router.WriteFile(ctx, "/root/kept", []byte("still here"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := router.Run(ctx, "sync", time.Minute); err != nil || r.Status != 0 {
		t.Fatal(r, err)
	}
	router.stop()
	if err := l.Boot(ctx, router); err != nil {
		t.Fatal(err)
	}
	if data, err := router.ReadFile(ctx, "/root/kept"); err != nil || string(data) != "still here" {
		t.Errorf("after a power cut the file holds %q, %v", data, err)
	}
	usable(t, router)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cast, err := os.ReadFile(filepath.Join(l.options.Records, "router7.cast"))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?s)"m", "recorded.*Linux version.*"m", "live"`).Match(cast) {
		t.Error("the transcript does not tell what is recorded from what is live")
	}

	if l, router, news = booted(t, oneRouter, store); news.machines["router7"] != " bootingwarm readywarm" {
		t.Errorf("the third boot told %q", news.machines)
	}
	// What the guest resets it does by itself, cards and all.
	c, err = router.Console()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(ctx, "reboot -f\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Expect(ctx, console.Text("Linux version")); err != nil {
		t.Fatal(err)
	}
	if _, err := router.WaitPrompt(ctx); err != nil {
		t.Fatal(err)
	}
	connected(t, router) // its clock is its own affair
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestTemplateKey changes one thing after the other that a saved state depends on.
func TestTemplateKey(t *testing.T) {
	machine := func() *Machine {
		return &Machine{
			lab: &Lab{
				hosts: map[string]qemu.Platform{"x86_64": {Description: "QEMU 7\nEPYC\n"}},
				accel: qemu.Verdict{Accel: qemu.TCG},
			},
			config: MachineConfig{Name: "one", Memory: 128, CPUs: 2, NICs: []NICConfig{{Network: "lan"}}},
			macs:   []string{"52:55:00:00:00:01"}, profile: image.Profile{Cmdline: "quiet", Control: "ttyS1"},
			image: &image.Image{
				Profile: image.Profile{Name: "mini"}, Digest: "abc", Kernel: "/cache/a/vmlinuz", Disk: "/cache/a/disk.img",
			},
		}
	}
	bare, wired := machine().templateKey(false), machine().templateKey(true)
	if !regexp.MustCompile(`^mini-[0-9a-f]{16}$`).MatchString(bare) || wired == bare {
		t.Errorf("the keys are %q and %q", bare, wired)
	}
	// others are the keys that a change leads to.
	others := func(change func(*Machine)) (otherBare, otherWired bool) {
		m := machine()
		change(m)
		return m.templateKey(false) != bare, m.templateKey(true) != wired
	}
	for what, change := range map[string]func(*Machine){
		"QEMU":               func(m *Machine) { m.lab.hosts["x86_64"] = qemu.Platform{Description: "QEMU 8\nEPYC\n"} },
		"the processor":      func(m *Machine) { m.lab.hosts["x86_64"] = qemu.Platform{Description: "QEMU 7\nXeon\n"} },
		"the accelerator":    func(m *Machine) { m.lab.accel.Accel = qemu.KVM },
		"the memory":         func(m *Machine) { m.config.Memory++ },
		"the CPUs":           func(m *Machine) { m.config.CPUs++ },
		"the image":          func(m *Machine) { m.image.Digest = "abd" },
		"the command line":   func(m *Machine) { m.profile.Cmdline = "quiet debug" },
		"an initramfs":       func(m *Machine) { m.image.Initrd = "/cache/a/initrd" },
		"the first prompt":   func(m *Machine) { m.profile.Console.LoginPrompt = regexp.MustCompile("login: $") },
		"when it is saved":   func(m *Machine) { m.profile.Guest.Savable = "true" },
		"no control channel": func(m *Machine) { m.profile.Control = "" },
	} {
		if b, w := others(change); !b || !w {
			t.Errorf("with %s changed a key is the same: %v, %v", what, b, w)
		}
	}
	for what, change := range map[string]func(*Machine){
		"its cards": func(m *Machine) {
			m.config.NICs, m.macs = append(m.config.NICs, NICConfig{}), append(m.macs, "52:55:00:00:00:02")
		},
		"a card's address": func(m *Machine) { m.macs[0] = "52:55:00:00:00:02" },
		"an uplink":        func(m *Machine) { m.config.NICs[0].Uplink = true },
		"its hostname":     func(m *Machine) { m.config.Hostname = "desk" },
		"how it looks":     func(m *Machine) { m.profile.Guest.Cards = "look" },
	} {
		if b, w := others(change); b || !w {
			t.Errorf("with %s changed the bare key is another one: %v; the wired one: %v", what, b, w)
		}
	}
	for what, change := range map[string]func(*Machine){
		"its name":        func(m *Machine) { m.config.Name = "two" },
		"its network":     func(m *Machine) { m.config.NICs[0].Network = "dmz" },
		"the cache moved": func(m *Machine) { m.image.Kernel = "/elsewhere/vmlinuz" },
	} {
		if b, w := others(change); b || w {
			t.Errorf("with %s changed a key is another one: %v, %v", what, b, w)
		}
	}
}

// TestOtherQEMU: what only looks like the QEMU that a state was saved by is another one.
func TestOtherQEMU(t *testing.T) {
	real, err := exec.LookPath(qemu.Arches[0].Binary)
	if err != nil {
		if testing.Short() {
			t.Skip("needs QEMU: run without -short")
		}
		t.Fatal(err)
	}
	before, err := qemu.Host(t.Context(), qemu.Arches[0], qemu.TCG)
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, qemu.Arches[0].Binary), fmt.Appendf(nil, "#!/bin/sh\nexec %s \"$@\"\n", real), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	if after, err := qemu.Host(t.Context(), qemu.Arches[0], qemu.TCG); err != nil || after.Description == before.Description {
		t.Errorf("a program of the same name that runs it is described alike: %q, %v", after.Description, err)
	}
}

// TestTemplateFitsAnyCards: a bare template is of use to a machine with other cards than
// that which it was made of, with and without an uplink.
func TestTemplateFitsAnyCards(t *testing.T) {
	labtest.Parallel(t)
	store := freshStore(t)
	alone := Config{Machines: []MachineConfig{{Name: "router7", Image: "router7"}}}
	l, _, _ := booted(t, oneRouter, store)
	l.Close()
	for _, c := range []Config{alone, oneRouter} {
		l, router, news := booted(t, c, store)
		if len(c.Networks) > 0 {
			usable(t, router)
		}
		l.Close()
		if notices, machines := news.all(); notices != "" || !strings.Contains(machines, "readywarm") {
			t.Errorf("with the cards %v it told %q, %s", c.Machines[0].NICs, notices, machines)
		}
	}
}

// TestUselessTemplate gives a machine a template that is intact and holds
// nonsense: it boots, and makes a better one.
func TestUselessTemplate(t *testing.T) {
	labtest.Parallel(t)
	store := freshStore(t)
	l := newLabWith(t, oneRouter, Options{Store: store})
	ctx := context5(t)
	if err := l.Prepare(ctx); err != nil {
		t.Fatal(err)
	}
	m := l.Machines()[0]
	draft, err := store.NewTemplate(ctx, "router7", m.templateKey(false), 1, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.image.Overlay(ctx, filepath.Join(draft.Dir(), qemu.SavedDisk)); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int64{qemu.SavedMemory: 128 << 20, qemu.SavedState: 100_000, templateConsole: 10} {
		path := filepath.Join(draft.Dir(), name)
		if err := errors.Join(os.WriteFile(path, []byte("nonsense"), 0o600), os.Truncate(path, size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := draft.Keep(ctx, m.image, ""); err != nil {
		t.Fatal(err)
	}
	l.Close()
	for range 2 {
		l, router, news := booted(t, oneRouter, store)
		usable(t, router)
		l.Close()
		if notices, machines := news.all(); !strings.Contains(machines, "warm") && strings.Count(notices, "boots cold, because its saved state was of no use") != 1 {
			t.Errorf("it told %q, %s", notices, machines)
		}
	}
	if _, machines := listenOnce(t, store); !strings.Contains(machines, "warm") {
		t.Error("no better template was made")
	}
}

func listenOnce(t *testing.T, store *image.Store) (notices, machines string) {
	t.Helper()
	l, _, news := booted(t, oneRouter, store)
	l.Close()
	return news.all()
}

// TestTwoMakers boots the same machine in two labs at once: one makes the
// template, and neither waits for the other.
func TestTwoMakers(t *testing.T) {
	labtest.Parallel(t)
	for !twoMakers(t) {
		t.Log("a kernel crashed while it started: once more")
	}
}

// twoMakers is one try; it reports whether no kernel crashed, which makes no template.
func twoMakers(t *testing.T) (sound bool) {
	t.Helper()
	store := freshStore(t)
	var both sync.WaitGroup
	var crashed atomic.Bool
	for range 2 {
		own := openAt(t, store.Dir())
		both.Go(func() {
			l, err := New(oneRouter, Options{Store: own})
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Close()
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := l.Boot(ctx, l.Machines()...); err != nil {
				t.Error(err)
			} else if addr, err := l.Machines()[0].Address(ctx, "lan"); err != nil {
				t.Error(addr, err)
			} else if g, err := l.Machines()[0].current(); err == nil && g.restarted.Load() {
				crashed.Store(true)
			}
		})
	}
	both.Wait()
	if n := countTemplates(t, store); n != 2 && !crashed.Load() {
		t.Errorf("there are %d templates", n)
	}
	return !crashed.Load()
}

// A person who types at a machine before its first prompt neither gets into its template
// nor keeps it from being made; what they typed is passed on then.
func TestTypedWhileSaved(t *testing.T) {
	labtest.Parallel(t)
	store := freshStore(t)
	ctx := context5(t)
	news := listen()
	l := newLabWith(t, oneRouter, Options{Store: store, Events: &news.Log, Interactive: true})
	m := l.Machines()[0]
	if err := l.Boot(ctx, m); err != nil {
		t.Fatal(err)
	}
	terminal, err := m.Console()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"", "echo typed $((40 + 2))"} {
		if err := terminal.Relay(ctx, []byte(line+"\r")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := terminal.Expect(ctx, console.Text("typed 42")); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil { // it waits for the template to be kept
		t.Error(err)
	}
	if notices, _ := news.all(); countTemplates(t, store) != 2 || strings.Contains(notices, "could not be saved") {
		t.Errorf("%d templates; notices: %s", countTemplates(t, store), notices)
	}
	if _, warm, _ := booted(t, oneRouter, store); strings.Contains(warm.guest.console.Tail(20), "typed") {
		t.Errorf("what was typed is in the template:\n%s", warm.guest.console.Tail(20))
	}
}

// TestCannotBeSaved spoils the saving in its middle: a folder is in the memory's place.
func TestCannotBeSaved(t *testing.T) {
	labtest.Parallel(t)
	store := freshStore(t)
	ctx := context5(t)
	news := listen()
	l := newLabWith(t, oneRouter, Options{Store: store, Events: &news.Log})
	router := l.Machines()[0]
	if err := l.Boot(ctx, router); err != nil {
		t.Fatal(err)
	}
	drafts, err := filepath.Glob(filepath.Join(store.Dir(), "work", "router7-*"))
	if err != nil || len(drafts) != 2 {
		t.Fatalf("the drafts are %v, %v", drafts, err)
	}
	for _, draft := range drafts {
		if err := os.Mkdir(filepath.Join(draft, qemu.SavedMemory), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	usable(t, router)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if notices, _ := news.all(); !strings.Contains(notices, "router7 will boot next time, too, because its state could not be saved: ") || !strings.Contains(notices, "is a directory") {
		t.Errorf("it told %q", notices)
	}
	if left, _ := os.ReadDir(filepath.Join(store.Dir(), "work")); len(left) != 0 || countTemplates(t, store) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestInterruptedWhileSaving ends a lab before its machine is at a prompt.
func TestInterruptedWhileSaving(t *testing.T) {
	labtest.Parallel(t)
	store := freshStore(t)
	l := newLabWith(t, oneRouter, Options{Store: store})
	if err := l.Boot(context5(t), l.Machines()...); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Join(store.Dir(), "work")); len(left) != 0 || countTemplates(t, store) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
