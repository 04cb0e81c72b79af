package attach

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/event"
)

// bench is a lab of one machine, debian, whose guest is played by the test.
type bench struct {
	t        *testing.T
	folder   string
	server   *Server
	watching bool // labrun itself types
	permit   bool
	title    string // empty: Lab

	mu      sync.Mutex
	console *console.Console
	guest   net.Conn
	changed chan struct{}
	sizes   []size
	stopped bool
	screens chan net.Conn // QEMU's ends of the screen's viewers; nil: the machine has none

	invited atomic.Bool // the guest may type

	wire

	events  event.Log
	command func(ctx context.Context, word, text string, number int) error // of a run with a student
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, folder: t.TempDir(), changed: make(chan struct{})}
	server, err := Serve(b.folder, b)
	if err != nil {
		t.Fatal(err)
	}
	b.server = server
	t.Cleanup(func() {
		server.Close()
		b.off()
	})
	return b
}

func (b *bench) Names() []string         { return []string{"debian"} }
func (b *bench) Consoles() []string      { return b.Names() }
func (b *bench) Interactive(string) bool { return !b.watching }
func (b *bench) Status() Status {
	return Status{PID: os.Getpid(), Title: cmp.Or(b.title, "Lab"), Machines: []MachineStatus{{Name: "debian", On: true, Screen: b.screens != nil}}}
}
func (b *bench) Events() *event.Log { return &b.events }

func (b *bench) Command(ctx context.Context, word, text string, number int) error {
	if b.command == nil {
		return ErrNoStudent
	}
	return b.command(ctx, word, text, number)
}

func (b *bench) Stop() {
	b.mu.Lock()
	b.stopped = true
	b.mu.Unlock()
	go b.server.Close()
}

func (b *bench) Invited() bool { return b.invited.Load() }

func (b *bench) PowerOn(context.Context, string) error {
	if !b.permit {
		return ErrNotYet
	}
	b.on()
	return nil
}

func (b *bench) Hold(context.Context, string, Page) error { return nil }
func (b *bench) Resize(_ context.Context, _ string, columns, rows int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sizes = append(b.sizes, size{columns, rows})
}

func (b *bench) Await(ctx context.Context, _ string, other *console.Console, wait bool) (*console.Console, error) {
	for {
		b.mu.Lock()
		c, changed := b.console, b.changed
		b.mu.Unlock()
		if c != nil && c != other || !wait {
			if c == other {
				c = nil
			}
			return c, ctx.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (b *bench) Screen(ctx context.Context, machine string) (Display, error) {
	if b.screens == nil {
		return Display{}, ErrNoScreen
	}
	c, err := b.Await(ctx, machine, nil, true)
	if err != nil {
		return Display{}, err
	}
	ours, theirs := net.Pipe()
	b.screens <- theirs
	return Display{RFB: ours, Console: c, Press: func(_ context.Context, press func() error) error { return press() }, Touched: func() {}}, nil
}

// on switches the machine on: it has a new console.
func (b *bench) on() {
	near, far := net.Pipe()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.guest = far
	b.console = console.New(near, console.Options{Name: "debian", Prompts: console.Prompts{Shell: regexp.MustCompile(`^# $`)}})
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *bench) off() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.console != nil {
		b.guest.Close()
		b.console.Close()
		b.console = nil
	}
}

func (b *bench) print(text string) {
	b.t.Helper()
	if _, err := io.WriteString(b.guest, text); err != nil {
		b.t.Error(err)
	}
}

// typed reads n bytes that came to the guest.
func (b *bench) typed(n int) string {
	b.t.Helper()
	data := make([]byte, n)
	b.guest.SetReadDeadline(time.Now().Add(10 * time.Minute))
	if _, err := io.ReadFull(b.guest, data); err != nil {
		b.t.Error(err)
	}
	return string(data)
}

// seat is one viewer.
type seat struct {
	t      *testing.T
	typing *io.PipeWriter
	cancel context.CancelFunc
	ended  chan error

	mu   sync.Mutex
	text bytes.Buffer
	read int
}

func (s *seat) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *seat) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// sees waits for text after what it saw last.
func (s *seat) sees(text string) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Minute); ; time.Sleep(2 * time.Millisecond) {
		if at := strings.Index(s.String()[s.read:], text); at >= 0 {
			s.read += at + len(text)
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the viewer never sees %q, only %q", text, s.String()[s.read:])
		}
	}
}

