package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"
)

// fakeGuest is a machine that answers by what it is asked, and has its disk in dir.
type fakeGuest struct {
	dir      string
	programs []string // after its packages are there
	setup    func() (string, int, error)
	asked    []string
	closed   atomic.Bool
}

func (g *fakeGuest) Run(_ context.Context, command string, _ time.Duration) (string, int, error) {
	g.asked = append(g.asked, command)
	switch _, word, _ := strings.Cut(command, "/guest "); word {
	case "programs":
		return "ls\nsh\n" + strings.Join(g.programs, "\n"), 0, nil
	case "packages":
		g.programs = []string{"sudo", "x86_64-linux-gnu-sudo"}
	case "setup":
		if g.setup != nil {
			return g.setup()
		}
	}
	return "", 0, nil
}

func (g *fakeGuest) Plug(_ context.Context, disk string) error {
	_, err := os.Stat(disk)
	return err
}

func (g *fakeGuest) Finish(ctx context.Context) (string, error) {
	path := filepath.Join(g.dir, "overlay")
	return path, exec.CommandContext(ctx, "qemu-img", "create", "-q", "-f", "qcow2", path, "1M").Run()
}

func (g *fakeGuest) Close() error {
	if g.closed.Swap(true) {
		return errors.New("closed twice")
	}
	return nil
}

// deriving is a store with the image tiny, of which others can be made by g; a nil g boots nothing.
func deriving(t *testing.T, g *fakeGuest, n *notes) *Store {
	t.Helper()
	text := goodLock[:strings.Index(goodLock, "[[images.box.sources]]")] + "[[images.box.sources]]\nrecipe = \"tiny\"\ndebian = \"bookworm\"\nspace = 1\n"
	l, err := ParseLock([]byte(strings.Replace(text, "[images.box]", "[images.box]\nhas = [\"dpkg\", \"ls\"]\nlacks = [\"sudo\"]", 1)))
	if err != nil {
		t.Fatal(err)
	}
	recipes := fstest.MapFS{
		"tiny/build":   {Data: []byte(`echo kernel >"$OUT/vmlinuz"; echo disk >"$OUT/disk.img"`)},
		"derive/build": {Data: []byte(`cat "$INPUT_PARTS"/* >"$OUT/media.img"`)},
		"derive/guest": {Data: []byte("true")},
	}
	g.dir = t.TempDir()
	return open(t, StoreOptions{Lock: l, Recipes: recipes, Progress: n.add, Boot: func(context.Context, *Store, *Image) (Guest, error) {
		g.closed.Store(false)
		return g, nil
	}})
}

