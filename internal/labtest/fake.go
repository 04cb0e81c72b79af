//go:build linux

package labtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/labtest/fakeqemu"
	"github.com/labrun/labrun/internal/qemu"
)

// Main is the TestMain of a package whose tests have fake machines. With -short no other QEMU is used than the fake,
// so it is put into PATH once and for all, and tests may run side by side.
func Main(m *testing.M) { os.Exit(Tests{m}.Run()) }

// Tests are a package's tests, for a TestMain that has more to do than Main.
type Tests struct{ M *testing.M }

// Run runs the tests and returns the exit status.
func (t Tests) Run() int {
	flag.Parse()
	fake, errFake = program()
	if testing.Short() {
		dir, err := os.MkdirTemp("", "labtest")
		if err == nil {
			defer os.RemoveAll(dir)
			err = setUp(dir, func(name, value string) { os.Setenv(name, value) })
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "labtest:", err)
			return 1
		}
		ready = true
		if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
			parallel.Value.Set("8") // these tests wait more than they compute
		}
	}
	return t.M.Run()
}

var (
	// ready says that QEMU is the fake for all tests.
	ready bool

	// fake is the fake QEMU's program, if there is no error. It is asked for before any test gives itself another home.
	fake    string
	errFake error
)

// program has the go command build the fake QEMU, if its cache has it not yet. It is a program of its own, not the
// test's, because the race detector would make each of its hundreds of starts cost four times as much.
func program() (string, error) {
	out, err := exec.Command("go", "tool", "-n", "qemu").Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = fmt.Errorf("%w: %s", err, failed.Stderr)
	}
	if err != nil {
		return "", fmt.Errorf("build the fake QEMU: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// setUp makes the fake QEMU, with what it needs in dir.
func setUp(dir string, setenv func(name, value string)) error {
	if errFake != nil {
		return errFake
	}
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return err
	}
	if err := fakeqemu.Install(fake, bin); err != nil {
		return err
	}
	setenv("PATH", bin+":"+os.Getenv("PATH"))
	// Else each process that the race detector watches takes a second to end.
	setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0"))
	if testing.CoverMode() != "" && os.Getenv("GOCOVERDIR") == "" {
		setenv("GOCOVERDIR", dir) // else each complains that it has none
	}
	return nil
}

// Parallel lets a test of fake machines run beside others. Without -short there are tests of real machines, each
// of which needs
// the computer for itself.
func Parallel(t *testing.T) {
	t.Helper()
	if ready {
		t.Parallel()
	}
}

// guests are the fake images, with the profiles that images.lock has for the real ones.
var guests = map[string]fakeqemu.Description{
	"debian": {Hostname: "os25", Password: "root", Prompt: `root@\h:\w# `, DHCP: "client"},
	"alpine": {Hostname: "localhost", Password: "root", Prompt: `\h:\w# `, DHCP: "client"},
	"mini":   {Hostname: "localhost", Password: "root", Prompt: `\h:\w# `, DHCP: "client"},
	"router7": {
		Hostname: "router7", Prompt: `\w # `, Folders: []string{"perm/dhcp4d"},
		Names:   map[string]string{"52:55:00:d1:55:03": "uplink0", "52:55:00:d1:55:04": "lan0"},
		Address: map[string]string{"lan0": "10.254.0.1/24"},
		DHCP:    "/perm/dhcp4d/leases.json",
	},
	"crt": {Hostname: "crt", Password: "root", Prompt: `\h:\w# `},
}

// crt is a profile that images.lock does not have: of a machine with a screen, and nothing else.
const crt = `
[images.crt]
summary  = "a machine with a screen"
hostname = "crt"
memory   = 32
cpus     = 1
display  = "vga"
cmdline  = "none"

[images.crt.console]
user            = "root"
password        = "root"
login           = '^[\w.-]+ login: $'
password_prompt = "(^P|'s p)assword: $"
shell           = '^[^\r\n]*[#$] $'
`

// Store opens a cache of fake images, debian, alpine, mini and router7, with the profiles that images.lock has
// for the real
// ones, and crt, a machine with a screen and nothing else. For the rest of the test QEMU is the fake; the package has to
// have Main as its TestMain. See
// [fakeqemu.Faults] for what can go wrong with a machine. A test on a computer that cannot confine guests is skipped.
func Store(t testing.TB) *image.Store {
	t.Helper()
	store, err := image.Open(Options(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// Options are those of Store, for a test that opens one by itself, or more than one of the same folder.
func Options(t testing.TB) image.StoreOptions {
	t.Helper()
	if err := fakeqemu.Possible(); err != nil {
		t.Skip(err)
	}
	if !ready {
		if err := setUp(t.TempDir(), t.Setenv); err != nil {
			t.Fatal(err)
		}
	}
	recipes := fstest.MapFS{}
	for name, guest := range guests {
		description, err := json.Marshal(guest)
		if err != nil {
			t.Fatal(err)
		}
		script := fmt.Sprintf("cat >\"$OUT/vmlinuz\" <<'EOF'\n%s\nEOF\necho new >\"$OUT/disk.img\"\n", description)
		recipes[name+"/build"] = &fstest.MapFile{Data: []byte(script)}
	}
	lock, err := image.ParseLock(fakeLock())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := noKVM(dir); err != nil {
		t.Fatal(err)
	}
	return image.StoreOptions{Dir: dir, Lock: lock, Recipes: recipes}
}

// Cache returns a folder for LABRUN_CACHE in which the fake images are, as if a user had added them. So the
// program itself
// has fake machines while the test runs. With --lock images.lock of that folder it saves them, too.
func Cache(t testing.TB) string {
	t.Helper()
	o := Options(t)
	store, err := image.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for name := range guests {
		img, err := store.Ensure(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		made := filepath.Dir(img.Kernel)
		// It is read-only, and only who may write to a folder may move it.
		if err := errors.Join(os.Chmod(made, 0o755), os.Rename(made, filepath.Join(o.Dir, "added", name))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(o.Dir, "images.lock"), fakeLock(), 0o600); err != nil {
		t.Fatal(err)
	}
	return o.Dir
}

// fakeLock is images.lock with other sources: each image comes from its fake recipe; those that have none are left out. And a fake is saved whatever its
// terminal is like, because its prompts are those of shell scripts, which read whole lines, and whatever the computer is at, whose load average it has.
func fakeLock() []byte {
	const savable = "savable = 'true'\nwired = 'true'\n"
	var lock bytes.Buffer
	left := false
	for line := range strings.Lines(string(labrun.ImagesLock)) {
		if table, ok := strings.CutPrefix(line, "[images."); ok {
			name, _, _ := strings.Cut(strings.TrimSpace(table), ".")
			_, faked := guests[strings.TrimSuffix(name, "]")]
			left = !faked
		} else if strings.HasPrefix(line, "[[images.") {
			left = true
		}
		if left {
			continue
		}
		lock.WriteString(line)
		if strings.HasSuffix(line, ".guest]\n") {
			lock.WriteString(savable)
		}
	}
	lock.WriteString(crt)
	for name := range guests {
		fmt.Fprintf(&lock, "\n[[images.%s.sources]]\nrecipe = %q\n", name, name)
		if table := "[images." + name + ".guest]\n"; !bytes.Contains(labrun.ImagesLock, []byte(table)) {
			lock.WriteString(table + savable)
		}
	}
	return lock.Bytes()
}

// noKVM writes the verdict that a fake is to run without KVM, whatever the computer has.
func noKVM(dir string) error {
	verdict, err := json.Marshal(qemu.Verdict{Accel: qemu.TCG, Reason: "QEMU is a fake", Boot: host.BootID()})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "accel.json"), verdict, 0o600)
}