func (s *seat) types(keys string) {
	s.t.Helper()
	if _, err := io.WriteString(s.typing, keys); err != nil {
		s.t.Error(err)
	}
}

func (b *bench) sit(language string) *seat {
	ctx, cancel := context.WithCancel(b.t.Context())
	in, typing := io.Pipe()
	s := &seat{t: b.t, typing: typing, cancel: cancel, ended: make(chan error, 1)}
	go func() { s.ended <- View(ctx, b.folder, "debian", Terminal{In: in, Out: s, Language: language}) }()
	b.t.Cleanup(func() { cancel(); typing.Close() })
	return s
}

func TestViewing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.on()
	b.print("said before\r\n# ")
	one, two := b.sit("en"), b.sit("en")
	for _, s := range []*seat{one, two} {
		s.sees("[labrun: this is the console of debian. Ctrl-] leaves it; the machine goes on]")
		s.sees("said before\r\n# ")
	}
	one.types("ls\r")
	if got := b.typed(3); got != "ls\r" {
		t.Errorf("the guest got %q", got)
	}
	b.print("ls\r\nbin\r\n# ")
	one.sees("bin")
	two.sees("bin") // all see all
	if line := b.console.LastLine(); line.Text != "ls" {
		t.Errorf("the console knows the line %+v", line)
	}
	one.types("x\x1dlost")
	one.sees("you have left debian, which goes on; `labrun attach debian` comes back")
	if err := <-one.ended; err != nil {
		t.Error(err)
	}
	if got := b.typed(1); got != "x" {
		t.Errorf("the guest got %q", got)
	}
	two.types("y")
	if got := b.typed(1); got != "y" {
		t.Errorf("what follows the detach key went to the guest: %q", got)
	}
	b.server.Close()
	two.sees("[labrun: the lab has ended]")
	if err := <-two.ended; err != nil {
		t.Error(err)
	}
}

// A terminal's answers to a guest's questions would be typed at the guest.
func TestQuestionsAreNotPassedOn(t *testing.T) {
	t.Parallel()
	for _, parts := range [][]string{{"a\x1b[6nb\x1b[1mc\x1b[?1;2cd\x1b"}, strings.Split("a\x1b[6nb\x1b[1mc\x1b[?1;2cd\x1b", "")} {
		var f filter
		got := ""
		for _, part := range parts {
			got += string(f.pass([]byte(part)))
		}
		if got != "ab\x1b[1mcd" {
			t.Errorf("of %q passed %q", parts, got)
		}
	}
}

func TestPower(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.sit("en")
	s.sees("debian is off. Enter switches it on")
	s.types("x")
	s.types("\r")
	s.sees("it is not time for debian yet")
	b.permit = true
	s.types("\r")
	s.sees("debian is on; it boots now")
	b.print("hello\r\n")
	s.sees("hello")
	b.off()
	s.sees("debian was switched off. Enter switches it on again")
	s.types("\r")
	s.sees("debian is on")
	b.print("hello again")
	s.sees("hello again")
	zh := b.sit("zh-TW")
	zh.sees("這是 debian 的主控台")
}

func TestWatchingOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.watching = true
	b.on()
	s := b.sit("en")
	s.sees("you can only watch")
	s.types("rm -rf /\r")
	s.types("rm -rf /\r")
	s.sees("your keys are not passed on")
	b.print("still here")
	s.sees("still here")
	if b.console.LastLine().Number != 0 || strings.Contains(s.String()[s.read:], "not passed on") {
		t.Errorf("line %+v; it saw %q", b.console.LastLine(), s.String())
	}
}

