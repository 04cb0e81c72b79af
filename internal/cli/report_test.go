package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// files are the names in a folder.
func files(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func contains(t *testing.T, path string, texts ...string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		if !strings.Contains(string(data), text) {
			t.Errorf("%s lacks %q:\n%s", path, text, data)
		}
	}
}

func TestRecords(t *testing.T) {
	isolate(t)
	dir := filepath.Join(t.TempDir(), "a", "b")
	invoke("--records", dir, "testdata/good/lab.star").want(t, 0, "Mission complete", "report: "+dir+"/report.html, with the run's other records beside it\n")
	if got := files(t, dir); got != "events.jsonl report.html" {
		t.Errorf("the records are %s", got)
	}
	contains(t, dir+"/events.jsonl", `"event":"run_started"`, `"titles":["Greet","Think"]`, `"event":"run_ended","passed":true,`, `"records":"`+dir+`"`)
	contains(t, dir+"/report.html", "<h1>Words</h1>", "Passed: 2 of 2 steps", "2. Think", "hello from another file")

	// A run that fails says so too, a quiet one that passes does not.
	failing := step(t, `fail("<script>", hint = "Try again.")`)
	got := invoke("-q", "--records", dir, failing)
	got.want(t, exitCheck, "Mission not complete", "report: "+dir)
	if !strings.HasSuffix(got.err, "beside it\n") {
		t.Errorf("the last line is not where the report is: %q", got.err)
	}
	contains(t, dir+"/report.html", "Not passed: 0 of 1 step", "fail: &lt;script&gt;", "Try again.")
	if got := invoke("-q", "testdata/good/lab.star"); got.err != "" {
		t.Errorf("quiet: stderr = %q, want nothing", got.err)
	}
}

func TestEventsAreTheJSONLines(t *testing.T) {
	isolate(t)
	dir := t.TempDir()
	got := invoke("--json", "--records", dir, "testdata/good/lab.star")
	contains(t, dir+"/events.jsonl", got.out)
	if got.err != "" {
		t.Errorf("stderr = %q, want nothing", got.err)
	}
}

