package console

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// A prompt holds for as long as the console is at it and nothing is typed,
// whatever earlier waits consumed.
func TestPromptIsALevel(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("Linux os25 6.1\r\nos25 login: ")
	for range 2 {
		if m := g.expect(Prompt()); m.Prompt != LoginPrompt {
			t.Fatalf("match %+v", m)
		}
	}
	g.send("root\n")
	if k := g.c.Waiting(); k != NoPrompt {
		t.Errorf("waiting at %v before the echo", k)
	}
	g.print("root\r\nPassword: ")
	if k := g.c.Waiting(); k != PasswordPrompt {
		t.Errorf("waiting at %v", k)
	}
	g.expect(Text("assword:"))
	if m := g.expect(Prompt()); m.Prompt != PasswordPrompt || m.Text != "Password: " {
		t.Errorf("match %+v", m)
	}
	g.print("[   20.000000] e1000: link up\r\n")
	g.expect(Text("link up"))
	unread := g.c.Unread()
	g.expect(Prompt())
	if got := g.c.Unread(); got != unread {
		t.Errorf("a prompt before the cursor moves it back: unread %q, was %q", got, unread)
	}
	g.send("root\n")
	g.absent(Prompt())
	if err := g.c.Finished(expired(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("finished: %v", err)
	}
}

// expired is a context whose time is up, for waits that look at what is there.
func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithDeadline(context.Background(), time.Now())
	t.Cleanup(cancel)
	return ctx
}

// A question is answered like a prompt by who is ready to, and by nobody else.
func TestReadyForAQuestion(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("~ # ")
	if err := g.c.Ready(g.ctx()); err != nil {
		t.Fatal(err)
	}
	g.send("x\n")
	g.print("x\r\nThe authenticity of host 'server' can't be established.\r\nAre you sure (yes/no)? ")
	if err := g.c.Ready(g.ctx()); err != nil {
		t.Error(err)
	}
	if k := g.c.Waiting(); k != NoPrompt {
		t.Errorf("waiting at %v", k)
	}
	if err := g.c.Finished(expired(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("finished: %v", err)
	}
	g.send("yes\n")
	g.print("yes\r\nDone: ")
	g.print("what it says here?\r\n")
	ctx, cancel := context.WithTimeout(t.Context(), settleAsk+settleAsk/2)
	defer cancel()
	if err := g.c.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a whole line is taken for a question: %v", err)
	}
}

func TestQuestions(t *testing.T) {
	t.Parallel()
	for line, asks := range map[string]bool{
		"Are you sure you want to continue connecting (yes/no/[fingerprint])? ": true, "rm: remove 'notes'? ": true, "Command (m for help): ": true,
		"Do you want to continue? [Y/n] ": true, "[sudo] password for nini: ": true, "> ": true, ">>> ": true, "New password:": true,
		"loading": false, "50 %": false, "unpacking ...": false, "12:30:17 up": false, "": false,
	} {
		if question.MatchString(line) != asks {
			t.Errorf("%q: want %v", line, asks)
		}
	}
}

