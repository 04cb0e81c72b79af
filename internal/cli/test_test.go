package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hostLab is a mission that needs no machine: its console is a shell of this
// computer. Its second step has a check that cannot fail.
const hostLab = `mission(title = "Lab", api = 1, needs = ["host"])

def good():
    """Good"""
    sh = terminal("sh")
    wait_prompt(sh)
    send(sh, "echo $((6 * 7))")
    assert_contains(sh, "42", hint = "Type ` + "`echo $((6 * 7))`" + `.")

def bad():
    """Bad"""
    sh = terminal("sh")
    wait_prompt(sh)
    send(sh, "echo 1")
    assert_equal(2 + 2, 4, hint = "Think.")

step(good)
step(bad)
`

func TestTestTellsEachTrial(t *testing.T) {
	isolate(t)
	file := write(t, "lab.star", hostLab)
	report := filepath.Join(t.TempDir(), "out.xml")
	got := invoke("test", "--allow", "host", "--junit", report, file)
	got.want(t, exitCheck, "  2. Bad\n", "")
	for _, want := range []string{
		file + "\n  1. Good\n     ok         solved",
		"\n     ok         fails without `echo $((6 * 7))` at sh",
		"\n     FAILED     fails without `echo 1` at sh",
		"\n       " + file + ":14:9: what is checked passes, though at sh only Enter was pressed\n",
		"\n       to mend it: check what only `echo 1` leads to\n",
		"\n     not tried  the hint of assert_equal solves it\n       " + file + ":15:17: the hint shows nothing in backquotes to type\n",
		"\n" + file + ": 6 passed, 1 failed, 1 not tried, in ",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("stdout lacks %q:\n%s", want, got.out)
		}
	}
	contains(t, report, `tests="8" failures="1" errors="0" skipped="1"`, `<testcase name="1. Good: solved"`, "to mend it: check what only", "<skipped message=")
}

func TestTestAsJSON(t *testing.T) {
	isolate(t)
	got := invoke("test", "--allow", "host", "--json", "--step", "2", write(t, "lab.star", hostLab))
	got.want(t, exitCheck, "", "")
	failed := 0
	for line := range strings.Lines(got.out) {
		var trial struct {
			Step                            int
			Title, Trial, Position, Failure string
			Remedy, NotTried                string
			Seconds                         float64
		}
		if err := json.Unmarshal([]byte(line), &trial); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if trial.Step != 2 || trial.Title != "Bad" || trial.Trial == "" || trial.Position == "" {
			t.Errorf("got %+v", trial)
		}
		if trial.Failure != "" && trial.Remedy != "" {
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("%d trials failed, want 1:\n%s", failed, got.out)
	}
}

func TestTestOfAGoodLab(t *testing.T) {
	isolate(t)
	invoke("test", "testdata/good/lab.star").want(t, exitPassed, "4 passed, 0 failed, in 0 s\n", "")
}

func TestTestRefuses(t *testing.T) {
	home := isolate(t)
	lab := write(t, "lab.star", hostLab)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"test"}, exitUsage, "which missions? Name their files"},
		{[]string{"test", lab}, exitUsage, "wants to open a shell on this computer: if you trust it, say --allow host"},
		{[]string{"test", "--allow", "host", "--step", "3", lab}, exitUsage, "--step 3: " + lab + " has 2 steps"},
		{[]string{"test", "no.star"}, exitUsage, "no.star: there is no such mission"},
		{[]string{"test", "testdata/good/lab.star", "--junit", home + "/no/x.xml"}, exitUsage, "no file can be made in its folder"},
		{[]string{"test", write(t, "lab.star", "step(1)\n")}, exitScript, "lab.star:1:5: step"},
	} {
		got := invoke(c.args...)
		got.want(t, c.code, "", c.says)
		if got.out != "" {
			t.Errorf("%v: it began all the same:\n%s", c.args, got.out)
		}
	}
	if left, _ := os.ReadDir(home); len(left) > 0 {
		t.Errorf("a refused call left %v", left)
	}
}
