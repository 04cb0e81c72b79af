package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/console"
)

// What a guest is asked are lines for a POSIX shell, so these tests have real shells, on
// a terminal each, and no machine.

const patience = 2 * time.Minute

func context2(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// guest is a program on a terminal, with the console at the other end.
type guest struct {
	t        *testing.T
	console  *console.Console
	terminal *os.File // the program's end
}

// start runs a program on a terminal with an environment.
func start(t *testing.T, env []string, name string, args ...string) *guest {
	t.Helper()
	port, terminal := openTerminal(t)
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = env, t.TempDir()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	return run(t, cmd, port, terminal)
}

func run(t *testing.T, cmd *exec.Cmd, port, terminal *os.File) *guest {
	t.Helper()
	cmd.SysProcAttr = sessionLeader(cmd.Stdin == terminal)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := console.New(port, console.Options{
		Name: "box", Prompts: console.Prompts{Shell: regexp.MustCompile(`^[^\r\n]*[#$] $`)},
		Noise: []*regexp.Regexp{regexp.MustCompile(`\d{4}/\d\d/\d\d `)},
	})
	t.Cleanup(func() {
		endSession(cmd.Process.Pid)
		cmd.Wait()
		c.Close()
		terminal.Close()
	})
	return &guest{t, c, terminal}
}

// environment is that of a guest's shell whose programs are in a folder, or the host's.
func environment(t *testing.T, path string) []string {
	if path == "" {
		path = os.Getenv("PATH")
	}
	return []string{"PATH=" + path, "HOME=" + t.TempDir(), "TERM=dumb", "PS1=box# ", "ENV="}
}

// programs is a folder with those of the host's that a guest has, and no shell.
func programs(t *testing.T, without ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"base64", "cat", "chmod", "cp", "mkdir", "mv", "rm", "seq", "sha256sum", "sleep", "timeout", "wc"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range without {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func script(t *testing.T, file, text string) {
	t.Helper()
	os.Remove(file)
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func lookPath(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: `labrun doctor --mend test` installs it", name)
	}
	return path
}

// own is a shell on a port of its own, as our images start it.
func own(t *testing.T) *Shell { return announced(t, `exec sh "$0" </dev/null`) }

// announced is a port of its own where something runs after a shell has announced itself.
func announced(t *testing.T, runs string) *Shell {
	t.Helper()
	port, terminal := openTerminal(t)
	cmd := exec.Command("sh", "-c", `stty raw -echo <"$0" && echo "`+Ready+`" && `+runs, terminal.Name())
	cmd.Env, cmd.Dir = environment(t, ""), t.TempDir()
	cmd.Stdout, cmd.Stderr = terminal, terminal
	g := run(t, cmd, port, terminal)
	s := New(g.console, Options{Machine: "box"})
	s.userland.folder = filepath.Join(t.TempDir(), "labrun")
	return s
}

// foreign are the shells that are here, each with its way to be on a console.
var foreign = []struct {
	name  string
	start func(t *testing.T) *guest
}{
	{"dash", func(t *testing.T) *guest { return start(t, environment(t, ""), lookPath(t, "dash"), "-i") }},
	{"bash", func(t *testing.T) *guest {
		return start(t, environment(t, ""), lookPath(t, "bash"), "--posix", "--norc", "-i")
	}},
	{"BusyBox", func(t *testing.T) *guest { return start(t, environment(t, ""), lookPath(t, "busybox"), "ash", "-i") }},
	{"a shell that is elsewhere", func(t *testing.T) *guest {
		shell := filepath.Join(t.TempDir(), "serial")
		if err := os.Symlink(lookPath(t, "dash"), shell); err != nil {
			t.Fatal(err)
		}
		return start(t, environment(t, programs(t)), shell, "-i")
	}},
	{"a timeout that knows no -k", func(t *testing.T) *guest {
		dir := programs(t)
		script(t, filepath.Join(dir, "timeout"), "#!/bin/sh\ncase $1 in -*) echo \"unrecognized option: $1\" >&2; exit 1;; esac\nexec "+lookPath(t, "timeout")+" \"$@\"\n")
		return start(t, environment(t, dir+":/bin"), lookPath(t, "dash"), "-i")
	}},
}

func shells(t *testing.T, f func(t *testing.T, ctx context.Context, s *Shell)) {
	t.Run("own port", func(t *testing.T) {
		t.Parallel()
		f(t, context2(t), own(t))
	})
	for _, kind := range foreign {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			f(t, context2(t), NewForeign(kind.start(t).console, Options{Machine: "box"}))
		})
	}
}

// inside fails if an error shows what is between labrun and a guest.
func inside(t *testing.T, err error) {
	t.Helper()
	if err != nil && (strings.Contains(err.Error(), "labrun-") || regexp.MustCompile(`[A-Za-z0-9+/]{60}`).MatchString(err.Error())) {
		t.Errorf("an error shows labrun's inside: %v", err)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	shells(t, func(t *testing.T, ctx context.Context, s *Shell) {
		for _, c := range []struct {
			command, out, err string
			status            int
		}{
			{`printf 'one\n\n'; printf "it's two" >&2; exit 7`, "one\n\n", "it's two", 7},
			{"echo \"tab\there\"\necho 'second line'\n", "tab\there\nsecond line\n", "", 0},
			{"cat", "", "", 0},
			{"sleep 600 & echo started", "started\n", "", 0},
			{"echo ünïcödé", "ünïcödé\n", "", 0},
			{": " + strings.Repeat("x", 20_000) + "; echo long", "long\n", "", 0},
			{`echo '!!' "$(( 6 * 7 ))" \\`, "!! 42 \\\n", "", 0},
		} {
			r, err := s.Run(ctx, c.command, time.Minute)
			if err != nil {
				t.Fatalf("%.40q: %v", c.command, err)
			}
			if r.Status != c.status || r.Stdout != c.out || r.Stderr != c.err {
				t.Errorf("%.40q: got %+v", c.command, r)
			}
		}
		_, err := s.Run(ctx, "sleep 600", time.Second)
		if late := new(TimeoutError); !errors.As(err, &late) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a command without end: %v", err)
		}
		inside(t, err)
		if r, err := s.Run(ctx, "seq 30000", time.Minute); err != nil || !strings.HasSuffix(r.Stdout, "\n30000\n") || len(r.Stdout) != 168894 {
			t.Errorf("a longer output: %d bytes, %v", len(r.Stdout), err)
		}
		if r, err := s.Run(ctx, "none-such", time.Minute); err != nil || r.Status != 127 || r.Stderr == "" {
			t.Errorf("a command that is not there: %+v, %v", r, err)
		}
	})
}

func TestFiles(t *testing.T) {
	t.Parallel()
	shells(t, func(t *testing.T, ctx context.Context, s *Shell) {
		data := make([]byte, 40_000)
		for i := range data {
			data[i] = byte(i * i >> 3)
		}
		dir := t.TempDir()
		file := filepath.Join(dir, "a 'strange' name")
		if err := s.WriteFile(ctx, file, data, 0o640); err != nil {
			t.Fatal(err)
		}
		if there, err := os.ReadFile(file); err != nil || !bytes.Equal(there, data) {
			t.Errorf("the file has %d bytes, %v; wrote %d", len(there), err, len(data))
		}
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o640 {
			t.Errorf("the file's mode: %v, %v", info.Mode(), err)
		}
		if back, err := s.ReadFile(ctx, file); err != nil || !bytes.Equal(back, data) {
			t.Errorf("read back %d bytes, %v", len(back), err)
		}
		empty := filepath.Join(dir, "empty")
		if err := s.WriteFile(ctx, empty, nil, 0o600); err != nil {
			t.Error(err)
		}
		if back, err := s.ReadFile(ctx, empty); err != nil || len(back) != 0 {
			t.Errorf("the empty file has %d bytes, %v", len(back), err)
		}
		var refused *GuestError
		for _, path := range []string{filepath.Join(dir, "none"), dir} {
			_, err := s.ReadFile(ctx, path)
			if !errors.As(err, &refused) {
				t.Errorf("reading %s: %v", path, err)
			}
			inside(t, err)
		}
		err := s.WriteFile(ctx, filepath.Join(dir, "none", "x"), data, 0o600)
		if !errors.As(err, &refused) {
			t.Errorf("writing to a folder that is not there: %v", err)
		}
		inside(t, err)
	})
}

// TestLeavesNothing looks for what a conversation leaves behind.
func TestLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range foreign {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			g, ctx := kind.start(t), context2(t)
			s := NewForeign(g.console, Options{Machine: "box"})
			g.enter(ctx, "(exit 5)")
			before := g.shown()
			if _, err := s.Run(ctx, "echo unseen", time.Minute); err != nil {
				t.Fatal(err)
			}
			if after := g.shown(); after != before {
				t.Errorf("the console shows %q", strings.TrimPrefix(after, before))
			}
			if line := g.console.LastLine(); line.Text != "(exit 5)" || line.Number != 1 {
				t.Errorf("the last line is %+v", line)
			}
			if got := g.enter(ctx, "echo $?"); got != "5\n" {
				t.Errorf("the student's status is %q", got)
			}
			if got := g.enter(ctx, `echo "$labrun$labrun_dir$labrun_sh"`); got != "\n" {
				t.Errorf("the student's shell has variables: %q", got)
			}
			if got := g.enter(ctx, "command -v labrun_run || echo none"); got != "none\n" {
				t.Errorf("the student's shell has functions: %q", got)
			}
			if _, err := os.Stat(s.userland.folder); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the folder %s is there: %v", s.userland.folder, err)
			}
			if strings.Contains(g.shown(), "labrun_run 1") {
				t.Errorf("the console shows %q", g.shown())
			}
		})
	}
}

