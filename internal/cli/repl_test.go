package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hostLab is a mission that needs no machine.
const hostLab = `mission(title = "Lab", api = 1, needs = ["host"])

def work():
    """Work"""
    sh = terminal("sh")
    wait_prompt(sh)

step(work)
`

// From a pipe each line counts once, also the one that shows that a block has ended.
func TestReplReadsEachLineOnce(t *testing.T) {
	isolate(t)
	for _, c := range []struct {
		typed, out, err string
		code            int
	}{
		{"for n in [1]:\n    n += 1\n2\n3\n4", "2\n3\n4\n", "", exitPassed},
		{"for n in [1]:\n    n += 1\n:what\n5\n", "", ":what: there are :screen MACHINE", exitUsage},
		{"print(\"one\\n  two\")\n3\nsay(\"four\")\n", "one\n  two\n3\nfour\n", "", exitPassed},
		{"1\n\n\nnonsense\n2\n", "1\n", "repl:4:1: undefined: nonsense", exitScript},
		{"[1,\n 2][\n'x']\n", "", "repl:2:4: list index: got string, want int", exitScript},
		{"def f():\n    return (", "", "repl:3:1: ", exitScript},
		{"def f():\n    # why\n    return 1\n\nf()\n", "1\n", "", exitPassed},
		{"for n in [1]:\n    n += 1\n    # why\n    nonsense\n", "", "repl:4:5: undefined: nonsense", exitScript},
		{"x = [1]\nfor n in [1]:\n    x += [2]\n# after it\nx\n", "[1, 2]\n", "", exitPassed},
		{"for n in [1]:\n    n += 1\n\"\"\"a\n# b\nc\"\"\"\n3\n", "\"a\\n# b\\nc\"\n3\n", "", exitPassed},
		{"for n in [1]:\n    \"\"\"a\n# b\nc\"\"\"\n3\n", "3\n", "", exitPassed},
		{"", "", "", exitPassed},
	} {
		var out, err bytes.Buffer
		code := Main([]string{"repl", "--allow", "host", write(t, "lab.star", hostLab)},
			Surroundings{In: strings.NewReader(c.typed), Out: &out, Err: &err, Getenv: os.Getenv})
		if code != c.code || out.String() != c.out || !strings.Contains(err.String(), c.err) {
			t.Errorf("%q: exit code %d, said\n%s\n%s", c.typed, code, out.String(), err.String())
		}
	}
}

func TestHistoryOfEarlierSessions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "labrun", "history")
	h := openHistory(file)
	if h.Len() != 0 {
		t.Errorf("begins with %q", h.lines)
	}
	for _, line := range []string{"one", "", "two", "two"} {
		h.Add(line)
	}
	h = openHistory(file)
	h.Add("three")
	h = openHistory(file)
	if h.Len() != 3 || h.At(0) != "three" || h.At(2) != "one" {
		t.Errorf("got %q", h.lines)
	}
	for range remembered {
		h.Add("a")
		h.Add("b")
	}
	h = openHistory(file)
	if again := openHistory(file); h.Len() != remembered || again.Len() != remembered || again.At(0) != "b" {
		t.Errorf("keeps %d lines, then %d", h.Len(), again.Len())
	}
}

// A prompt is there also where nothing can be kept.
func TestHistoryThatCannotBeKept(t *testing.T) {
	h := openHistory(filepath.Join(write(t, "file", ""), "history"))
	h.Add("one")
	if h.Len() != 1 || h.At(0) != "one" {
		t.Errorf("got %q", h.lines)
	}
	if h := openHistory(write(t, "empty", "")); h.Len() != 0 {
		t.Errorf("an empty file has %q", h.lines)
	}
}

func TestExtendKeepsAFileAsItIs(t *testing.T) {
	file := write(t, "lab.star", "a")
	link := filepath.Join(t.TempDir(), "link.star")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o664); err != nil {
		t.Fatal(err)
	}
	if err := extend(link, "b\n"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	about, _ := os.Stat(file)
	if err != nil || string(text) != "a\nb\n" || about.Mode().Perm() != 0o664 {
		t.Errorf("it is %q, %v, mode %v", text, err, about.Mode())
	}
	if entry, err := os.Lstat(link); err != nil || entry.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", entry, err)
	}
}