func TestFinished(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("~ # ")
	g.send("seq 3\n")
	g.print("seq 3\r\n1\r\n2\r\n")
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	var wait *WaitError
	if err := g.c.Finished(ctx); !errors.As(err, &wait) || !strings.Contains(wait.Want, "a shell prompt") {
		t.Errorf("error %v", err)
	}
	g.print("3\r\n~ # ")
	for range 2 {
		if err := g.c.Finished(g.ctx()); err != nil {
			t.Fatal(err)
		}
	}
	if got := g.c.Output(); got != "1\n2\n3\n" {
		t.Errorf("output %q", got)
	}
	if got, want := g.c.Unread(), "1\n2\n3\n~ # "; got != want {
		t.Errorf("unread %q, want %q", got, want)
	}
	g.expect(Text("2"))
	g.expect(Prompt())
	if err := g.c.Finished(g.ctx()); err != nil {
		t.Errorf("after the prompt was matched: %v", err)
	}

	// Keys that edit the line leave the command finished, Enter does not.
	if err := sendRaw(g, "x"); err != nil {
		t.Fatal(err)
	}
	g.print("x")
	if err := sendRaw(g, "\x7f"); err != nil {
		t.Fatal(err)
	}
	g.print("\b \b")
	if err := g.c.Finished(g.ctx()); err != nil {
		t.Errorf("after editing: %v", err)
	}
	if err := sendRaw(g, "\x1b[A\r"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := g.c.Finished(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("at the prompt before Enter: %v", err)
	}
}

func TestFinishedOnADeadMachine(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("~ # ")
	died := errors.New("qemu exited")
	errs := make(chan error)
	go func() { errs <- g.c.Finished(context.Background()) }()
	if err := <-errs; err != nil {
		t.Fatal(err)
	}
	g.c.Fail(died)
	if err := g.c.Finished(context.Background()); !errors.Is(err, died) {
		t.Errorf("error %v", err)
	}
	if k := g.c.Waiting(); k != NoPrompt {
		t.Errorf("a dead machine waits at %v", k)
	}
}

// A whole session as a Debian guest with bash prints it.
func TestDebianSession(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS (version 1.16.2)\r\n\r\r\n",
		"[    0.000000] Linux version 6.1.0-25-cloud-amd64\r\n[    0.000000] Command line: root=/dev/vda\r\n",
		"\r\nWelcome to \x1b[1mDebian GNU/Linux 12 (bookworm)\x1b[0m!\r\n\r\n",
		"[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mssh.service\x1b[0m - OpenBSD Secure Shell server.\r\n",
		"\r\nDebian GNU/Linux 12 os25 ttyS0\r\n\r\nos25 lo", "[    9.876543] random: crng init done\r\n", "gin: ")
	g.expect(Text("[  OK  ] Started ssh.service"))
	if m := g.expect(Prompt()); m.Text != "os25 login: " || m.Prompt != LoginPrompt {
		t.Fatalf("match %+v", m)
	}
	g.send("root\n")
	g.print("root\r\nPassword: ")
	g.expect(Prompt(PasswordPrompt))
	g.send("root\n")
	g.print("\r\nLinux os25 6.1.0-25-cloud-amd64 #1 SMP x86_64\r\n\r\nThe programs included…\r\n",
		"\x1b[?2004hroot@os25:~# ")
	g.expect(Prompt(ShellPrompt))
	g.send("ip -br a\n")
	g.print("ip -br a\r\n\x1b[?2004l\rlo               UNKNOWN        127.0.0.1/8 \r\n",
		"\x1b[36meth0             \x1b[0mUP             10.254.", "0.2/24 \r\n", "\x1b[?2004hroot@os25:~# ")
	if m := g.expect(pattern(`eth0 .*?(\d+\.\d+\.\d+\.\d+)`)); m.Groups[0] != "10.254.0.2" {
		t.Errorf("match %+v", m)
	}
	if err := g.c.Finished(g.ctx()); err != nil {
		t.Fatal(err)
	}
	want := "lo               UNKNOWN        127.0.0.1/8 \neth0             UP             10.254.0.2/24 \n"
	if got := g.c.Output(); got != want {
		t.Errorf("output %q, want %q", got, want)
	}
}

// router7 shows nothing until Enter is pressed, and its daemons log everywhere.
func TestRouter7Session(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("2025/09/01 23:27:20 gokrazy build 1\r\n2025/09/01 23:27:21 netconfigd: eth0\r\n")
	if k := g.c.Waiting(); k != NoPrompt {
		t.Errorf("waiting at %v", k)
	}
	if err := sendRaw(g, "\r"); err != nil {
		t.Fatal(err)
	}
	g.print("\r\n\x1b[6n# 2025/09/01 23:27:22 dhcp4: lease\r\n")
	g.expect(Prompt())
	g.send("ip a\n")
	g.print("ip 2025/09/01 23:27:23 radvd: up\r\na\r\n2: uplink0: mtu 1500\r\n    inet 10.0.2.15/2",
		"2025/09/01 23:27:24 dnsd: listening\r\n", "4\r\n# ")
	g.expect(Text("10.0.2.15/24"))
	g.expect(Prompt())
	if got, want := g.c.Output(), "2: uplink0: mtu 1500\n    inet 10.0.2.15/24\n"; got != want {
		t.Errorf("output %q, want %q", got, want)
	}
}

// Daemons that say something every moment do not keep a prompt from being believed, not even
// one that has to stand still for long, as Enter was pressed before there was a shell.
func TestPromptAmongDaemons(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("booting\r\n")
	g.relay("\r")
	g.print("\r\n/ # ")
	seen := make(chan error, 1)
	go func() {
		_, err := g.c.Expect(g.ctx(), Prompt(ShellPrompt))
		seen <- err
	}()
	for range 100 {
		select {
		case err := <-seen:
			if err != nil {
				t.Error(err)
			}
			return
		case <-time.After(settleAhead / 5):
			g.print("2026/11") // a serial port has it come in pieces
			g.print("/27 07:46:04 dns.go:177: probe results\r\n")
		}
	}
	t.Error("the prompt is not seen as long as a daemon talks")
}
