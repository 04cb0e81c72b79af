package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/labrun/labrun/internal/labtest"
)

// TestForeignRouter plays the first lab with a router that labrun did not make.
func TestForeignRouter(t *testing.T) {
	records := t.TempDir()
	run := command(t, "--records", records, "week1")
	run.Env = append(run.Env, "LABRUN_CACHE="+labtest.Router7Cache(t))
	run.begin(t)
	run.finish(t, 0)
	consoleIsTheStudents(t, filepath.Join(records, "router7.log"))
}

// consoleIsTheStudents fails if labrun's own commands are on a console, or files in base64.
func consoleIsTheStudents(t *testing.T, log string) {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	// the kernel has long words, too
	if ours := regexp.MustCompile(`(?m)^[^\[\n]*(labrun|[A-Za-z0-9+]{40}).*`).Find(text); ours != nil {
		t.Errorf("on the student's console is %q", ours)
	}
}
