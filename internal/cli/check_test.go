package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
			if string(rune('0'+got.code)) != code || got.err != says {
				t.Errorf("exit %d, want %s; said:\n%swant:\n%s", got.code, code, got.err, says)
			}
		})
	}
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

// Files whose names or bytes are wrong, which cannot carry their expectation.
func TestCheckRefusesFiles(t *testing.T) {
	isolate(t)
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("folder.star", 0o700); err != nil {
		t.Fatal(err)
	}
	const valid = "mission(title = \"caf\u00e9\", api = 1)\n"
	for name, content := range map[string]string{
		"latin1.star": strings.Replace(valid, "\u00e9", "\xe9", 1),
		"utf16.star":  "\xff\xfem\x00i\x00s\x00s\x00i\x00o\x00n\x00",
		"nul.star":    valid + "x = '\x00'\n",
		"huge.star":   valid + strings.Repeat("# filling\n", 1<<19),
		"linked.star": `load("./secret.star", "x")` + "\n" + valid,
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(write(t, "outside.star", "x = 1\n"), "secret.star"); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		file string
		code int
		says string
	}{
		{"nowhere.star", 2, "nowhere.star: there is no such mission\n"},
		{"nowhere/lab.star", 2, "nowhere/lab.star: there is no such mission\n"},
		{"folder.star", 2, "folder.star: it is no file\n"},
		{"latin1.star", 3, "latin1.star: line 1 is not UTF-8: save the script in that encoding\n"},
		{"utf16.star", 3, "utf16.star: it is no text but binary data: a script is text in UTF-8\n"},
		{"nul.star", 3, "nul.star: it is no text but binary data: a script is text in UTF-8\n"},
		{"huge.star", 2, "huge.star: it has 5242914 bytes: a script may have 4194304\n"},
		{"linked.star", 3, "linked.star:1:1: cannot load ./secret.star: it is outside the mission's folder: a mission may load files of its own folder only\n"},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			if got := invoke("check", test.file); got.code != test.code || got.err != test.says {
				t.Errorf("exit %d, said %q\nwant exit %d, %q", got.code, got.err, test.code, test.says)
			}
		})
	}
}

func TestCheckAcceptsForeignLineEnds(t *testing.T) {
	isolate(t)
	source, err := os.ReadFile("testdata/good/machines.star")
	if err != nil {
		t.Fatal(err)
	}
	windows := write(t, "windows.star", "\ufeff"+strings.ReplaceAll(string(source), "\n", "\r\n"))
	invoke("check", windows).want(t, 0, "windows.star: ok: 1 step, 4 machines\n", "")
}

func TestCheckOfGoodMissions(t *testing.T) {
	home := isolate(t)
	got := invoke("check", "testdata/good/lab.star", "testdata/good/machines.star", "../../missions/week1.star")
	got.want(t, 0, "testdata/good/lab.star: ok: 2 steps, 0 machines\ntestdata/good/machines.star: ok: 1 step, 4 machines\n", "")
	if left, err := os.ReadDir(home); err != nil || len(left) > 0 {
		t.Errorf("check left %v in the home folder (%v), want nothing", left, err)
	}
}

func TestCheckReportsEveryFileAndTheWorstCode(t *testing.T) {
	isolate(t)
	got := invoke("check", "testdata/broken/wrong_api.star", "testdata/good/lab.star", "nowhere.star", "testdata/broken/no_step.star")
	got.want(t, 3, "testdata/good/lab.star: ok", "nowhere.star: there is no such mission\ntestdata/broken/no_step.star: no step")
	invoke("check", "nowhere.star", "testdata/good/lab.star").want(t, 2, "ok", "nowhere.star")
}
