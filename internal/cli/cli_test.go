package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// outcome is what one call of labrun left behind.
type outcome struct {
	code     int
	out, err string
}

// invoke calls the program in-process; its input is empty and no terminal.
func invoke(args ...string) outcome {
	var out, err bytes.Buffer
	code := Main(args, Surroundings{In: strings.NewReader(""), Out: &out, Err: &err, Getenv: os.Getenv})
	return outcome{code, out.String(), err.String()}
}

// isolate gives the test a home of its own, and returns it.
func isolate(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
	t.Setenv("XDG_STATE_HOME", filepath.Join(home, "state"))
	for _, name := range []string{"LABRUN_CACHE", "LABRUN_MIRROR", "NO_COLOR", "CLICOLOR_FORCE"} {
		t.Setenv(name, "")
	}
	return home
}

// write makes a file in a folder of its own and returns its path.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
