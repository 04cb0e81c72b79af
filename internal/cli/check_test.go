package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/labrun/labrun/builtins"
)

func TestMain(m *testing.M) {
	builtins.MaxSteps = 2_000_000
	m.Run()
}

// TestBrokenMissions compares what labrun says to each script of testdata/broken
// with what the script's first lines expect: «# exit:» with the code and «# says:»
// with each line of the message. A script is checked, or, if its first line is
// «# played», run.
func TestBrokenMissions(t *testing.T) {
	isolate(t)
	t.Chdir("testdata/broken")
	files, err := filepath.Glob("*.star")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".star"), func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			played, code, says := expectation(string(source))
			call := []string{"check", file}
			if played {
				call = []string{"--json", file}
			}
			got := invoke(call...)
			if string(rune('0'+got.code)) != code || !said(got.err, says) {
				t.Errorf("exit %d, want %s; said:\n%swant:\n%s", got.code, code, got.err, says)
			}
		})
	}
}

// said compares what was said with what is expected, in which «:*:» is any column: a
// limit may be reached in one part of a line or in another.
func said(got, want string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(want), `:\*:`, `:\d+:`)
	return regexp.MustCompile("^" + pattern + "$").MatchString(got)
}

func expectation(source string) (played bool, code, says string) {
	for line := range strings.Lines(source) {
		if line == "# played\n" {
			played = true
		} else if rest, ok := strings.CutPrefix(line, "# exit: "); ok {
			code = strings.TrimSuffix(rest, "\n")
		} else if rest, ok := strings.CutPrefix(line, "# says: "); ok {
			says += rest
		} else {
			break
		}
	}
	return played, code, says
}

// What a kernel is made for is read from its file, before anything boots.
func TestKernelForAnotherProcessor(t *testing.T) {
	isolate(t)
	t.Chdir(t.TempDir())
	program, err := os.Executable() // a kernel would not be another kind of file
	if err == nil {
		err = os.Symlink(program, "outside.elf")
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(program)
	}
	if err == nil {
		err = os.WriteFile("kernel.elf", data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for kernel, says := range map[string]string{
		"kernel.elf":  `lab.star:2:16: machine: kernel = "kernel.elf": it is made for another processor (EM_`,
		"outside.elf": `lab.star:2:16: machine: kernel = "outside.elf": `,
	} {
		script := `mission(title = "A kernel", api = 1)
board = machine("board", arch = "riscv64", kernel = "` + kernel + `")

def work():
    """Work"""
    boot(board)

step(work)
`
		if err := os.WriteFile("lab.star", []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := invoke("check", "lab.star"); got.code != exitScript || !strings.HasPrefix(got.err, says) {
			t.Errorf("%s: exit %d: %s", kernel, got.code, got.err)
		}
	}
}