// A run that could not begin leaves no records, but CI is told.
func TestRunWithoutAStep(t *testing.T) {
	home := isolate(t)
	t.Setenv("PATH", t.TempDir())
	junit := filepath.Join(t.TempDir(), "junit.xml")
	mission := write(t, "lab.star", "mission(title = \"Lab\", api = 1)\nm = machine(\"debian\")\n\ndef work():\n    \"\"\"Work\"\"\"\n    boot(m)\n\nstep(work)\n")
	got := invoke("--junit", junit, mission)
	got.want(t, exitEnvironment, "Mission not complete", "qemu")
	if strings.Contains(got.err, "report: ") {
		t.Errorf("it names a report that there is not:\n%s", got.err)
	}
	if left := files(t, home+"/state/labrun/runs"); left != "" {
		t.Errorf("records are left: %s", left)
	}
	contains(t, junit, `<testcase name="1. Work"`, `<skipped message="not reached">`, `<testcase name="the run"`, "<error message=")

	dir := t.TempDir()
	if err := os.WriteFile(dir+"/mine", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	invoke("--records", dir, mission)
	if left := files(t, dir); left != "mine" {
		t.Errorf("in a folder of the user's is left: %s", left)
	}
}

func TestJUnit(t *testing.T) {
	home := isolate(t)
	dir := t.TempDir()
	invoke("--junit", dir+"/one.xml", "testdata/good/lab.star").want(t, 0, "Mission complete", "")
	contains(t, dir+"/one.xml", `<testsuite name="Words" tests="2" failures="0" errors="0" skipped="0"`, `<testcase name="2. Think" classname="testdata/good/lab.star"`)
	invoke("--junit", dir+"/two.xml", step(t, `fail("no", hint = "Try again.")`)).want(t, exitCheck, "", "")
	contains(t, dir+"/two.xml", `<failure message=`, "lab.star:5:9: fail: no", "hint: Try again.")
	if err := os.RemoveAll(home + "/state"); err != nil {
		t.Fatal(err)
	}

	for path, says := range map[string]string{
		dir:                dir + ": it is a folder: name a file in it",
		dir + "/no/x.xml":  "--junit " + dir + "/no/x.xml: no file can be made in its folder: no such file or directory",
		dir + "/one.xml/x": "not a directory",
	} {
		got := invoke("--junit", path, "testdata/good/lab.star")
		got.want(t, exitUsage, "", says)
		if got.out != "" {
			t.Errorf("--junit %s: it played all the same:\n%s", path, got.out)
		}
		invoke("report", "--junit", path).want(t, exitUsage, "", says)
	}
	if _, err := os.Stat(home + "/state"); err == nil {
		t.Error("a refused run left records")
	}
}

func TestReport(t *testing.T) {
	isolate(t)
	first := invoke("testdata/good/lab.star")
	dir := filepath.Dir(strings.TrimSuffix(strings.TrimPrefix(first.err, "report: "), ", with the run's other records beside it\n"))

	for _, call := range [][]string{{"report"}, {"report", dir}} {
		got := invoke(call...)
		if got.code != 0 || got.out != first.out || got.err != "report: "+dir+"/report.html\n" {
			t.Errorf("%v: exit %d, said\n%s%s\nwant what the run said:\n%s", call, got.code, got.out, got.err, first.out)
		}
	}
	if err := os.Remove(dir + "/report.html"); err != nil {
		t.Fatal(err)
	}
	invoke("report", dir).want(t, 0, first.out, "there is no report.html yet: `labrun report --html "+dir+"` writes it\n")
	invoke("report", "--html", "--junit", dir+"/j.xml", dir).want(t, 0, first.out, "report: "+dir+"/report.html\n")
	contains(t, dir+"/report.html", "Passed: 2 of 2 steps")
	contains(t, dir+"/j.xml", `<testcase name="1. Greet"`)
}

// The record of a run that was killed, or is damaged, is told as far as it goes.
func TestReportOfHalfAFile(t *testing.T) {
	isolate(t)
	dir := t.TempDir()
	invoke("--records", dir, "testdata/good/lab.star")
	whole, err := os.ReadFile(dir + "/events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	cut := func(text string) {
		t.Helper()
		if err := os.WriteFile(dir+"/events.jsonl", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cut(strings.Join(lines[:7], "") + lines[7][:20])
	got := invoke("report", "--html", "--junit", dir+"/j.xml", dir)
	got.want(t, 0, "2/2  Think\n", "note: the record ends here: the run was killed, or it still goes on\n")
	contains(t, dir+"/report.html", "Not finished", "not finished</span>")
	contains(t, dir+"/j.xml", "the run ended in this step")

	cut(strings.Join(lines[:3], "") + "garbage\n" + strings.Join(lines[3:], ""))
	got = invoke("report", dir)
	got.want(t, exitEnvironment, "hello from another file", "labrun: report: "+dir+"/events.jsonl: line 4: ")
	if !strings.HasSuffix(got.err, "it is damaged there; what comes before is above\n") {
		t.Errorf("stderr = %q", got.err)
	}
}

func TestReportOfNothing(t *testing.T) {
	home := isolate(t)
	empty := t.TempDir()
	eventless := t.TempDir()
	if err := os.WriteFile(eventless+"/events.jsonl", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		says string
	}{
		{nil, "report: no run is recorded in " + home + "/state/labrun/runs: name the folder of its records"},
		{[]string{"/nowhere"}, "report /nowhere: there is no such folder"},
		{[]string{eventless + "/events.jsonl"}, "events.jsonl: it is a file: name the folder of a run's records"},
		{[]string{empty}, "report " + empty + ": no run is recorded there: it has no events.jsonl"},
		{[]string{eventless}, "report " + eventless + ": its events.jsonl has no event in it"},
		{[]string{empty, empty}, "report: one run at a time"},
	} {
		invoke(append([]string{"report"}, test.args...)...).want(t, exitUsage, "", test.says)
	}
}
