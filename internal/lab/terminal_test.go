package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/console"
)

// openTerminal opens a terminal, with a function that types a command there and
// returns what it printed.
func openTerminal(t *testing.T) (*Terminal, func(command string) string) {
	t.Helper()
	terminal, err := new(Lab).OpenTerminal("host")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := terminal.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	c := terminal.Console()
	if _, err := c.Expect(ctx, console.Prompt()); err != nil {
		t.Fatal(err)
	}
	return terminal, func(command string) string {
		t.Helper()
		if err := c.Send(ctx, command+"\n"); err != nil {
			t.Fatal(err)
		}
		if err := c.Finished(ctx); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(c.Output())
	}
}

// nobodyReads fails the test if a goroutine stays that reads a terminal.
func nobodyReads(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if !bytes.Contains(stacks, []byte("go-expect")) && !bytes.Contains(stacks, []byte("hostSession")) {
			return
		}
		if time.Now().After(deadline) { // one that has done its work may need a moment to end
			t.Errorf("a goroutine stays:\n%s", stacks)
			return
		}
		runtime.Gosched()
	}
}

func TestTerminal(t *testing.T) {
	terminal, typed := openTerminal(t)
	if got := typed("stty size; tty >/dev/null && echo 'é 中' && printf '%s' last"); got != "24 80\né 中\nlast" {
		t.Errorf("it says %q", got)
	}
	shell, err := strconv.Atoi(typed("echo $$"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(typed("seq 1 20000"), "\n")
	if len(lines) != 20000 || lines[19999] != "20000" {
		t.Errorf("of 20000 lines %d arrive, the last is %q", len(lines), lines[len(lines)-1])
	}
	if err := terminal.Close(); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(shell, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("its shell is still there: %v", err)
	}
	nobodyReads(t)
	if err := terminal.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

// What a shell starts outlives no lab, however it clings to its terminal.
func TestTerminalWithStubbornProcesses(t *testing.T) {
	t.Cleanup(func() { nobodyReads(t) }) // when all have ended
	for name, command := range map[string]string{
		"ignores the hang-up":   "nohup sleep 600 & echo pid=$!",
		"ignores all it can":    "(trap '' HUP TERM INT; while :; do sleep 600; done) & echo pid=$!",
		"has its own session":   "setsid sh -c 'echo pid=$$; exec sleep 600' &",
		"is stopped":            "sh -c 'echo pid=$$; kill -STOP $$; sleep 600' &",
		"is in the foreground":  "sh -c 'trap \"\" HUP; echo pid=$$; cat'",
		"prints without an end": "yes & echo pid=$!",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			terminal, _ := openTerminal(t)
			c := terminal.Console()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := c.Send(ctx, "cd "+t.TempDir()+"; "+command+"\n"); err != nil { // nohup leaves a file
				t.Fatal(err)
			}
			found, err := c.Expect(ctx, console.Pattern(regexp.MustCompile(`pid=(\d+)\s`)))
			if err != nil {
				t.Fatal(err)
			}
			if err := terminal.Close(); err != nil {
				t.Error(err)
			}
			pid, err := strconv.Atoi(found.Groups[0])
			if err != nil {
				t.Fatal(err)
			}
			// Whoever has inherited it may not have waited for it yet.
			if state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && !strings.Contains(string(state), ") Z ") {
				t.Errorf("it is still there: %s", state)
			}
		})
	}
}

// A process that may not be killed, another user's, still has the terminal open.
func TestTerminalThatIsKeptOpen(t *testing.T) {
	terminal, typed := openTerminal(t)
	name := typed("tty")
	tty, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	if err := terminal.Close(); err != nil {
		t.Error(err)
	}
	nobodyReads(t)
}

// A shell that is left by exit ends its console's waits.
func TestTerminalThatEnds(t *testing.T) {
	terminal, _ := openTerminal(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	// The shell may be gone before its echo was read.
	if err := terminal.Console().Send(ctx, "exit\n"); err != nil && !errors.Is(err, console.ErrClosed) {
		t.Fatal(err)
	}
	if _, err := terminal.Console().Expect(ctx, console.Text("never")); !errors.Is(err, console.ErrClosed) {
		t.Errorf("a wait ends with %v", err)
	}
}

func TestTerminalWithoutAShell(t *testing.T) {
	for range 10 {
		if s, err := startOnTerminal(exec.Command("/none")); err == nil {
			t.Errorf("there is none, and it runs: %v", s.Close())
		}
	}
	nobodyReads(t)
}
