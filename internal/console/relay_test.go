package console

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// relay types what a person types and checks that it arrives as it is.
func (g *guest) relay(keys string) {
	g.t.Helper()
	sent := make(chan error, 1)
	go func() { sent <- g.c.Relay(g.ctx(), []byte(keys)) }()
	if got := g.read(len(keys)); got != keys {
		g.t.Fatalf("typed %q, guest read %q", keys, got)
	}
	if err := <-sent; err != nil {
		g.t.Fatal(err)
	}
}

func TestRelay(t *testing.T) {
	t.Parallel()
	// Each pair is what is typed and what the guest prints at that.
	for _, tt := range []struct {
		name, before string
		steps        [][2]string
		line, output string
	}{
		{"key by key", "# ", [][2]string{{"i", "i"}, {"p", "p"}, {" ", " "}, {"a", "a"}, {"\r", "\r\nlan0\r\n# "}}, "ip a", "lan0\n"},
		{"pasted", "# ", [][2]string{{"ip a\r", "ip a\r\nlan0\r\n# "}}, "ip a", "lan0\n"},
		{"taken back", "# ", [][2]string{{"ls", "ls"}, {"\x7f", "\b \b"}, {"\x7f", "\b \b"}, {"id\r", "id\r\nroot\r\n# "}}, "id", "root\n"},
		{"all of it taken back", "# ", [][2]string{{"ls", "ls"}, {"\x15", "\b\b\x1b[J"}, {"id\r", "id\r\nroot\r\n# "}}, "id", "root\n"},
		{"completed", "# ", [][2]string{{"unam", "unam"}, {"\t", "e "}, {"-r", "-r"}, {"\r", "\r\n6.1\r\n# "}}, "uname -r", "6.1\n"},
		{"from the history", "# ", [][2]string{{"\x1b[A", "uname -r"}, {"\r", "\r\n6.1\r\n# "}}, "uname -r", "6.1\n"},
		{"redrawn", "# ", [][2]string{{"\x1b[A", "\r# uname -r\x1b[J"}, {"\r", "\r\n6.1\r\n# "}}, "uname -r", "6.1\n"},
		{"kernel in between", "# ", [][2]string{{"i", "i"}, {"d", "[    1.000000] usb: new\r\nd"}, {"\r", "\r\nroot\r\n# "}}, "id", "root\n"},
		{"a program left by a key", "# ", [][2]string{{"top\r", "top\r\nEsc leaves"}, {"\x1b", "\r\n# "}, {"ls /\r", "ls /\r\nboot\r\n# "}}, "ls /", "boot\n"},
		{"nothing", "# ", [][2]string{{"\r", "\r\n# "}}, "", "\n"},
		{"interrupted", "# ", [][2]string{{"sleep 9\r", "sleep 9\r\n"}, {"\x03", "^C\r\n# "}}, "^C", "^C\n"},
		{"a password", "password: ", [][2]string{{"r", ""}, {"oot\r", "\r\nroot@os25:~# "}}, "root", "\n"},
		{"wide characters", "# ", [][2]string{{"echo 目錄", "echo 目錄"}, {"\r", "\r\n目錄\r\n# "}}, "echo 目錄", "目錄\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuest(t, machine)
			g.print(tt.before)
			for _, step := range tt.steps {
				g.relay(step[0])
				if step[1] != "" {
					g.print(step[1])
				}
			}
			if err := g.c.Finished(g.ctx()); err != nil {
				t.Fatal(err)
			}
			if got := g.c.Output(); got != tt.output {
				t.Errorf("output %q, want %q", got, tt.output)
			}
			if line := g.c.LastLine(); line.Text != tt.line || line.Number == 0 {
				t.Errorf("the last line is %+v, want %q", line, tt.line)
			}
		})
	}
}

// What a person types but has not entered takes nothing away from a wait.
func TestRelayKeepsTheCursor(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("# ")
	g.relay("ssh debian\r")
	g.print("ssh debian\r\ncontinue connecting?")
	g.relay("y")
	g.print("y")
	g.expect(Text("continue connecting"))
}

