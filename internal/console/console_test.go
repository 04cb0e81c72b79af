package console

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// machine is what the tests' guests look like.
var machine = Options{
	Name: "debian",
	Prompts: Prompts{
		Login:    regexp.MustCompile(`^\S+ login: $`),
		Password: regexp.MustCompile(`(?i)^password: ?$`),
		Shell:    regexp.MustCompile(`^(\S*[:~/]\S* ?)?[#$] $`),
	},
	Noise: []*regexp.Regexp{regexp.MustCompile(`\d{4}/\d\d/\d\d \d\d:\d\d:\d\d `)},
}

// A guest is the far end of a console, played by the test.
type guest struct {
	t        *testing.T
	port     net.Conn
	c        *Console
	written  int
	recorded chan int // how many bytes the console has taken in
	more     <-chan struct{}
}

func newGuest(t *testing.T, o Options) *guest {
	near, far := net.Pipe()
	g := &guest{t: t, port: far, c: New(near, o), recorded: make(chan int, 1)}
	g.recorded <- 0
	more := make(chan struct{}, 1)
	g.more = more
	g.c.Watch(func(b []byte) {
		g.recorded <- <-g.recorded + len(b)
		select {
		case more <- struct{}{}:
		default:
		}
	})
	t.Cleanup(func() {
		g.c.Close()
		far.Close()
	})
	return g
}

// print returns once the console has taken in what was printed.
func (g *guest) print(parts ...string) {
	g.t.Helper()
	for _, s := range parts {
		n, err := io.WriteString(g.port, s)
		if err != nil {
			g.t.Fatalf("print %q: %v", s, err)
		}
		for g.written += n; ; <-g.more {
			recorded := <-g.recorded
			g.recorded <- recorded
			if recorded == g.written {
				break
			}
		}
	}
}

// read returns the next n bytes that were typed.
func (g *guest) read(n int) string {
	g.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(g.port, b); err != nil {
		g.t.Fatalf("read what is typed: %v", err)
	}
	return string(b)
}

// send types text and checks that it arrives.
func (g *guest) send(text string) {
	g.t.Helper()
	sent := make(chan error, 1)
	go func() { sent <- g.c.Send(g.ctx(), text) }()
	if got, want := g.read(len(text)), strings.ReplaceAll(text, "\n", "\r"); got != want {
		g.t.Fatalf("typed %q, guest read %q", want, got)
	}
	if err := <-sent; err != nil {
		g.t.Fatal(err)
	}
}

func (g *guest) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	g.t.Cleanup(cancel)
	return ctx
}

func (g *guest) expect(conds ...Condition) Match {
	g.t.Helper()
	m, err := g.c.Expect(g.ctx(), conds...)
	if err != nil {
		g.t.Fatal(err)
	}
	return m
}

// absent fails the test if a condition holds on what has arrived.
func (g *guest) absent(conds ...Condition) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 450*time.Millisecond)
	defer cancel()
	if m, err := g.c.Expect(ctx, conds...); err == nil {
		g.t.Fatalf("unexpected match %+v", m)
	}
}

func pattern(expr string) Condition { return Pattern(regexp.MustCompile(expr)) }

func TestCursor(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("one two one three\r\n")
	g.expect(Text("one"))
	if got, want := g.c.Unread(), " two one three\n"; got != want {
		t.Errorf("unread %q, want %q", got, want)
	}
	if m := g.expect(Text("three"), Text("nothing"), Text("one")); m.Index != 2 || m.Text != "one" {
		t.Errorf("match %+v, want the earlier one, by the third condition", m)
	}
	g.absent(Text("one"))
	g.print("on", "e")
	g.expect(Text("one"))
	m := g.expect(pattern(`nine|`), Text("x"))
	if m.Text != "" || m.Index != 0 {
		t.Errorf("empty match %+v", m)
	}
}