// deaf is a viewer that asks and then never reads.
func (b *bench) deaf() *net.UnixConn {
	b.t.Helper()
	conn, err := dial(b.folder)
	if err == nil {
		err = writeJSON(conn, frameRequest, request{Op: "attach", Machine: "debian"})
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	return conn
}

// A viewer that does not read holds up neither the guest nor the others, and is
// told what it missed when it reads again; one that is killed is forgotten.
func TestViewerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.on()
	other, deaf, killed := b.sit("en"), b.deaf(), b.deaf()
	other.sees("Ctrl-]")
	waitFor(t, func() bool { return b.server.Viewers("debian") == 3 })
	killed.Close()
	line := strings.Repeat("x", 1022) + "\r\n"
	const lines = 4096 // 4 MiB: more than any socket's buffer and what the console keeps
	for i := range lines {
		b.print(line)
		if i%64 == 0 { // a person cannot follow faster either, and must miss nothing
			waitFor(t, func() bool { return strings.Count(other.String(), "\n") > i })
		}
	}
	b.print("the end")
	other.sees("the end")
	if n := strings.Count(other.String(), line); n != lines {
		t.Errorf("the viewer that reads saw %d of %d lines", n, lines)
	}
	waitFor(t, func() bool { return b.server.Viewers("debian") == 2 })
	lost := int64(0)
	for end := false; !end; {
		kind, payload, err := readFrame(deaf)
		if err != nil {
			t.Fatal(err)
		}
		if kind == frameNote {
			fmt.Sscanf(string(payload), `{"name":"missed","lost":%d}`, &lost)
		}
		end = kind == frameOutput && bytes.HasSuffix(payload, []byte("the end"))
	}
	if lost < 1<<20 || lost > lines*1024 {
		t.Errorf("it is told that it missed %d bytes", lost)
	}
}

func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never holds")
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.on()
	last := func() size {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.sizes) == 0 {
			return size{}
		}
		return b.sizes[len(b.sizes)-1]
	}
	attach := func(columns, rows int) *net.UnixConn {
		conn, err := dial(b.folder)
		if err == nil {
			err = writeJSON(conn, frameRequest, request{Op: "attach", Machine: "debian", size: size{columns, rows}})
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		go io.Copy(io.Discard, conn)
		return conn
	}
	large := attach(200, 50)
	waitFor(t, func() bool { return last() == size{200, 50} })
	small := attach(100, 60)
	waitFor(t, func() bool { return last() == size{100, 50} })
	attach(0, 0) // a pipe has no size
	if err := writeJSON(small, frameSize, size{90, 20}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return last() == size{90, 20} })
	small.Close()
	waitFor(t, func() bool { return last() == size{200, 50} })
	large.Close()
	waitFor(t, func() bool { return last() == size{80, 24} })
}

// Where nobody can leave with a key, the console is left when there is nothing more to
// type and nothing more to see.
func TestEndOfWhatIsTyped(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.on()
	b.print("said before\r\n# ")
	s := b.sit("en")
	s.sees("said before")
	s.types("ls\r")
	s.typing.Close()
	if got := b.typed(3); got != "ls\r" {
		t.Errorf("the guest got %q", got)
	}
	b.print("ls\r\nbin\r\n# ")
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
	s.sees("bin")
	s.sees("all is typed and debian is silent, so it is left, and goes on")
}

// What is typed just before a console is left arrives, however much the machine has to say
// at that moment.
func TestLastKeysArrive(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.on()
	go io.WriteString(b.guest, strings.Repeat("much is said here\r\n", 20_000))
	const times = 30
	typed := make(chan string)
	go func() {
		keys := make([]byte, times)
		n, _ := io.ReadFull(b.guest, keys)
		typed <- string(keys[:n])
	}()
	for range times {
		if err := View(t.Context(), b.folder, "debian", Terminal{In: strings.NewReader("k\x1d"), Out: io.Discard}); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case keys := <-typed:
		if keys != strings.Repeat("k", times) {
			t.Errorf("the guest reads %q", keys)
		}
	case <-time.After(10 * time.Minute):
		t.Error("keys are lost")
	}
}

