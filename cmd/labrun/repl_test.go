package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const replLab = `mission(title = "Two words", api = 1)
server = machine("server", image = "alpine")

def words():
    """Words"""
    boot(server)
    login(server)

step(words)
`

// TestRepl finds out at the prompt what to write, and keeps it as a step that plays.
func TestRepl(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a virtual machine: run without -short")
	}
	file := filepath.Join(t.TempDir(), "two.star")
	save(t, file, replLab)
	env := []string{"XDG_STATE_HOME=" + t.TempDir()}
	s := sits(t, "the instructor", env, "repl", file)
	s.sees("Two words: its machines are booting.")
	s.sees(">>> ")
	s.types("login(serv\t)")
	s.sees(`login\(server\)`)
	s.sees(">>> ")
	s.types("for word in [\"one\", \"two\"]:")
	s.sees(`\.\.\. `)
	s.types("    send(server, \"echo is \" + word)")
	s.sees(`\.\.\. `)
	s.types("")
	s.sees(">>> ")
	s.types("assert_contains(server, \"is two\", hint = \"Type it.\")")
	s.sees(">>> ")
	s.types("output(server)")
	s.sees(`"is two\\n"`)
	s.types("assert_contains(server, \"three\")")
	s.sees(`repl:7:16: assert_contains: "three" not found`)
	s.sees(">>> ")
	s.types("say(\"it \" + \"waits\"); wait_for(server, \"never\")")
	s.sees("it waits") // from now on the key is a signal
	if _, err := s.tty.Send("\x03"); err != nil {
		t.Fatal(err)
	}
	s.sees("interrupted: what it had typed by then is typed")
	s.sees(">>> ")
	s.types("half a line\x03")
	s.sees(">>> ")
	s.types(":screen server")
	s.sees("is one(.|\n)*is two")
	s.types(":save two_words " + file)
	s.sees("has a step two_words now")
	s.types("\x04")
	<-s.over
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d; it said:\n%s", code, s.out.String())
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(text), replLab) {
		t.Fatalf("the mission is\n%s\n%v", text, err)
	}
	if strings.Contains(string(text), "never") || strings.Contains(string(text), "three") {
		t.Errorf("what failed was saved:\n%s", text)
	}
	l := command(t, file)
	l.begin(t)
	l.finish(t, 0)
}

// From a pipe it is silent, and ends with the first statement that fails.
func TestReplFromAPipe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "two.star")
	save(t, file, replLab)
	l := command(t, "repl", file)
	l.Stdin = strings.NewReader("run(server, \"echo hello\").stdout\nfail(\"no\")\n1 + 1\n")
	l.begin(t)
	l.finish(t, 1)
	if l.out.String() != "\"hello\\n\"\n" || !strings.Contains(l.err.String(), "repl:2:5: fail: no") {
		t.Errorf("it said\n%s\n%s", l.out.String(), l.err.String())
	}
}
