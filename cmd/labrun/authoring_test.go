package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fence is a fenced block of Markdown: its language and its text.
var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// duration is a figure that differs from run to run.
var duration = regexp.MustCompile(`\d+(\.\d+)? s\b|\s*\(\d+\.\d s\)`)

// TestTutorial does what docs/authoring.md says, in its order: it writes the script
// as it grows, and gives the commands, which must say what is printed there.
func TestTutorial(t *testing.T) {
	text, err := os.ReadFile("../../docs/authoring.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := filepath.Join(dir, "cable.star")
	commands := 0
	for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
		switch language, body := block[1], block[2]; {
		case language == "python" && strings.Contains(body, "\nstep("):
			save(t, script, body)
		case language == "python": // a line that is to be mended
			old, err := os.ReadFile(script)
			if err != nil {
				t.Fatal(err)
			}
			save(t, script, mend(t, string(old), body))
		case language == "console":
			gives(t, dir, body)
			commands++
		case language == "toml":
			save(t, filepath.Join(dir, "cable.zh-TW.toml"), body)
		}
	}
	if commands < 5 {
		t.Errorf("%d commands were given: the document has more", commands)
	}
	l := command(t, "check", "cable.star")
	l.Dir = dir
	l.begin(t)
	l.finish(t, 0)
	if want := "is not translated: add [steps.a_cable_is_not_enough]"; !strings.Contains(l.err.String(), want) {
		t.Errorf("it does not say %q:\n%s", want, l.err.String())
	}
}

// gives gives the command that a block begins with in a folder: it says what follows there.
func gives(t *testing.T, dir, block string) {
	t.Helper()
	call, want, _ := strings.Cut(block, "\n")
	l := command(t, strings.Fields(strings.TrimPrefix(call, "$ labrun "))...)
	l.Dir, l.Stdout, l.Stderr = dir, &l.out, &l.out
	l.begin(t)
	<-l.over
	follows(t, call, l.out.String(), want)
}

func save(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mend replaces the line of a script that begins as the new one does.
func mend(t *testing.T, script, line string) string {
	t.Helper()
	begin := line[:len(line)/2]
	before, rest, found := strings.Cut(script, "\n"+begin)
	if !found {
		t.Fatalf("no line begins as %q does", line)
	}
	_, after, _ := strings.Cut(rest, "\n")
	return before + "\n" + line + after
}

// follows checks that the lines of want are among those of got, in order; how long
// something took is not compared.
func follows(t *testing.T, call, got, want string) {
	t.Helper()
	normal := func(s string) string { return strings.TrimSpace(duration.ReplaceAllString(s, "")) }
	rest := strings.Split(got, "\n")
	for line := range strings.Lines(want) {
		at := 0
		for at < len(rest) && normal(rest[at]) != normal(line) {
			at++
		}
		if at == len(rest) {
			t.Errorf("%s does not say\n%s\nbut\n%s", call, line, got)
			return
		}
		rest = rest[at+1:]
	}
}