// enter types a line as a student does, and returns its output.
func (g *guest) enter(ctx context.Context, line string) string {
	g.t.Helper()
	if err := g.console.AtRest(ctx); err != nil {
		g.t.Fatal(err)
	}
	if err := g.console.Relay(ctx, []byte(line+"\r")); err != nil {
		g.t.Fatal(err)
	}
	if err := g.console.Finished(ctx); err != nil {
		g.t.Fatalf("%v: the console shows %q", err, g.shown())
	}
	return g.console.Output()
}

// shown is all that those have seen who look at the console.
func (g *guest) shown() string {
	g.t.Helper()
	all, _, err := g.console.Follow(g.t.Context(), 0)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(all)
}

// TestHistory: of all that is typed, a shell can remember one line.
func TestHistory(t *testing.T) {
	t.Parallel()
	for _, ignore := range []string{"", "ignorespace"} {
		ctx := context2(t)
		g := start(t, append(environment(t, ""), "HISTCONTROL="+ignore), lookPath(t, "bash"), "--norc", "-i")
		s := NewForeign(g.console, Options{Machine: "box"})
		if err := s.WriteFile(ctx, filepath.Join(t.TempDir(), "file"), bytes.Repeat([]byte("x"), 10_000), 0o600); err != nil {
			t.Fatal(err)
		}
		want := 1 // of labrun's
		if ignore != "" {
			want = 0
		}
		if got := strings.Count(g.enter(ctx, "history"), "\n"); got != want+1 {
			t.Errorf("with HISTCONTROL=%s there are %d lines", ignore, got)
		}
	}
}