func TestMarkAndTail(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("a\r\nb\r\n")
	mark := g.c.Mark()
	g.print("\x1b[1mc\x1b[0m\r\nd")
	if got := g.c.Since(mark); got != "c\nd" {
		t.Errorf("since the mark: %q", got)
	}
	if got := g.c.Tail(2); got != "c\nd" {
		t.Errorf("tail %q", got)
	}
	if g.c.LastByte().IsZero() {
		t.Error("no time of the last byte")
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, expr string
		print      []string
		text       string
		groups     []string
		unread     string
	}{
		{"grows over chunks", `inet (\S+)`, []string{"inet 10.254", ".0.2", "/24 brd"}, "inet 10.254.0.2/24", []string{"10.254.0.2/24"}, " brd"},
		{"silence ends it", `inet (\S+)`, []string{"inet 10.254.0.2"}, "inet 10.254.0.2", []string{"10.254.0.2"}, ""},
		{"leftmost first", `foo|foobar`, []string{"xfoobar\n"}, "foo", []string{}, "bar\n"},
		{"lazy", `a(.*?)b`, []string{"a1", "2b3b"}, "a12b", []string{"12"}, "3b"},
		{"greedy", `a(.*)b`, []string{"a1", "2b3b4\n"}, "a12b3b", []string{"12b3"}, "4\n"},
		{"line start", `(?m)^eth0`, []string{"xeth0\ne", "th0:"}, "eth0", []string{}, ":"},
		{"line end", `(?m)up$`, []string{"upper up", "\n"}, "up", []string{}, "\n"},
		{"text end", `login: $`, []string{"login: x login: "}, "login: ", []string{}, ""},
		{"word", `\bcat\b`, []string{"concat cats", " cat", "."}, "cat", []string{}, "."},
		{"fold", `(?i)KERNEL panic`, []string{"kernel PA", "NIC "}, "kernel PANIC", []string{}, " "},
		{"many lines", `(?s)BEGIN(.*)END`, []string{"BEGIN\r\n1\r", "\n2\r\nEND\r\n"}, "BEGIN\n1\n2\nEND", []string{"\n1\n2\n"}, "\n"},
		{"no group", `(x)?y`, []string{"y"}, "y", []string{""}, ""},
		{"split character", `目錄(.)`, []string{"目\xe9\x8c", "\x84\xe5", "\xa4\xbe!"}, "目錄夾", []string{"夾"}, "!"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuest(t, machine)
			done := make(chan Match, 1)
			go func() {
				m, err := g.c.Expect(g.ctx(), pattern(tt.expr))
				if err != nil {
					t.Error(err)
				}
				done <- m
			}()
			// All at once, so that silence falls only at the end.
			g.print(strings.Join(tt.print, ""))
			m := <-done
			if m.Text != tt.text || strings.Join(m.Groups, "|") != strings.Join(tt.groups, "|") || len(m.Groups) != len(tt.groups) {
				t.Errorf("match %q %q, want %q %q", m.Text, m.Groups, tt.text, tt.groups)
			}
			if got := g.c.Unread(); got != tt.unread {
				t.Errorf("unread %q, want %q", got, tt.unread)
			}
			for _, split := range [][]string{tt.print, strings.Split(strings.Join(tt.print, ""), "")} {
				if got := outcome(t, split, pattern(tt.expr)); got.Text != tt.text || strings.Join(got.Groups, "|") != strings.Join(tt.groups, "|") {
					t.Errorf("in chunks %q: match %q %q", split, got.Text, got.Groups)
				}
			}
		})
	}
}

func TestBadConditions(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	if _, err := g.c.Expect(g.ctx(), Text("")); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an empty text: %v", err)
	}
	if _, err := g.c.Expect(g.ctx()); err == nil {
		t.Error("no condition, no error")
	}
}

func TestTimeOut(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("one\r\ntwo\r\n")
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := g.c.Expect(ctx, Text("three"), Prompt(LoginPrompt))
	var wait *WaitError
	if !errors.As(err, &wait) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %#v", err)
	}
	for _, want := range []string{"debian", `"three"`, "a login prompt", "one\n", "two"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
	// What has arrived counts, even if the time is up.
	if _, err := g.c.Expect(ctx, Text("two")); err != nil {
		t.Error(err)
	}
}