func TestUnknownMachine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var unknown *UnknownMachineError
	if err := View(t.Context(), b.folder, "debain", Terminal{In: strings.NewReader(""), Out: io.Discard}); !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
}

func TestFindAndStop(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	b := newBench(t)
	if err := os.Symlink(b.folder, filepath.Join(root, "perm")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "perm-2"), 0o700); err != nil { // a run that was killed
		t.Fatal(err)
	}
	for _, lock := range []string{"lock", "perm.lock", "perm-2.lock", "gone.lock"} {
		if err := os.WriteFile(filepath.Join(root, lock), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found := Find(t.Context(), root)
	if len(found) != 1 || found[0].Session() != "perm" || found[0].Title != "Lab" || found[0].PID != os.Getpid() {
		t.Fatalf("found %+v", found)
	}
	if err := Stop(t.Context(), found[0].Folder); err != nil {
		t.Error(err)
	}
	b.mu.Lock()
	if !b.stopped {
		t.Error("it was not asked to stop")
	}
	b.mu.Unlock()
	if found := Find(t.Context(), root); len(found) != 0 {
		t.Errorf("after the end: %+v", found)
	}
}

func TestLongFolder(t *testing.T) {
	t.Parallel()
	b := &bench{t: t, folder: t.TempDir(), changed: make(chan struct{})}
	for len(b.folder) < 300 {
		b.folder = filepath.Join(b.folder, strings.Repeat("long", 20))
	}
	if err := os.MkdirAll(b.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.server, err = Serve(b.folder, b); err != nil {
		t.Fatal(err)
	}
	defer b.server.Close()
	s := b.sit("en")
	s.sees("debian is off")
}

// beNobody has the test binary try to view as another user.
const beNobody = "LABRUN_TEST_VIEW_AS_NOBODY"

func TestOtherUsersAreRefused(t *testing.T) {
	t.Parallel()
	if folder := os.Getenv(beNobody); folder != "" {
		err := View(t.Context(), folder, "debian", Terminal{In: strings.NewReader(""), Out: os.Stdout})
		fmt.Printf("as %d: %v\n", os.Getuid(), err)
		return
	}
	if os.Getuid() != 0 {
		refusesMe(t)
		return
	}
	b := newBench(t)
	b.on()
	b.print("a secret")
	info, err := os.Stat(filepath.Join(b.folder, socketName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the socket's mode: %v, %v", info, err)
	}
	// The folder and the socket's mode keep others out already; without them, the
	// server does.
	copied := filepath.Join(t.TempDir(), "attach.test")
	self, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(copied, self, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for dir := b.folder; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}
	for dir := filepath.Dir(copied); dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}
	os.Chmod(filepath.Join(b.folder, socketName), 0o666)
	const nobody = 65534
	try := exec.Command(copied, "-test.run=^TestOtherUsersAreRefused$", "-test.v")
	try.Dir, try.Env = "/", []string{beNobody + "=" + b.folder}
	try.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := try.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "as 65534: reach the labrun in") || strings.Contains(string(out), "secret") {
		t.Errorf("%v; another user got:\n%s", err, out)
	}
}

// refusesMe has a lab that belongs to another user refuse this one, since only root can
// become another user to try it.
func refusesMe(t *testing.T) {
	t.Helper()
	b := newBench(t)
	b.on()
	b.print("a secret")
	folder := t.TempDir()
	server, err := serveFor(os.Getuid()+1, folder, b)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var out strings.Builder
	err = View(t.Context(), folder, "debian", Terminal{In: strings.NewReader(""), Out: &out})
	if err == nil || !strings.Contains(err.Error(), "reach the labrun in") || strings.Contains(out.String(), "secret") {
		t.Errorf("%v; another user's lab showed:\n%s", err, out.String())
	}
}
