package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestProofOnATerminal: who waits for a proof sees what is being tried, and keeps only
// what came of it.
func TestProofOnATerminal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "six.star")
	save(t, file, `mission(title = "Lab", api = 1, needs = ["host"])

def good():
    """Good"""
    sh = terminal("sh")
    wait_prompt(sh)
    send(sh, "echo $((6 * 7))")
    assert_contains(sh, "42", hint = "Type `+"`echo $((6 * 7))`"+`.")

step(good)
`)
	s := sits(t, "the author", nil, "test", "--allow", "host", file)
	s.sees("  1. Good\r\n     trying     solved\r")
	s.sees(`     ok         solved`)
	s.sees("     trying     .1 more in this step. fails without `echo ...6 . 7..` at sh\r")
	s.sees("4 passed, 0 failed")
	<-s.over
	if code := s.cmd.ProcessState.ExitCode(); code != 0 || strings.Count(s.out.String(), "  1. Good\r\n") != 1 {
		t.Errorf("exit code %d; it said:\n%s", code, s.out.String())
	}
}