func TestFail(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	died := errors.New("kernel panic")
	g.print("early inet 10.0.0.1")
	errs := make(chan error)
	for range 3 {
		go func() {
			_, err := g.c.Expect(context.Background(), Text("never"), Prompt())
			errs <- err
		}()
	}
	g.c.Watch(func(b []byte) {
		if bytes.Contains(b, []byte("panic")) {
			g.c.Fail(died)
		}
	})
	io.WriteString(g.port, "\r\ndebian login: [    1.000000] Kernel panic\r\n")
	for range 3 {
		if err := <-errs; !errors.Is(err, died) {
			t.Errorf("error %v, want the panic", err)
		}
	}
	if m := g.expect(pattern(`inet (\S+)`)); m.Groups[0] != "10.0.0.1" {
		t.Errorf("match %+v", m)
	}
	if _, err := g.c.Expect(context.Background(), Prompt()); !errors.Is(err, died) {
		t.Errorf("prompt on a dead machine: %v", err)
	}
	if err := g.c.Send(context.Background(), "x"); !errors.Is(err, died) {
		t.Errorf("send to a dead machine: %v", err)
	}
	g.port.Close()
	g.c.Close()
	if _, err := g.c.Expect(context.Background(), Text("x")); !errors.Is(err, died) {
		t.Errorf("after closing: %v, want the first reason", err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	errs := make(chan error)
	go func() {
		_, err := g.c.Expect(context.Background(), Text("never"))
		errs <- err
	}()
	io.WriteString(g.port, "bye \xe5")
	g.port.Close()
	if err := <-errs; !errors.Is(err, ErrClosed) {
		t.Errorf("error %v, want ErrClosed", err)
	}
	g.expect(Text("bye \uFFFD"))
	exited := errors.New("qemu exited")
	g.c.Fail(exited)
	if _, err := g.c.Expect(context.Background(), Text("never")); !errors.Is(err, exited) {
		t.Errorf("error %v, want the better reason", err)
	}
}

// deadly is the port of a machine that ends by what is typed, while that is written.
type deadly struct {
	net.Conn
	fail func()
}

func (d *deadly) Write(b []byte) (int, error) {
	d.fail()
	runtime.Gosched()
	return len(b), nil
}

// A line that ends the machine, "poweroff -f" for one, was typed.
func TestSendEndsTheMachine(t *testing.T) {
	t.Parallel()
	for range 200 {
		near, far := net.Pipe()
		port := &deadly{Conn: near}
		c := New(port, machine)
		port.fail = func() { c.Fail(errors.New("powered off")) }
		if err := c.Send(t.Context(), "poweroff -f\n"); err != nil {
			t.Errorf("error %v", err)
		}
		c.Close()
		far.Close()
	}
}

func TestSendGivesUp(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	ctx, cancel := context.WithCancel(context.Background())
	errs := make(chan error)
	go func() { errs <- g.c.Send(ctx, strings.Repeat("x", 2000)) }()
	if got := g.read(1); got != "x" {
		t.Fatalf("read %q", got)
	}
	cancel()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// What is held back has not happened: a prompt stands as if nobody had typed, until it is
// passed on.
func TestHeldBack(t *testing.T) {
	t.Parallel()
	open, o := make(chan struct{}), machine
	o.Open = open
	g := newGuest(t, o)
	errs := make(chan error)
	go func() { errs <- g.c.Relay(g.ctx(), []byte("root\r")) }()
	g.print("os25 login: ")
	if m := g.expect(Prompt(LoginPrompt)); m.Prompt != LoginPrompt || g.c.Waiting() != LoginPrompt || g.c.LastLine().Number != 0 {
		t.Errorf("it is at %v and %v, the last line is %+v", m.Prompt, g.c.Waiting(), g.c.LastLine())
	}
	close(open)
	if got := g.read(5); got != "root\r" {
		t.Errorf("the guest reads %q", got)
	}
	if err := <-errs; err != nil || g.c.Waiting() != NoPrompt || g.c.LastLine().Text != "root" {
		t.Errorf("error %v, it is at %v, the last line is %+v", err, g.c.Waiting(), g.c.LastLine())
	}
	ctx, cancel := context.WithCancel(t.Context())
	o.Open = make(chan struct{})
	never := newGuest(t, o)
	go func() { errs <- never.c.Send(ctx, "x") }()
	cancel()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	go func() { errs <- never.c.Send(t.Context(), "x") }()
	never.c.Fail(errors.New("it is dead"))
	if err := <-errs; err == nil || !strings.Contains(err.Error(), "it is dead") {
		t.Errorf("dead: %v", err)
	}
}

func TestSendInPieces(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	text := strings.Repeat("0123456789", 200)
	errs := make(chan error)
	go func() { errs <- g.c.Send(g.ctx(), text) }()
	var got string
	buf := make([]byte, 4096)
	for len(got) < len(text) {
		n, err := g.port.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if n > 512 {
			t.Errorf("a piece of %d bytes", n)
		}
		got += string(buf[:n])
	}
	if err := <-errs; err != nil || got != text {
		t.Errorf("typed %d bytes, error %v", len(got), err)
	}
}

func TestPromptIsTheLastLine(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("root@os25:~# ls\r\nroot@os25:~# \r\nmore\r\n")
	g.absent(Prompt())
	g.print("root@os25:~# ")
	if m := g.expect(Prompt()); m.Prompt != ShellPrompt || m.Text != "root@os25:~# " {
		t.Errorf("match %+v", m)
	}
	g.print("[    9.123456] e1000: link up\r\n")
	g.expect(Prompt()) // nothing was typed, so the machine still waits
	if err := sendRaw(g, "\r"); err != nil {
		t.Fatal(err)
	}
	g.absent(Prompt())
	g.print("\r\nroot@os25:~# [   10.00")
	g.expect(Prompt(ShellPrompt))
	if k := g.c.Waiting(); k != ShellPrompt {
		t.Errorf("waiting at %v", k)
	}
	g.print("0000] usb\r\n\r\nos25 login: ")
	if m := g.expect(Prompt(ShellPrompt), Prompt(LoginPrompt)); m.Index != 1 || m.Prompt != LoginPrompt {
		t.Errorf("match %+v", m)
	}
}

func sendRaw(g *guest, keys string) error {
	sent := make(chan error, 1)
	go func() { sent <- g.c.SendRaw(g.ctx(), []byte(keys)) }()
	g.read(len(keys))
	return <-sent
}

func TestNoise(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("pas[   12.345678] usb 1-1: new device\r\n[   12.400000][    T9] x\r\nsphrase\r\n")
	g.expect(Text("passphrase"))
	g.print("[   13.000000] EXT4-fs mounted\r\n")
	g.expect(Text("EXT4-fs")) // the kernel's lines can be waited for
	g.print("[  OK  ] Started ssh.\r\n")
	g.expect(Text("[  OK  ] Started"))
	g.print("BEGIN a[   14.000000] x\r\nb END\n")
	if m := g.expect(pattern(`BEGIN (.*) END`)); m.Groups[0] != "ab" {
		t.Errorf("match %+v", m)
	}
}

// A kernel line may land in a daemon's, of all places where its stamp is: a router renames a
// card as soon as it has said that it will. A prompt that stands before them stays the last
// line.
func TestKernelInDaemonsNoise(t *testing.T) {
	t.Parallel()
	const kernel, daemon = "[   17.390334] virtio3 lan0: renamed from eth1\r\n", "2026/11/27 07:46:04 netconfig.go:528: apply details\r\n"
	for _, cut := range []int{0, 1, 7, 16, 19, 20, 30, len(daemon) - 2} {
		g := newGuest(t, machine)
		g.print("/ # ")
		g.send("uname\n")
		g.print("uname\r\nLin" + daemon + "ux\r\n/ # " + daemon[:cut] + kernel + kernel + daemon[cut:])
		if m := g.expect(Prompt(ShellPrompt)); m.Text != "/ # " {
			t.Errorf("cut at %d: %+v", cut, m)
		}
		if got := g.c.Output(); got != "Linux\n" {
			t.Errorf("cut at %d: the output is %q", cut, got)
		}
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	n, err := newNoises(machine.Noise)
	if err != nil {
		t.Fatal(err)
	}
	const in = "a[    1.000000] k\nb2025/09/01 23:27:22 x\n2025/0[    1.500000] k\n9/01 23:27:23 [    1.600000] k\ny\n[    2.000000] k\nc[ 3 [[    4.000000] k\n2025/09/01 nope [    5.0"
	tx := newTexts(1<<20, n)
	for _, b := range []byte(in) {
		tx.add([]byte{b})
	}
	if got, want := string(tx.quiet.buf)+"|"+string(tx.held()), "abc[ 3 [2025/09/01 nope |[    5.0"; got != want {
		t.Errorf("quiet %q, want %q", got, want)
	}
	for q := range tx.quiet.end() {
		f := tx.toFull(q)
		if f < tx.full.end() && q > 0 && tx.full.buf[f-1] != tx.quiet.buf[q-1] {
			t.Errorf("quiet %d is not full %d", q, f)
		}
		if back := tx.toQuiet(f); back != q {
			t.Errorf("quiet %d, full %d, quiet %d", q, f, back)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	const total = 12 << 20 // three times what is held at most
	chunk := []byte(strings.Repeat("[    1.000000] a kernel line\r\nand \x1b[31mcolour\x1b[0m\r\n", 1200))
	src := &source{chunk: chunk, left: total}
	c := New(src, machine)
	defer c.Close()
	if _, err := c.Expect(context.Background(), Text("absent")); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 16<<20 {
		t.Errorf("heap of %d MB", m.HeapAlloc>>20)
	}
	if got := len(c.Unread()); got < 1<<20 || got > 4<<20 {
		t.Errorf("%d bytes of history", got)
	}
}

func TestNobodyWaits(t *testing.T) {
	g := newGuest(t, machine)
	chunk := bytes.Repeat([]byte("some output\r\n"), 5000) // 64 KB
	for range 16 * 24 {                                    // 24 MB
		if _, err := g.port.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	io.WriteString(g.port, "the end\r\n")
	g.expect(Text("the end"))
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 16<<20 {
		t.Errorf("heap of %d MB", m.HeapAlloc>>20)
	}
}

// Far more text than a pattern is run on comes before the match, or follows a
// match that would take everything.
func TestPatternsOnLongText(t *testing.T) {
	t.Parallel()
	lines := strings.Repeat("a line of no use 123\r\n", 20000)
	m, unread, _ := play(t, []string{lines, "a", " line of use ", "456\r\nrest"}, pattern(`(?m)^a line of use (\d+)$`))
	if m.Text != "a line of use 456" || m.Groups[0] != "456" || unread != "\nrest" {
		t.Errorf("match %+v, unread %q", m, unread)
	}
	m, unread, _ = play(t, []string{lines, "BEGIN", lines, "end"}, pattern(`(?s)BEGIN.*`))
	if got := len(m.Text); got < growth || got > growth+len("BEGIN")+1 || !strings.HasSuffix(unread, "end") {
		t.Errorf("match of %d bytes, unread %d", got, len(unread))
	}
	// What is no longer in memory is missing from the match; the wait still ends.
	m, _, _ = play(t, []string{"BEGIN", strings.Repeat(lines, 12), "END\r\n"}, pattern(`(?s)BEGIN(.*)END\n`))
	if m.Index != 0 || !strings.HasSuffix(m.Text, "END\n") {
		t.Errorf("condition %d, match of %d bytes", m.Index, len(m.Text))
	}
	// A line without an end, on which characters are taken back.
	long := strings.Repeat("x", 20000)
	m, _, _ = play(t, strings.SplitAfter(long+"abcd\b\bCD "+long+"\n", "\b"), pattern(`xab(\w+) x`))
	if m.Index != 0 || m.Groups[0] != "CD" {
		t.Errorf("match %+v", m)
	}
}

// source prints the same chunk until it has printed enough.
type source struct {
	chunk []byte
	left  int
}

func (s *source) Read(b []byte) (int, error) {
	if s.left <= 0 {
		return 0, io.EOF
	}
	n := copy(b, s.chunk)
	s.left -= n
	return n, nil
}

func (s *source) Write(b []byte) (int, error) { return len(b), nil }
func (s *source) Close() error                { return nil }

func TestCloseIsRepeatable(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	if err := errors.Join(g.c.Close(), g.c.Close()); err != nil {
		t.Error(err)
	}
	if _, err := g.port.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, os.ErrClosed) {
		t.Errorf("the stream is open: %v", err)
	}
}
