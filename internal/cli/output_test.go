package cli

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"
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

// A reader of the results that does not read holds up their writing, and not the lab.
func TestSlowReaderOfTheResults(t *testing.T) {
	isolate(t)
	lab := write(t, "lab.star", `mission(title = "Lab", api = 1)

def work():
    "Work"
    say("here")

step(work)
`)
	for flag, last := range map[string]string{"--json": `"event":"run_ended","passed":true`, "--cold": "Mission complete"} {
		records := t.TempDir()
		results, out := io.Pipe()
		var stderr bytes.Buffer
		ended := make(chan int, 1)
		go func() {
			defer out.Close()
			ended <- Main([]string{flag, "--records", records, lab}, Surroundings{
				In: strings.NewReader(""), Out: out, Err: &stderr, Getenv: os.Getenv,
			})
		}()
		for over := false; !over; time.Sleep(time.Millisecond) {
			if len(ended) > 0 {
				t.Fatalf("%s: exit %d before its results were read: %s", flag, <-ended, &stderr)
			}
			_, err := os.Stat(records + "/report.html")
			over = err == nil
		}
		text, err := io.ReadAll(results)
		if code := <-ended; err != nil || code != exitPassed {
			t.Errorf("%s: exit %d, %s, %v", flag, code, &stderr, err)
		}
		if !strings.Contains(string(text), "here") || !strings.Contains(string(text), last) {
			t.Errorf("%s: the results are\n%s", flag, text)
		}
	}
}
