package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// into calls the program in-process with a file as its standard output.
func into(t *testing.T, out *os.File, args ...string) (code int, says string) {
	t.Helper()
	var err bytes.Buffer
	code = Main(args, Surroundings{In: strings.NewReader(""), Out: out, Err: &err, Getenv: os.Getenv})
	return code, err.String()
}

func TestLostResults(t *testing.T) {
	isolate(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	lab := "testdata/good/lab.star"
	const lost = "labrun: write standard output: no space left on device\n"
	for _, args := range [][]string{
		{lab}, {"--json", lab}, {"-q", lab}, {"--junit", "-", lab}, {"check", lab}, {"check", "--json", write(t, "lab.star", "nonsense")},
		{"doc"}, {"doc", "boot"}, {"doc", "--markdown"}, {"--help"}, {"images", "list"},
	} {
		code, says := into(t, full, args...)
		want := exitEnvironment
		if args[0] == "check" && args[1] == "--json" {
			want = exitScript // that is told all the same
		}
		if code != want || strings.Count(says, lost) != 1 || strings.Count(says, "no space left") != 1 {
			t.Errorf("%v: exit %d, says %q, want exit %d and once %q", args, code, says, want, lost)
		}
	}
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

func TestJUnitOnStandardOutput(t *testing.T) {
	isolate(t)
	dir := t.TempDir()
	for _, name := range []string{"-", "/dev/stdout"} {
		got := invoke("--junit", name, "--records", dir, "testdata/good/lab.star")
		got.want(t, exitPassed, `<testcase name="2. Think"`, "Mission complete")
		if !strings.HasPrefix(got.out, "<?xml") || !strings.HasSuffix(got.out, "</testsuites>\n") {
			t.Errorf("--junit %s: standard output has more than XML:\n%s", name, got.out)
		}
		got = invoke("report", "--junit", name, dir)
		got.want(t, exitPassed, "<?xml", "Mission complete")
		if !strings.HasPrefix(got.out, "<?xml") {
			t.Errorf("report --junit %s: standard output has more than XML:\n%s", name, got.out)
		}
	}
	invoke("--json", "--junit", "-", "testdata/good/lab.star").want(t, exitUsage, "", "cannot both write to standard output")
	invoke("test", "--json", "--junit", "-", "testdata/good/lab.star").want(t, exitUsage, "", "cannot both write to standard output")
	invoke("--guide", "--junit", "-", "testdata/good/lab.star").want(t, exitUsage, "", "give --junit a file")
	if _, err := os.Lstat("-"); err == nil {
		t.Error("there is a file called -")
	}
}

// What a user names is written to, and never loses its name to a file of ours.
func TestJUnitThroughWhatIsThere(t *testing.T) {
	isolate(t)
	dir := t.TempDir()
	pipe, link, real := filepath.Join(dir, "pipe"), filepath.Join(dir, "link.xml"), filepath.Join(dir, "real.xml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real.xml", link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(real, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan string, 1)
	go func() {
		f, err := os.Open(pipe)
		if err != nil {
			read <- err.Error()
			return
		}
		defer f.Close()
		data, _ := io.ReadAll(f)
		read <- string(data)
	}()
	invoke("--junit", pipe, "testdata/good/lab.star").want(t, exitPassed, "Mission complete", "")
	if got := <-read; !strings.HasPrefix(got, "<?xml") {
		t.Errorf("the pipe's reader got %q", got)
	}
	invoke("--junit", link, "testdata/good/lab.star").want(t, exitPassed, "Mission complete", "")
	contains(t, real, "<?xml")
	if to, err := os.Readlink(link); err != nil || to != "real.xml" {
		t.Errorf("the link leads to %q (%v)", to, err)
	}
	invoke("--junit", "/dev/full", "testdata/good/lab.star").want(t, exitEnvironment, "", "write /dev/full: no space left on device")
}
