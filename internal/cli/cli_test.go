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

// step is a mission with one step of these lines, and no machines.
func step(t *testing.T, lines ...string) string {
	t.Helper()
	return write(t, "lab.star", "mission(title = \"Lab\", api = 1)\n\ndef work():\n    \"\"\"Work\"\"\"\n    "+
		strings.Join(lines, "\n    ")+"\n\nstep(work)\n")
}

// want compares the exit code, and looks for texts in the two streams.
func (o outcome) want(t *testing.T, code int, out, err string) {
	t.Helper()
	if o.code != code || !strings.Contains(o.out, out) || !strings.Contains(o.err, err) {
		t.Errorf("exit %d, stdout %q, stderr %q\nwant exit %d, stdout with %q, stderr with %q", o.code, o.out, o.err, code, out, err)
	}
}

func TestCalls(t *testing.T) {
	isolate(t)
	const lab = "testdata/good/lab.star"
	brokenLock := write(t, "images.lock", "version = 1\n[images.debian\n")
	tests := []struct {
		name     string
		args     []string
		code     int
		out, err string
	}{
		{"no arguments", nil, 0, "labrun doctor", ""},
		{"help", []string{"--help"}, 0, "Exit codes:", ""},
		{"version", []string{"--version"}, 0, "labrun version", ""},
		{"misspelt command", []string{"docter"}, 2, "", "docter: there is no such mission or command (did you mean doctor?)"},
		{"misspelt mission", []string{"weak1"}, 2, "", "(did you mean week1?)"},
		{"no such file", []string{"nowhere.star"}, 2, "", "nowhere.star: there is no such mission"},
		{"two missions", []string{lab, lab}, 2, "", "one mission at a time"},
		{"unknown flag", []string{"--colour", lab}, 2, "", "unknown flag: --colour"},
		{"unknown flag of a command", []string{"check", "--fast", lab}, 2, "", "unknown flag: --fast"},
		{"machines that nobody would end", []string{"--keep", lab}, 2, "", "--keep needs a terminal"},
		{"machines that a student ends", []string{"--keep", "--guide", lab}, 2, "", "with --guide the machines stay until the student says quit"},
		{"unknown consent", []string{"--allow", "network", lab}, 2, "", `invalid argument "network" for "--allow" flag: only host can be allowed`},
		{"nothing to check", []string{"check"}, 2, "", "check: which missions?"},
		{"images", []string{"images"}, 0, "fetch", ""},
		{"unknown images command", []string{"images", "bogus"}, 2, "", `images: there is no "bogus": it is one of list, show, templates, fetch`},
		{"unknown image", []string{"images", "fetch", "debain"}, 2, "", "debain is not in images.lock (did you mean debian?)"},
		{"unknown image, nothing near", []string{"images", "fetch", "nope"}, 2, "", "nope is not in images.lock: there are alpine, debian"},
		{"unknown image to verify", []string{"images", "verify", "nope"}, 2, "", "nope is not in images.lock"},
		{"unknown image to add", []string{"images", "add", "router", "disk.img"}, 2, "", "(did you mean router7?)"},
		{"image without a file", []string{"images", "add", "router7"}, 2, "", "accepts 2 arg(s), received 1"},
		{"image for a machine that cannot be", []string{"images", "add", "router7", "disk.img", "--nic-model=ne2000", "--memory=4"}, 2, "", "images add: memory is 4 MiB; it must be from 16 to 1048576\nthere is no network card \"ne2000\""},
		{"what is in an image", []string{"images", "show", "debian"}, 0, "  calls itself  os25\n  log in as     root, password root\n", ""},
		{"what is in no image", []string{"images", "show", "debain"}, 2, "", "debain is not in images.lock (did you mean debian?)"},
		{"doc", []string{"doc"}, 0, "wait_prompt      wait until", ""},
		{"doc of one", []string{"doc", "boot"}, 0, "boot(*machines, student = True)", ""},
		{"doc of none", []string{"doc", "boto"}, 2, "", "doc: nothing that a script can call has the name boto (did you mean boot?)"},
		{"doc of a library", []string{"doc", "net"}, 0, "give_address(machine, address, card = \"eth0\")", ""},
		{"doc of a library's function", []string{"doc", "ssh"}, 0, "load(\"@labrun//net.star\", \"ssh\")", ""},
		{"doc of a misspelt function", []string{"doc", "give_adress"}, 2, "", "(did you mean give_address?)"},
		{"doc of two", []string{"doc", "boot", "send"}, 2, "", "accepts at most 1 arg(s)"},
		{"broken lock", []string{"--lock", brokenLock, "check", lab}, 2, "", brokenLock + ": "},
		{"missing lock", []string{"--lock", "nowhere.lock", "check", lab}, 2, "", "nowhere.lock: no such file"},
		{"broken lock, to run", []string{"--lock", brokenLock, lab}, 2, "", brokenLock + ": "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := invoke(test.args...)
			got.want(t, test.code, test.out, test.err)
			if test.code != 0 && !strings.Contains(got.err, "labrun") && !strings.Contains(got.err, ".star") {
				t.Errorf("stderr does not say who speaks: %q", got.err)
			}
			if test.code == 0 && got.err != "" {
				t.Errorf("stderr = %q, want nothing", got.err)
			}
		})
	}
}