// TestHalfALine: nothing is typed into a line that somebody has begun, and what somebody
// types while labrun does is their next line.
func TestHalfALine(t *testing.T) {
	t.Parallel()
	ctx := context2(t)
	g := start(t, environment(t, ""), lookPath(t, "bash"), "--norc", "-i")
	s := NewForeign(g.console, Options{Machine: "box"})
	if err := g.console.AtRest(ctx); err != nil {
		t.Fatal(err)
	}
	if err := g.console.Relay(ctx, []byte("echo ha")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	ended := make(chan error, 1)
	go func() {
		_, err := s.Run(ctx, ": >"+file+"; sleep 1", time.Minute)
		ended <- err
	}()
	if _, err := g.console.Expect(ctx, console.Text("echo ha")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the command ran while a line was half typed")
	}
	if err := g.console.Relay(ctx, []byte("lf\r")); err != nil {
		t.Fatal(err)
	}
	appears(t, file)
	if err := g.console.Relay(ctx, []byte("echo meanwhile\r")); err != nil { // waits
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := g.console.Finished(ctx); err != nil {
		t.Fatal(err)
	}
	if got, want := console.Plain([]byte(g.shown())), "box# echo half\nhalf\nbox# echo meanwhile\nmeanwhile\nbox# "; got != want {
		t.Errorf("the console shows %q, want %q", got, want)
	}
}

// TestDaemons has others print on the console all the time.
func TestDaemons(t *testing.T) {
	t.Parallel()
	for _, kind := range foreign[:3] {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			g, ctx := kind.start(t), context2(t)
			s := NewForeign(g.console, Options{Machine: "box"})
			if err := g.console.AtRest(ctx); err != nil {
				t.Fatal(err)
			}
			logged, stop := make(chan int), make(chan struct{})
			go func() {
				n := 0
				for ; ; n++ {
					select {
					case <-stop:
						logged <- n
						return
					case <-time.After(100 * time.Millisecond):
					}
					fmt.Fprintf(g.terminal, "2026/11/27 daemon says %d.\n", n) // the terminal makes it \r\n
				}
			}()
			data := bytes.Repeat([]byte("0123456789"), 2_000)
			file := filepath.Join(t.TempDir(), "file")
			if err := s.WriteFile(ctx, file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if back, err := s.ReadFile(ctx, file); err != nil || !bytes.Equal(back, data) {
				t.Errorf("read back %d bytes, %v", len(back), err)
			}
			if r, err := s.Run(ctx, "sleep 1; echo done", time.Minute); err != nil || r.Stdout != "done\n" {
				t.Errorf("a command: %+v, %v", r, err)
			}
			close(stop)
			printed := <-logged
			for last := fmt.Sprintf("says %d.\r\n", printed-1); !strings.Contains(g.shown(), last); {
				if ctx.Err() != nil {
					t.Fatalf("the console does not show %q: %q", last, g.shown())
				}
				time.Sleep(time.Millisecond)
			}
			for n := range printed {
				if want := fmt.Sprintf("2026/11/27 daemon says %d.\r\n", n); strings.Count(g.shown(), want) != 1 {
					t.Errorf("the console does not show %q once: %q", want, g.shown())
					break
				}
			}
			if got := g.enter(ctx, "echo fine"); got != "fine\n" {
				t.Errorf("afterwards the output is %q", got)
			}
		})
	}
}

// TestBackgroundJob: what a job of the student's prints meanwhile is for them to see.
func TestBackgroundJob(t *testing.T) {
	t.Parallel()
	g, ctx := start(t, environment(t, ""), lookPath(t, "dash"), "-i"), context2(t)
	s := NewForeign(g.console, Options{Machine: "box"})
	file := filepath.Join(t.TempDir(), "go")
	g.enter(ctx, "(until [ -e "+file+" ]; do sleep 0.01; done; echo 64 bytes from somewhere) &")
	if _, err := s.Run(ctx, "echo >"+file+"; sleep 1", time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := g.enter(ctx, "echo fine"); !strings.HasSuffix(got, "fine\n") {
		t.Errorf("afterwards the output is %q", got)
	}
	if got := g.shown(); !strings.Contains(got, "64 bytes from somewhere\r\n") || strings.Contains(got, "labrun") {
		t.Errorf("the console shows %q", got)
	}
}

// TestCannot: what a guest lacks is said at once, in words for whoever asked.
func TestCannot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		start func(t *testing.T) *guest
		cards []string
		want  string
	}{
		"no base64": {func(t *testing.T) *guest {
			return start(t, environment(t, programs(t, "base64")), lookPath(t, "dash"), "-i")
		}, nil, "its guest has no base64"},
		"no timeout": {func(t *testing.T) *guest {
			return start(t, environment(t, programs(t, "timeout", "wc")), lookPath(t, "dash"), "-i")
		}, nil, "its guest has no timeout, no wc"},
		"no shell": {func(t *testing.T) *guest {
			return start(t, append(environment(t, ""), "PS1=# "), lookPath(t, "dash"), "-c", `printf '# '; while read -r line; do printf "%s?\n# " "${line% *}"; done`)
		}, nil, "what waits at its console is no shell"},
		"another machine": {func(t *testing.T) *guest {
			return start(t, environment(t, ""), lookPath(t, "dash"), "-i")
		}, []string{"52:55:00:00:00:99"}, "its console is at the shell of another machine"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := NewForeign(c.start(t).console, Options{Machine: "box", Cards: c.cards})
			_, err := s.Run(context2(t), "echo hello", time.Minute)
			if name == "another machine" && err == nil {
				t.Skip("this computer has no network card")
			}
			if err == nil || !strings.HasPrefix(err.Error(), "run on box: `echo hello`: "+c.want) {
				t.Errorf("got %v", err)
			}
			inside(t, err)
		})
	}
}

