package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRunPasses(t *testing.T) {
	isolate(t)
	got := invoke("testdata/good/lab.star")
	got.want(t, 0, "Words\ntestdata/good/lab.star, 2 steps, about 5 minutes for a student\n1/2  Greet\n", "")
	for _, line := range []string{
		"     hello from another file\n", "     printed\n",
		"2/2  Think\n     Question: Which has a kernel of its own?\n       - the container\n       - the VM\n     Answer: the VM\n",
		"Mission complete: 2 of 2 steps in ",
	} {
		if !strings.Contains(got.out, line) {
			t.Errorf("stdout lacks %q:\n%s", line, got.out)
		}
	}
	if strings.Count(got.err, "\n") != 1 || !strings.HasPrefix(got.err, "report: ") {
		t.Errorf("stderr = %q, want where the report is and nothing else", got.err)
	}
}

func TestRunFails(t *testing.T) {
	isolate(t)
	got := invoke(step(t, `say("before")`, `assert_equal(2 + 2, 5, hint = "Count once more.")`, `say("after")`))
	got.want(t, exitCheck, "Mission not complete: 0 of 1 steps passed", "lab.star:6:17: assert_equal: got 4, want 5\nhint: Count once more.\n")
	if !strings.HasPrefix(got.err, "in step «Work»:\n") {
		t.Errorf("stderr = %q", got.err)
	}
	if !strings.Contains(got.out, "before") || strings.Contains(got.out, "after") {
		t.Errorf("stdout = %q, want it to end with the failed check", got.out)
	}

	invoke(step(t, `fail("the router gave no lease", hint = "Is it on?")`)).
		want(t, exitCheck, "", "fail: the router gave no lease\nhint: Is it on?\n")
}

func TestRunStopsAtTheFirstFailedStep(t *testing.T) {
	isolate(t)
	file := write(t, "lab.star", `mission(title = "Lab", api = 1)

def one():
    """One"""

def two():
    """Two"""
    fail("no")

def three():
    """Three"""

step(one)
step(two)
step(three)
`)
	got := invoke(file)
	got.want(t, exitCheck, "1 of 3 steps passed", "in step «Two»")
	if strings.Contains(got.out, "Three") {
		t.Errorf("stdout = %q, want no third step", got.out)
	}
}

func TestQuiet(t *testing.T) {
	isolate(t)
	got := invoke("-q", "testdata/good/lab.star")
	if got.code != 0 || strings.Count(got.out, "\n") != 1 || !strings.HasPrefix(got.out, "Mission complete: ") || got.err != "" {
		t.Errorf("got %+v, want the last line alone", got)
	}
	invoke("-q", step(t, `fail("no")`)).want(t, exitCheck, "Mission not complete: ", "fail: no")
}

func TestJSON(t *testing.T) {
	isolate(t)
	kinds := func(out string) (kinds []string, last map[string]any) {
		t.Helper()
		for line := range strings.Lines(out) {
			last = nil
			if err := json.Unmarshal([]byte(line), &last); err != nil {
				t.Fatalf("%v in %q", err, line)
			}
			kinds = append(kinds, last["event"].(string))
		}
		return kinds, last
	}

	got := invoke("--json", "testdata/good/lab.star")
	all, last := kinds(got.out)
	want := []string{"run_started", "step_started", "said", "said", "checked", "step_ended",
		"step_started", "asked", "checked", "checked", "checked", "checked", "step_ended", "run_ended"}
	if got.code != 0 || !slices.Equal(all, want) {
		t.Errorf("exit %d, events %v, want %v", got.code, all, want)
	}
	if last["passed"] != true || last["exit_code"] != 0.0 || last["steps"] != 2.0 {
		t.Errorf("the run ended with %v", last)
	}

	got = invoke("--json", step(t, `fail("no", hint = "Try again.")`))
	all, last = kinds(got.out)
	want = []string{"run_started", "step_started", "checked", "step_ended", "run_ended"}
	if got.code != exitCheck || !slices.Equal(all, want) {
		t.Errorf("exit %d, events %v, want %v", got.code, all, want)
	}
	if failed, _ := last["failed"].(string); last["passed"] != false || last["exit_code"] != 1.0 || !strings.Contains(failed, "fail: no") {
		t.Errorf("the run ended with %v", last)
	}
}

func TestFloodOfOutputIsStopped(t *testing.T) {
	isolate(t)
	got := invoke("-q", step(t, `for i in range(100000):`, `    print("x" * 100)`))
	got.want(t, exitScript, "Mission not complete", "lab.star:6:14: the script printed more than 1024 KiB\n")
	got = invoke("-q", step(t, `for i in range(100000):`, `    say("x" * 100)`))
	got.want(t, exitScript, "Mission not complete", "lab.star:6:12: the script printed more than 1024 KiB\n")
}

