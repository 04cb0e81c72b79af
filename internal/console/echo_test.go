package console

import (
	"strings"
	"testing"
)

func TestEcho(t *testing.T) {
	t.Parallel()
	long := "echo " + strings.Repeat("abcdefghi ", 9) + "done"
	for _, tt := range []struct {
		name, before, typed, printed string
		output, match                string // match: the first text after the cursor
	}{
		{"bash", "\x1b[?2004hroot@os25:~# ", "echo done\n",
			"echo done\r\n\x1b[?2004l\rdone\r\n\x1b[?2004hroot@os25:~# ", "done\n", "done\n"},
		{"ash", "~ # \x1b[6n", "ls\n", "ls\r\n\x1b[1;34mbin\x1b[m\r\n~ # \x1b[6n", "bin\n", "bin\n"},
		{"readline wraps", "root@os25:~# ", long + "\n",
			long[:67] + " \r" + long[67:] + "\r\n" + long[5:] + "\r\nroot@os25:~# ", long[5:] + "\n", long[5:10]},
		{"ash wraps", "~ # ", long + "\n",
			long[:76] + "\r\n" + long[76:] + "\r\n" + long[5:] + "\r\n~ # ", long[5:] + "\n", long[5:10]},
		{"readline at the margin", "root@os25:~# ", long[:67] + "\n",
			long[:67] + " \r\x1b[A\x1b[C\x1b[C\x1b[K" + long[66:67] + "\r\n\x1b[?2004l\rdone\r\nroot@os25:~# ", "done\n", "done\n"},
		{"readline at the margin, and no output", "root@os25:~# ", long[:67] + "\n",
			long[:67] + " \r\x1b[A\x1b[C\x1b[C\x1b[K" + long[66:67] + "\r\n\x1b[?2004l\rroot@os25:~# ", "", "root@os25:~# "},
		{"a blank, and its last character as output", "# ", "echo c \n", "echo c \r\nc\r\n# ", "c\n", "c\n"},
		{"kernel in the echo", "~ # ", "echo done\n",
			"echo d[   12.345678] usb 1-1: new\r\none\r\ndone\r\n~ # ", "done\n", "done\n"},
		{"kernel before the echo", "~ # ", "echo done\n",
			"[   12.345678] usb 1-1: new\r\necho done\r\ndone\r\n~ # ", "done\n", "done\n"},
		{"router7's log in between", "# ", "ip a\n",
			"2025/09/01 23:27:22 dhcp4: lease\r\nip a\r\n2: uplink0: inet\r\n# ", "2: uplink0: inet\n", "2: uplink0"},
		{"an unknown log line", "# ", "ip a\n", "\r\ndnsmasq: started\r\nip a\r\n2: uplink0\r\n# ", "2: uplink0\n", "2: uplink0"},
		{"the prompt again", "root@os25:~# ", "echo done\n",
			"\r\x1b[Kroot@os25:~# echo done\r\ndone\r\nroot@os25:~# ", "done\n", "done\n"},
		{"no echo, two lines", "# ", "echo done\n", "done\r\nnext\r\n# ", "done\nnext\n", "done\n"},
		{"no echo, silence", "# ", "echo done\n", "done\r\n# ", "done\n", "done\n"},
		{"no newline in the echo", "> ", "yes\n", "yes", "", ""},
		{"a password", "Password: ", "root\n", "\r\nroot@os25:~# ", "\n", "\nroot@os25:~# "},
		{"a login", "os25 login: ", "root\n", "root\r\nPassword: ", "", "Password: "},
		{"tab", "# ", "ls /et\t\n", "ls /etc/\r\nhosts\r\n# ", "hosts\n", "hosts"},
		{"dmesg", "# ", "dmesg\n", "dmesg\r\n[    0.000000] Linux version 6\r\n# ", "[    0.000000] Linux version 6\n", "[    0.000000] Linux"},
		{"wide characters", "# ", "echo 目錄\n", "echo 目錄\r\n目錄\r\n# ", "目錄\n", "目錄\n"},
		{"like the echo, but longer", "# ", "ls\n", "lsblk\r\nlsattr\r\n# ", "lsblk\nlsattr\n", "lsblk"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// At once, and byte by byte.
			for _, parts := range [][]string{{tt.printed}, strings.Split(tt.printed, "")} {
				g := newGuest(t, machine)
				g.print(tt.before)
				g.send(tt.typed)
				g.print(parts...)
				if tt.match != "" {
					g.expect(Text(tt.match))
					if got, want := strings.HasPrefix(g.c.Unread(), tt.output[min(len(tt.output), len(tt.match)):]), true; got != want {
						t.Errorf("unread %q after %q", g.c.Unread(), tt.match)
					}
				} else {
					g.absent(Text(strings.TrimSpace(tt.typed)))
				}
				if got := g.c.Output(); got != tt.output {
					t.Errorf("output %q, want %q", got, tt.output)
				}
			}
		})
	}
}

func TestPromptAfterPassword(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("os25 login: ")
	g.expect(Prompt(LoginPrompt))
	g.send("root\n")
	g.print("root\r\nPassword: ")
	g.expect(Prompt(PasswordPrompt))
	g.send("root\n")
	g.print("\r\n[    9.000000] x\r\nLinux os25\r\n\x1b[?2004hroot@os25:~# ")
	if m := g.expect(Prompt()); m.Prompt != ShellPrompt {
		t.Errorf("match %+v", m)
	}
}

// A wait that is already under way must not take the echo for its answer.
func TestEchoDuringWait(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("# ")
	mark := make(chan Match)
	go func() {
		m, err := g.c.Expect(g.ctx(), Text("done"))
		if err != nil {
			t.Error(err)
		}
		mark <- m
	}()
	g.send("echo done\n")
	g.print("echo done\r\n")
	select {
	case m := <-mark:
		t.Fatalf("the echo is the answer: %+v", m)
	default:
	}
	g.print("done\r\n")
	<-mark
	if got := g.c.Unread(); got != "\n" {
		t.Errorf("unread %q", got)
	}
}

func TestTypeAhead(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("# ")
	g.send("echo one\n")
	g.send("echo two\n")
	g.print("echo one\r\necho two\r\n")
	g.print("one\r\n# two\r\n# ")
	g.expect(Text("one"))
	g.expect(Text("two"))
	if got, want := g.c.Output(), "two\n"; got != want { // what came before the prompt is the first one's
		t.Errorf("output %q, want %q", got, want)
	}
}

// A guest on a busy host may stop in the middle of an echo.
func TestEchoStalls(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("# ")
	g.send("echo done\n")
	g.print("echo do")
	g.absent(Text("do"))
	g.print("ne\r\n")
	g.absent(Text("done"))
	g.print("done\r\n# ")
	g.expect(Text("done\n"))
}