// TestGivenUp: a command that nobody waits for any more is ended, by a signal or in bash
// by its limit, and the console is at its prompt then.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]time.Duration{"dash": time.Hour, "bash": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, ctx := start(t, environment(t, ""), lookPath(t, name), "-i"), context2(t)
			s := NewForeign(g.console, Options{Machine: "box"})
			file := filepath.Join(t.TempDir(), "file")
			short, cancel := context.WithCancel(ctx)
			ended := make(chan error)
			go func() {
				_, err := s.Run(short, ": >"+file+"; sleep 600", limit)
				ended <- err
			}()
			appears(t, file)
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("a command that was given up: %v", err)
			} else {
				inside(t, err)
			}
			if got := g.enter(ctx, "echo fine"); got != "fine\n" || strings.Contains(g.shown(), "labrun") {
				t.Errorf("the output is %q, the console shows %q", got, g.shown())
			}
			if r, err := s.Run(ctx, "echo again", time.Minute); err != nil || r.Stdout != "again\n" {
				t.Errorf("the next command: %+v, %v", r, err)
			}
		})
	}
}

// TestHangsAtOnce: a guest that has announced its shell and answers nothing is not waited for
// for ever.
func TestHangsAtOnce(t *testing.T) {
	t.Parallel()
	s := announced(t, "exec sleep 600")
	s.Within = func(ctx context.Context, _ time.Duration, cause error) (context.Context, context.CancelFunc) {
		return context.WithTimeoutCause(ctx, time.Second, cause)
	}
	_, err := s.Run(context2(t), "true", time.Hour)
	if err == nil || !strings.Contains(err.Error(), "the guest has not answered: not within 1m0s") {
		t.Errorf("a command: %v", err)
	}
	inside(t, err)
}