// hostMission is a mission with one step that needs the host.
func hostMission(t *testing.T, lines ...string) string {
	t.Helper()
	file := step(t, lines...)
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "host.star", strings.Replace(string(source), "api = 1", `api = 1, needs = ["host"]`, 1))
}

func TestTerminal(t *testing.T) {
	home := isolate(t)
	file := hostMission(t,
		`host = terminal("host")`,
		`assert_equal(wait_prompt(host), "shell")`,
		`send(host, "echo hi $((20 + 3))")`,
		`assert_contains(host, "hi 23")`,
		`assert_equal(output(host).strip(), "hi 23")`,
		`send(host, "cat")`,
		`send(host, "typed")`,
		`wait_for(host, text = "typed")`,
		`send_key(host, "ctrl-c")`,
		`assert_equal(wait_prompt(host), "shell")`)

	got := invoke(file)
	got.want(t, exitUsage, "", "labrun: the mission wants to open a shell on this computer: if you trust it, say --allow host\n")
	if got.out != "" {
		t.Errorf("stdout = %q, want no step to begin", got.out)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) > 0 {
		t.Errorf("a refused mission left %v in the home folder (%v)", left, err)
	}

	invoke("--allow", "host", file).want(t, exitPassed, "Mission complete", "")
}

// Consent does not stand in for the declaration.
func TestTerminalMustBeDeclared(t *testing.T) {
	isolate(t)
	invoke("--allow", "host", step(t, `terminal("host")`)).want(t, exitScript, "", `write mission(…, needs = ["host"])`)
}

func TestTimeout(t *testing.T) {
	isolate(t)
	file := hostMission(t,
		`host = terminal("host")`,
		`wait_prompt(host)`,
		`send(host, "cat")`,
		`wait_for(host, text = "never", timeout = 0.1)`)
	invoke("--allow", "host", file).want(t, exitTimeout, "Mission not complete", "host.star:8:13: wait_for")
}

func TestOldestRecordsAreRemoved(t *testing.T) {
	home := isolate(t)
	runs := filepath.Join(home, "state", "labrun", "runs")
	for _, name := range []string{"notes", "2024-05-01T10-00-00-lab-9", "2025-05-01T10-00-00-lab-1", "2025-05-02T10-00-00-lab-1", "2025-05-03T10-00-00-lab-1",
		"2025-05-04T10-00-00-lab-1", "2025-05-05T10-00-00-lab-1", "2025-05-06T10-00-00-lab-1", "2025-05-07T10-00-00-lab-1",
		"2025-05-08T10-00-00-lab-1", "2025-05-09T10-00-00-lab-1"} {
		if err := os.MkdirAll(filepath.Join(runs, name, "console"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	got := invoke("testdata/good/lab.star")
	got.want(t, exitPassed, "", "")
	left, err := os.ReadDir(runs)
	if err != nil || len(left) != 11 || left[0].Name() != "2025-05-01T10-00-00-lab-1" || left[len(left)-1].Name() != "notes" {
		t.Errorf("left are %v (%v), want the nine newest runs, this one, and the notes", left, err)
	}
}

func TestUnusableRecordsFolder(t *testing.T) {
	isolate(t)
	t.Setenv("XDG_STATE_HOME", write(t, "file", ""))
	invoke("testdata/good/lab.star").want(t, exitEnvironment, "", "say --records FOLDER")
}

func TestColors(t *testing.T) {
	isolate(t)
	t.Setenv("CLICOLOR_FORCE", "1")
	if got := invoke("testdata/good/lab.star"); !strings.Contains(got.out, "\x1b[") {
		t.Errorf("CLICOLOR_FORCE: stdout has no colours: %q", got.out)
	}
	t.Setenv("NO_COLOR", "1")
	if got := invoke("testdata/good/lab.star"); strings.Contains(got.out, "\x1b[") {
		t.Errorf("NO_COLOR: stdout has colours: %q", got.out)
	}
}

// A mission is a stranger's: what its texts do to a terminal is nothing, whichever way
// they come there.
func TestTextsDoNothingToATerminal(t *testing.T) {
	isolate(t)
	const bad = `\\x1b[2J\\x07\\u009bm`
	source := "mission(title = \"Lab BAD\", api = 1)\n\ndef work():\n    \"Work BAD\"\n    say(\"said BAD\")\n    fail(\"failed BAD\", hint = \"hint BAD\")\n\nstep(work)\n"
	file := write(t, "lab.star", strings.ReplaceAll(source, "BAD", strings.ReplaceAll(bad, `\\`, `\`)))
	dir := t.TempDir()
	invoke("--records", dir, file).want(t, exitCheck, "said [2J", "failed [2J")
	for _, args := range [][]string{{file}, {"report", dir}, {"report", "--junit", "-", dir}, {"check", file}, {"test", file}} {
		got := invoke(args...)
		for _, text := range []string{got.out, got.err} {
			if strings.ContainsAny(text, "\x1b\x07\u009b") {
				t.Errorf("%v writes control characters: %q", args, text)
			}
		}
	}
}
