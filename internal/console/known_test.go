package console

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// images are consoles with the patterns of images.lock.
var images = Options{
	Name: "debian",
	Prompts: Prompts{
		Login:    regexp.MustCompile(`^[\w.-]+ login: $`),
		Password: regexp.MustCompile("(^P|'s p)assword: $"),
		Shell:    regexp.MustCompile(`^[^\r\n]*[#$] $`),
	},
}

// inNoTime runs a test in which time passes only while all wait.
func inNoTime(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// enter types a line at the prompt that is there, and has the guest echo it.
func (g *guest) enter(line string) {
	g.t.Helper()
	g.send(line + "\n")
	g.print(line + "\r\n")
}

// output waits for the end of what was typed.
func (g *guest) output() string {
	g.t.Helper()
	if err := g.c.Finished(g.ctx()); err != nil {
		g.t.Fatal(err)
	}
	return g.c.Output()
}

// What stands before the prompt on its line is output.
func TestOutputWithoutNewline(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 100)
	for _, tt := range []struct {
		name, prompt    string
		typed, printed  string
		output, present string // present: the prompt as it is now
	}{
		{"alpine", "localhost:~# ", "printf answer", "answerlocalhost:~# ", "answer", "localhost:~# "},
		{"alpine in another folder", "localhost:~# ", "cd /etc; printf answer", "answerlocalhost:/etc# ", "answer", "localhost:/etc# "},
		{"alpine's other user", "localhost:~# ", "printf answer; su nini", "answerlocalhost:/root$ ", "answer", "localhost:/root$ "},
		{"debian", "root@os25:~# ", "printf answer", "answer\x1b[?2004hroot@os25:~# ", "answer", "root@os25:~# "},
		{"debian in another folder", "root@os25:~# ", "cd /usr/share; printf answer", "answerroot@os25:/usr/share# ", "answer", "root@os25:/usr/share# "},
		{"several lines", "root@os25:~# ", "cat two", "one\r\ntworoot@os25:~# ", "one\ntwo", "root@os25:~# "},
		{"router7", "/ # ", "cat leases.json", "[{}\r\n]/ # ", "[{}\n]", "/ # "},
		{"router7 in another folder", "/ # ", "cd /perm; cat leases.json", "[{}\r\n]/perm # ", "[{}\n]", "/perm # "},
		{"a prompt that is only a sign", "# ", "printf answer", "answer# ", "answer", "# "},
		{"dollars", "nini@os25:~$ ", "printf 'it costs 5$ '", "it costs 5$ nini@os25:~$ ", "it costs 5$ ", "nini@os25:~$ "},
		{"longer than any prompt", "localhost:~# ", "cat digits", long + "localhost:~# ", long, "localhost:~# "},
		{"a shell of another distribution", "[root@fedora ~]# ", "cd /etc; printf answer", "answer[root@fedora etc]# ", "answer", "[root@fedora etc]# "},
		{"a kernel message in the prompt", "localhost:~# ", "printf answer", "answerlocal[   12.345678] usb 1-1: new\r\nhost:~# ", "answer", "localhost:~# "},
		{"nothing", "localhost:~# ", "true", "localhost:~# ", "", "localhost:~# "},
		{"another folder", "localhost:~# ", "cd /etc", "localhost:/etc# ", "", "localhost:/etc# "},
		{"a name with a number", "[0] sh$ ", "false", "[1] sh$ ", "", "[1] sh$ "},
	} {
		inNoTime(t, tt.name, func(t *testing.T) {
			g := newGuest(t, images)
			g.print(tt.prompt)
			g.enter(tt.typed)
			g.print(strings.Split(tt.printed, "")...)
			if got := g.output(); got != tt.output {
				t.Errorf("output %q, want %q", got, tt.output)
			}
			if m := g.expect(Prompt()); m.Text != tt.present || m.Prompt != ShellPrompt {
				t.Errorf("the prompt is %+v", m)
			}
			// The same of a person.
			g.relay(tt.typed + "\r")
			g.print(tt.typed + "\r\n" + tt.printed)
			if got := g.output(); got != tt.output {
				t.Errorf("a person's output %q, want %q", got, tt.output)
			}
		})
	}
}

