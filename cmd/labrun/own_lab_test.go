package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// named is a fenced block below its file's name, or one with a command.
var named = regexp.MustCompile("(?ms)(?:^`([^`\n]+)`:\n\n)?^```(\\w+)\n(.*?)^```$")

// TestBringYourOwnLab does what docs/bring-your-own-lab.md says, in its order: it writes
// the files, and gives the commands, which must say what is printed there.
func TestBringYourOwnLab(t *testing.T) {
	text, err := os.ReadFile("../../docs/bring-your-own-lab.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	commands := 0
	for _, block := range named.FindAllStringSubmatch(string(text), -1) {
		name, language, body := block[1], block[2], block[3]
		if name != "" {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			save(t, path, body)
			continue
		}
		if language != "console" {
			continue
		}
		gives(t, dir, body)
		commands++
	}
	if commands < 5 {
		t.Errorf("%d commands were given: the document has more", commands)
	}
	l := command(t, "check", "rights.star")
	l.Dir = dir
	l.begin(t)
	l.finish(t, 0)
	if want := "step lab/02-desk (\"A desk\") is not translated"; !strings.Contains(l.err.String(), want) {
		t.Errorf("it does not say %q:\n%s", want, l.err.String())
	}
}