// Keys that reach the machine by another way are a person's line all the same.
func TestRelayBy(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("# ")
	pressed := ""
	for _, key := range []string{"i", "d", "\r"} {
		if err := g.c.RelayBy(g.ctx(), []byte(key), func() error { pressed += key; return nil }); err != nil {
			t.Fatal(err)
		}
		g.print(strings.ReplaceAll(key, "\r", "\r\nroot\r\n# "))
	}
	if err := g.c.Finished(g.ctx()); err != nil {
		t.Fatal(err)
	}
	if line := g.c.LastLine(); line.Text != "id" || g.c.Output() != "root\n" || pressed != "id\r" {
		t.Errorf("pressed %q, the line is %+v, its output %q", pressed, line, g.c.Output())
	}
	gone := errors.New("it is off")
	if err := g.c.RelayBy(g.ctx(), []byte("x"), func() error { return gone }); !errors.Is(err, gone) {
		t.Errorf("a key that reached nothing: %v", err)
	}
}

func TestAwaitLine(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("# ")
	lines := make(chan Line)
	go func() {
		line, err := g.c.AwaitLine(g.ctx(), 1)
		if err != nil {
			t.Error(err)
		}
		lines <- line
	}()
	mark := g.c.KeyMark()
	g.relay("one\r")
	g.print("one\r\n# ")
	g.send("two\n") // what labrun types counts as well
	if line := <-lines; line.Number != 2 || line.Text != "two" || line.Prompt != ShellPrompt {
		t.Errorf("got %+v", line)
	}
	if err := g.c.AwaitKey(g.ctx(), []byte("e\r"), mark); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := g.c.AwaitKey(ctx, []byte("e\r"), g.c.KeyMark()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a key before the mark counts: %v", err)
	}
	dead := errors.New("powered off")
	g.c.Fail(dead)
	if _, err := g.c.AwaitLine(g.ctx(), 2); !errors.Is(err, dead) {
		t.Errorf("on a dead console: %v", err)
	}
}

func TestPasswordsAreNotRecorded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	transcript, err := NewTranscript(dir, "debian", 80, 24, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := machine
	o.Transcript = transcript
	g := newGuest(t, o)
	g.print("password: ")
	g.relay("s3")
	g.relay("cret\r")
	g.print("\r\n# ")
	g.c.Close()
	if err := transcript.Close(); err != nil {
		t.Fatal(err)
	}
	cast, err := os.ReadFile(filepath.Join(dir, "debian.cast"))
	if err != nil || strings.Contains(string(cast), "s3") || strings.Contains(string(cast), "cret") {
		t.Errorf("the password is in the cast, or %v:\n%s", err, cast)
	}
}

// Keys that lead from a login prompt to another console, where a shell waits, are no part of a name.
func TestKeysThatLeaveALoginPrompt(t *testing.T) {
	t.Parallel()
	for _, shown := range [][]string{{"root@os25:~# "}, {"root@os25:~#", " "}, {"one\r\n\r\ntwo\r\nroot@os25:~# busybox chvt 2\r\nroot@os25:~#", " "}} {
		g := newGuest(t, machine)
		g.print("os25 login: ")
		g.relay("root\r")
		g.print("root\r\nroot@os25:~# ")
		g.relay("tty\r")
		g.print("tty\r\n/dev/tty1\r\nroot@os25:~# ")
		g.relay("busybox chvt 2\r")
		g.print("busybox chvt 2\r\n\x1b[13A\x1b[K\x1b[5B\x1b[J\x1b[8B\x1b[12A\rDebian GNU/Linux 12 os25 tty2\x1b[2B\ros25 login:\x1b[K ")
		g.relay("\x1b[1;3P")
		g.print("\x1b[3A\r")
		for _, text := range shown {
			g.print(text)
		}
		for _, key := range []string{"e", "c", "h", "o", "\r"} {
			g.relay(key)
			g.print(key)
		}
		if who, line := g.c.User(), g.c.LastLine(); who != "root" || line.Text != "echo" || line.Prompt != ShellPrompt {
			t.Errorf("%q: the user is %q, and the line %+v", shown, who, line)
		}
	}
}