// lab is a derivation of box with a file and a script.
func lab(t *testing.T, script string) *Derivation {
	t.Helper()
	d := &Derivation{From: "box", Packages: []string{"sudo"}, Files: &Tree{}, Setup: &Setup{Name: "install.sh", Text: []byte(script)}}
	if err := d.Files.Add(fstest.MapFS{"pack/a": {Data: []byte("text"), Mode: 0o644}}, "pack", "/opt/lab", ""); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDerive(t *testing.T) {
	g, n := &fakeGuest{}, &notes{}
	s := deriving(t, g, n)
	name, err := s.Derive(lab(t, "true"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := s.Ensure(within(t), name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(name, "box-with-") || img.DiskFormat != "qcow2" || img.Kernel == "" || !g.closed.Load() {
		t.Errorf("got %s, %+v", name, img)
	}
	if fmt.Sprint(img.Has, img.Lacks) != "[dpkg ls sudo] []" {
		t.Errorf("it has %v and lacks %v", img.Has, img.Lacks)
	}
	asked := len(g.asked)
	if _, err := s.Ensure(within(t), name); err != nil || len(g.asked) != asked {
		t.Errorf("made again: %v", err)
	}

	// What is known of it without the mission, and what GC keeps.
	again := open(t, StoreOptions{Dir: s.Dir(), Lock: s.lock, Recipes: s.recipes})
	found, ok := again.Cached(name)
	if !ok || found.Digest != img.Digest || found.Summary != "box with sudo, files in /opt/lab, what install.sh does" {
		t.Errorf("cached: %v, %+v", ok, found)
	}
	if err := again.Verify(within(t), name); err != nil {
		t.Error(err)
	}
	list, err := again.List(within(t))
	if err != nil || len(list) != 2 || list[1].Name != name || list[1].Image == nil {
		t.Errorf("list: %v, %+v", err, list)
	}
	for _, c := range []struct {
		age  time.Duration
		kept bool
	}{{time.Hour, true}, {2 * derivedLasts, false}} {
		s.Close()
		again.Close()
		used := time.Now().Add(-c.age)
		if err := os.Chtimes(filepath.Dir(img.Disk), used, used); err != nil {
			t.Fatal(err)
		}
		r, err := again.GC(within(t))
		if _, missing := os.Stat(img.Disk); err != nil || (missing == nil) != c.kept {
			t.Errorf("unused for %v: %v, %+v", c.age, err, r)
		}
	}
}

// TestDeriveKeys: all that goes into an image is in its name, and what does not matter is not.
func TestDeriveKeys(t *testing.T) {
	s := deriving(t, &fakeGuest{}, &notes{})
	names := map[string]string{}
	for what, change := range map[string]func(*Derivation){
		"nothing": func(*Derivation) {},
		"package": func(d *Derivation) { d.Packages = append(d.Packages, "gcc") },
		"version": func(d *Derivation) { d.Packages[0] = "sudo=1" },
		"script":  func(d *Derivation) { d.Setup.Text = []byte("false") },
		"file": func(d *Derivation) {
			d.Files.Add(fstest.MapFS{"b": {Data: []byte("text"), Mode: 0o644}}, "b", "/b", "")
		},
		"mode": func(d *Derivation) {
			d.Files.Add(fstest.MapFS{"b": {Data: []byte("text"), Mode: 0o755}}, "b", "/b", "")
		},
		"owner": func(d *Derivation) {
			d.Files.Add(fstest.MapFS{"b": {Data: []byte("text"), Mode: 0o755}}, "b", "/b", "daemon")
		},
	} {
		d := lab(t, "true")
		change(d)
		name, err := s.Derive(d)
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := names[name]; taken {
			t.Errorf("%s and %s: both are %s", what, other, name)
		}
		names[name] = what
	}
	twice := lab(t, "true")
	twice.Packages = []string{"sudo", "sudo"}
	if name, _ := s.Derive(twice); names[name] != "nothing" {
		t.Error("a package that is said twice makes another image")
	}
}

// TestDeriveFailures: what fails leaves nothing, says why, and is tried again.
func TestDeriveFailures(t *testing.T) {
	cut, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, c := range []struct {
		name  string
		ctx   context.Context
		setup func() (string, int, error)
		want  []string
	}{
		{"script", t.Context(), func() (string, int, error) { return strings.Repeat("line\n", 99) + "no such user\n", 3, nil }, []string{
			"run install.sh: exit status 3\n    line", "\n    no such user\n", "all that was said is in",
		}},
		{"silent script", t.Context(), func() (string, int, error) { return "", 1, nil }, []string{"exit status 1, and it said nothing"}},
		{"crash", t.Context(), func() (string, int, error) { return "", 0, errors.New("the guest is gone") }, []string{"run install.sh: the guest is gone"}},
		{"interrupt", cut, func() (string, int, error) { cancel(); return "", 0, cut.Err() }, []string{"canceled"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &fakeGuest{setup: c.setup}
			s := deriving(t, g, &notes{})
			name, err := s.Derive(lab(t, "true"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Ensure(c.ctx, name)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant %q", err, want)
				}
			}
			if err != nil && strings.Count(err.Error(), "line") > saidTail {
				t.Errorf("too much is told: %v", err)
			}
			left, _ := filepath.Glob(filepath.Join(s.Dir(), "work", "*"))
			made, _ := filepath.Glob(filepath.Join(s.Dir(), "builds", "*-with-*"))
			if len(left)+len(made) != 0 || !g.closed.Load() {
				t.Errorf("left: %v, %v; the machine has ended: %v", left, made, g.closed.Load())
			}
			g.setup = nil
			if _, err := s.Ensure(within(t), name); err != nil {
				t.Errorf("again: %v", err)
			}
		})
	}
}

// TestDeriveSideBySide: two that want the same make it once.
func TestDeriveSideBySide(t *testing.T) {
	g := &fakeGuest{}
	s := deriving(t, g, &notes{})
	name, err := s.Derive(lab(t, "true"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for range 2 {
		go func() {
			_, err := s.Ensure(within(t), name)
			done <- err
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(strings.Join(g.asked, "\n"), "/guest setup"); n != 1 {
		t.Errorf("made %d times", n)
	}
}

func TestNotDerivable(t *testing.T) {
	s := deriving(t, &fakeGuest{}, &notes{})
	for _, c := range []struct {
		name   string
		change func(*entry)
		want   string
	}{
		{"no channel", func(e *entry) { e.Profile.Control = "" }, "no image can be made of box: labrun has no control channel"},
		{"a disk", func(e *entry) { e.Sources = []source{{File: "a.img"}} }, "has no control channel"},
		{"memory only", func(e *entry) { e.Browser = true }, "it has no disk"},
		{"other processor", func(e *entry) { e.Arch = "riscv64" }, "it has no disk"},
		{"no packages", func(e *entry) { e.Has = nil }, "box cannot take packages"},
		{"odd name", func(e *entry) {}, `package "gcc;reboot": want a name`},
	} {
		e, _ := s.entry("box")
		c.change(&e)
		d := lab(t, "true")
		if c.name == "odd name" {
			d.Packages = []string{"gcc;reboot"}
		}
		if err := e.derivable(d); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// TestPackageNames: where the names of packages are known, a typing error is told.
func TestPackageNames(t *testing.T) {
	s := deriving(t, &fakeGuest{}, &notes{})
	t.Setenv("LABRUN_CACHE", s.Dir())
	s.keepNames("bookworm", []byte("diod\ngcc\nlsof\nsudo\n"))
	for names, want := range map[string]string{
		"sudo": "", "gcc=4:12.2.0-3": "", "suod": "Debian bookworm has no package suod (did you mean sudo?)",
		"emacs": "Debian bookworm has no package emacs",
	} {
		err := checkNames("bookworm", []string{names})
		if got := fmt.Sprint(err); err == nil && want != "" || err != nil && got != want {
			t.Errorf("%s: got %v, want %q", names, err, want)
		}
	}
}
