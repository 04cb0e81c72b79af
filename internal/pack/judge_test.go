package pack

import (
	"slices"
	"strings"
	"testing"
)

// TestJudge: a check's status is its verdict, and of what it prints the lines with marks are
// its parts, in whichever form.
func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		output string
		passed bool
		parts  string // + holds, - does not
		said   string
	}{
		"marks": {1, "Checking…\n✓ there is a letter\n✗ niko can read it\n", false,
			"+there is a letter|-niko can read it", "Checking…"},
		"colours and emoji": {1, "\x1b[32m✅ one\x1b[0m\n  ❌ two\n✔️ three\n", false, "+one|-two|+three", ""},
		"words":             {1, "[PASS] one\n[FAIL] two\nPASS: three\nFAIL: four\n[ OK ] five\n", false, "+one|-two|+three|-four|+five", ""},
		"marks at the end":  {1, "hello.sh is there ... [OK]\nbackup.sh: FAILED\nmode is 600 ✗\n", false, "+hello.sh is there|-backup.sh|-mode is 600", ""},
		"TAP":               {0, "TAP version 13\n1..4\nok 1 - one\nnot ok 2 - two\n# got 644\nok 3 # skip no sudo\nnot ok 4 - later # TODO\n", false, "+one|-two: got 644", ""},
		"TAP, whole":        {0, "1..1\nok 1 - one\n", true, "+one", ""},
		"details":           {1, "✗ no folder\n    run setup first\n=====\nResults: 0 passed\n", false, "-no folder: run setup first", "Results: 0 passed"},
		"status only":       {0, "✗ but it ends well\n", true, "-but it ends well", ""},
		"prose":             {1, "The file is still open to everybody.\n\nok, try again\n", false, "", "The file is still open to everybody.|ok, try again"},
		"silence":           {1, "", false, "", ""},
		"bullets":           {1, "- ✓ one\n * ✗ two\n", false, "+one|-two", ""},
		"progress":          {1, "working\r✗ two\n", false, "-two", ""},
		"Windows":           {1, "✓ one\r\n✗ two\r\n", false, "+one|-two", ""},
		"no mark":           {1, "Password: FAIL-safe\nok\n", false, "", "Password: FAIL-safe|ok"},
	} {
		t.Run(name, func(t *testing.T) {
			v := Judge(c.status, c.output)
			var parts []string
			for _, p := range v.Parts {
				parts = append(parts, map[bool]string{true: "+", false: "-"}[p.Holds]+p.Text)
			}
			if got := strings.Join(parts, "|"); got != c.parts || v.Passed != c.passed || strings.Join(v.Said, "|") != c.said {
				t.Errorf("got %v, %q, said %q\nwant %v, %q, said %q", v.Passed, got, v.Said, c.passed, c.parts, c.said)
			}
		})
	}
}

func TestJudgeOfABrokenCheck(t *testing.T) {
	v := Judge(127, "check.sh: line 3: lsof: command not found\n")
	if v.Passed || !strings.Contains(v.Broken, "lsof: command not found") {
		t.Errorf("got %+v", v)
	}
	if v := Judge(1, "✗ a\n✓ b\n✗ c\n"); !slices.Equal(v.Failing(), []string{"a", "c"}) {
		t.Errorf("failing are %q", v.Failing())
	}
}
