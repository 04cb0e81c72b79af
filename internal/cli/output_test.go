package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// into calls the program in-process with a file as its standard output.
func into(t *testing.T, out *os.File, args ...string) (code int, says string) {
	t.Helper()
	var err bytes.Buffer
	code = Main(args, Surroundings{In: strings.NewReader(""), Out: out, Err: &err, Getenv: os.Getenv})
	return code, err.String()
}

// A reader that has seen enough is nobody's fault.
func TestClosedPipe(t *testing.T) {
	isolate(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	if code, says := into(t, w, "doc"); code != exitPassed || says != "" {
		t.Errorf("exit %d, says %q, want nothing", code, says)
	}
}