// appears waits for a file.
func appears(t *testing.T, file string) {
	t.Helper()
	for t.Context().Err() == nil {
		if _, err := os.Stat(file); err == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestNobodyLoggedIn(t *testing.T) {
	t.Parallel()
	g := start(t, environment(t, ""), lookPath(t, "dash"), "-c", "printf 'box login: '; read -r name")
	s := NewForeign(g.console, Options{Machine: "box"})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := s.Run(ctx, "true", time.Minute)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no shell prompt") {
		t.Errorf("got %v", err)
	}
	inside(t, err)
}

// A shell that has lost its folder, as while its machine shuts down, has nothing to say of a command: least of all that it
// ran and printed nothing.
func TestNoFolder(t *testing.T) {
	script := userland{shell: "sh", limit: "timeout -k 2", folder: filepath.Join(t.TempDir(), "gone"), box: "none"}.set() + "\n" +
		strings.Join(functions, "\n") + "\n" + noSum + "\nlabrun_run 7 5 true\n"
	out, err := exec.Command("sh", "-c", script).Output()
	if err != nil || !strings.Contains(string(out), "@labrun-end-7") {
		t.Fatalf("%q, %v", out, err)
	}
	if regexp.MustCompile(ran(7)).Match(out) {
		t.Errorf("it answers %q", out)
	}
}