// The very prompt that was typed at needs to stand still for less long than any other, but where labrun is to type behind
// a person's back.
func TestTheSamePrompt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		printed string
		want    time.Duration
	}{
		{"root@os25:~# ", settleKnown},
		{"one\r\nroot@os25:~# ", settleKnown},
		{"oneroot@os25:~# ", settlePrompt},
		{"root@os25:/etc# ", settlePrompt},
	} {
		inNoTime(t, tt.printed, func(t *testing.T) {
			g := newGuest(t, images)
			g.print("root@os25:~# ")
			g.enter("command")
			g.print(tt.printed)
			began := time.Now()
			g.output()
			if took := time.Since(began); took != tt.want {
				t.Errorf("believed after %v, want %v", took, tt.want)
			}
			if err := g.c.AtRest(g.ctx()); err != nil || time.Since(began) != settlePrompt {
				t.Errorf("at rest after %v, %v", time.Since(began), err)
			}
		})
	}
}

// A pause after what looks like a prompt is no prompt.
func TestPauseIsNoPrompt(t *testing.T) {
	t.Parallel()
	for _, shown := range []string{"Working # ", "costs 5$ ", "Password: ", "# ", "see /etc # "} {
		inNoTime(t, shown, func(t *testing.T) {
			g := newGuest(t, images)
			g.print("root@os25:~# ")
			g.enter("script")
			g.print(shown)
			pause, cancel := context.WithTimeout(t.Context(), settleAsk)
			defer cancel()
			if err := g.c.Finished(pause); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("finished: %v", err)
			}
			if got := g.c.Output(); got != shown {
				t.Errorf("output meanwhile %q", got)
			}
			g.print("done\r\nroot@os25:~# ")
			if got, want := g.output(), shown+"done\n"; got != want {
				t.Errorf("output %q, want %q", got, want)
			}
		})
	}
}

// A pause that is too long is taken for a prompt. What is typed then is echoed by the
// terminal, and once more by the shell: its output is its own all the same.
func TestOutputsDoNotShift(t *testing.T) {
	t.Parallel()
	for _, shown := range []string{"Working # ", "Password: ", "root@os25:~# "} {
		for _, cd := range []string{"~", "/etc"} {
			inNoTime(t, shown+cd, func(t *testing.T) {
				g := newGuest(t, images)
				g.print("root@os25:~# ")
				g.enter("script")
				g.print(shown)
				g.output()
				g.enter("echo next")
				g.print("done\r\nroot@os25:" + cd + "# ")
				g.known(shown == "root@os25:~# ") // then nothing tells that it is not this one's prompt
				g.print("echo next\r\nnext\r\nroot@os25:" + cd + "# ")
				if got := g.output(); got != "next\n" {
					t.Errorf("output %q", got)
				}
				g.enter("echo last")
				g.print("last\r\nroot@os25:" + cd + "# ")
				if got := g.output(); got != "last\n" {
					t.Errorf("output of the one after it %q", got)
				}
			})
		}
	}
}

// known fails the test unless the prompt that is there is believed at once, or only
// after a while.
func (g *guest) known(want bool) {
	g.t.Helper()
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	at, _ := g.c.prompt(g.c.asked)
	if at.kind == NoPrompt || (g.c.known.patience(at) <= settlePrompt) != want {
		g.t.Errorf("%+v is believed after %v", at, g.c.known.patience(at))
	}
}

// Two lines are typed without a wait between them.
func TestTypedAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuest(t, images)
		g.print("root@os25:~# ")
		g.enter("sleep 1; echo one")
		g.enter("echo two")
		g.print("one\r\nroot@os25:~# ")
		g.known(false)
		g.print("echo two\r\ntwo\r\nroot@os25:~# ")
		if got := g.output(); got != "two\n" {
			t.Errorf("output %q", got)
		}
		// What a program reads is not printed again.
		g.enter("read x; echo $x")
		g.enter("hello")
		g.print("hello\r\nroot@os25:~# ")
		if got := g.output(); got != "hello\n" {
			t.Errorf("output of what was read %q", got)
		}
	})
}

