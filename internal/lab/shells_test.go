package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/labrun/labrun/internal/console"
)

// The shells of this computer, with prompts as the machines have them: what stands before
// a prompt is output, and what looks like one is output as well.
func TestRealShells(t *testing.T) {
	for _, tt := range []struct {
		name, prompt string
		shell        []string
	}{
		{"bash", "root@os25:~# ", []string{"bash", "--norc", "--noprofile", "-i"}},
		{"sh", "/ # ", []string{"sh", "-i"}},
		{"busybox", "localhost:~# ", []string{"busybox", "ash", "-i"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := exec.LookPath(tt.shell[0]); err != nil {
				t.Fatalf("%v: `labrun doctor --mend test` installs it", err)
			}
			t.Parallel()
			dir := t.TempDir()
			c := startShell(t, dir, tt.prompt, tt.shell)
			gate := filepath.Join(dir, "gate")
			if err := unix.Mkfifo(gate, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Expect(t.Context(), console.Prompt()); err != nil {
				t.Fatal(err)
			}
			for _, line := range []struct{ typed, output string }{
				{"printf answer", "answer"},
				{"printf 'one\\ntwo'", "one\ntwo"},
				{"printf 'Working # '; sleep 0.2; echo done", "Working # done\n"},
				{"printf 'Password: '; sleep 0.2; echo done", "Password: done\n"},
				{"echo next", "next\n"},
				{"printf 'it costs 5$ '; read _ <gate; echo done", ""}, // so long that it is taken for a prompt
				{"echo after", "after\n"},                              // is typed meanwhile
				{"sh -c 'exit 3'; printf $?", "3"},
				{"PS1='mine$ '", ""},
				{"printf answer", "answer"},
				{"echo last", "last\n"},
			} {
				if err := c.Send(t.Context(), line.typed+"\n"); err != nil {
					t.Fatal(err)
				}
				if line.typed == "echo after" {
					if err := os.WriteFile(gate, []byte("\n"), 0); err != nil {
						t.Fatal(err)
					}
				}
				if err := c.Finished(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := c.Output(); got != line.output {
					t.Errorf("output of `%s` is %q, want %q", line.typed, got, line.output)
				}
			}
		})
	}
}

// startShell starts a shell in a folder, on a terminal of its own, and ends it with the test.
func startShell(t *testing.T, dir, prompt string, shell []string) *console.Console {
	command := exec.Command(shell[0], shell[1:]...)
	command.Dir = dir
	command.Env = append(command.Environ(), "PS1="+prompt, "ENV=", "TERM=vt100", "HISTFILE=")
	stream, err := startOnTerminal(command)
	if err != nil {
		t.Fatal(err)
	}
	c := console.New(stream, console.Options{Name: shell[0], Prompts: console.Prompts{
		Login:    regexp.MustCompile(`^[\w.-]+ login: $`),
		Password: regexp.MustCompile("(^P|'s p)assword: $"),
		Shell:    regexp.MustCompile(`^[^\r\n]*[#$] $`),
	}})
	t.Cleanup(func() {
		if err := c.Close(); err != nil { // it ends the shell
			t.Error(err)
		}
	})
	return c
}