// A prompt that is new is believed after a while, or at once where nothing could be known
// of it; then it is known.
func TestNewPrompts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, typed, shown string
		atOnce             bool
	}{
		{"a plain shell", "sh", "# ", false},
		{"of one's own", "PS1='mine$ '", "mine$ ", false},
		{"another user", "su nini", "nini@os25:/root$ ", true},
		{"another machine", "ssh alpine", "Welcome\r\nlocalhost:~# ", true},
		{"another shell", "bash", "root@os25:~# ", true},
		{"a login", "exit", "\r\nos25 login: ", true},
		{"ssh", "ssh root@10.254.0.2", "root@10.254.0.2's password: ", true},
	} {
		inNoTime(t, tt.name, func(t *testing.T) {
			g := newGuest(t, images)
			g.print("root@os25:~# ")
			g.enter(tt.typed)
			g.print(tt.shown)
			g.known(tt.atOnce)
			g.expect(Prompt())
			if tt.atOnce {
				return
			}
			if got := g.c.Output(); got != "" {
				t.Errorf("output %q", got)
			}
			for range 2 {
				g.enter("ls")
				g.print("bin\r\n" + tt.shown)
				g.known(true)
				if got := g.output(); got != "bin\n" {
					t.Errorf("output %q", got)
				}
			}
			g.enter("printf answer")
			g.print("answer" + tt.shown)
			if got := g.output(); got != "answer" {
				t.Errorf("output %q", got)
			}
			g.enter("exit")
			g.print("exit\r\nroot@os25:~# ")
			if got := g.output(); got != "exit\n" {
				t.Errorf("output %q", got)
			}
		})
	}
	inNoTime(t, "after a login", func(t *testing.T) {
		g := newGuest(t, images)
		g.print("localhost:~# ")
		g.enter("exit")
		g.print("\r\nlocalhost login: ")
		g.expect(Prompt(LoginPrompt))
		g.enter("nini")
		g.print("Password: ")
		g.expect(Prompt(PasswordPrompt))
		g.send("nini\n")
		g.print("\r\nWelcome\r\n$ ")
		g.known(true)
		g.expect(Prompt(ShellPrompt))
	})
}

// A person who types at a new prompt does not wait until it is believed.
func TestNewPromptIsTypedAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuest(t, images)
		g.print("root@os25:~# ")
		g.relay("sh\r")
		g.print("sh\r\n# ")
		g.relay("id\r")
		g.print("id\r\nroot\r\n# ")
		g.known(true)
		if got := g.output(); got != "root\n" {
			t.Errorf("output %q", got)
		}
	})
}

// Lines that belong together have one output, without what is between them.
func TestJoin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		steps  [][2]string // a line, and what is printed at it
		output string
	}{
		{"commands", [][2]string{{"echo one", "one\r\nlocalhost:~# "}, {"echo two", "two\r\nlocalhost:~# "}}, "one\ntwo\n"},
		{"no newlines", [][2]string{{"printf one", "onelocalhost:~# "}, {"printf two", "twolocalhost:~# "}, {"printf 3", "3localhost:~# "}}, "onetwo3"},
		{"a document", [][2]string{{"cat <<EOF", "> "}, {"hello", "> "}, {"EOF", "hello\r\nlocalhost:~# "}}, "hello\n"},
		{"a question", [][2]string{{"rm -i x", "rm: remove 'x'? "}, {"y", "localhost:~# "}}, "rm: remove 'x'? "},
		{"typed ahead", [][2]string{{"sleep 9; echo one", ""}, {"echo two", "one\r\nlocalhost:~# echo two\r\ntwo\r\nlocalhost:~# "}}, "one\ntwo\n"},
	} {
		for _, person := range []bool{false, true} {
			inNoTime(t, tt.name, func(t *testing.T) {
				g := newGuest(t, images)
				g.print("localhost:~# ")
				for i, step := range tt.steps {
					if person {
						g.relay(step[0] + "\r")
					} else {
						g.send(step[0] + "\n")
					}
					if i > 0 {
						g.c.Join()
					}
					g.print(step[0] + "\r\n" + step[1])
				}
				if got := g.output(); got != tt.output {
					t.Errorf("output %q, want %q", got, tt.output)
				}
				g.enter("echo last")
				g.print("last\r\nlocalhost:~# ")
				if got := g.output(); got != "last\n" {
					t.Errorf("output of the next line %q", got)
				}
			})
		}
	}
}

// A line that the guest's shell would cut is not typed; where no shell reads it, it is.
func TestLongLines(t *testing.T) {
	t.Parallel()
	o := images
	o.Line = 20
	g := newGuest(t, o)
	g.print("localhost:~# ")
	g.enter("echo 678901234567890")
	g.print("localhost:~# ")
	for _, text := range []string{"echo 6789012345678901\n", "ls\necho 6789012345678901\n"} {
		err := g.c.Send(g.ctx(), text)
		if err == nil || !strings.Contains(err.Error(), "has 21 bytes") || !strings.Contains(err.Error(), "write_file") {
			t.Errorf("error %v", err)
		}
	}
	g.enter("cat")
	g.enter(strings.Repeat("x", 30))
}
