package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
		{"huge.star", 3, "huge.star: it has 5242914 bytes: a script may have 4194304\n"},
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

// A link to a mission means the mission: its folder is the one that the file is in.
func TestLinkToAMission(t *testing.T) {
	isolate(t)
	t.Chdir(t.TempDir())
	for _, dir := range []string{"a", "b"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{
		"a/lab.star":     "load(\"./words.star\", \"word\")\nmission(title = \"Lab\", api = 1)\n\ndef work():\n    \"\"\"Work\n\n    Read.\n    \"\"\"\n    say(word)\n\nstep(work)\n",
		"a/words.star":   "word = \"from beside the mission\"\n",
		"a/outside.star": "load(\"./out.star\", \"word\")\nmission(title = \"Lab\", api = 1)\n",
		"word.star":      "word = \"\"\n",
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"b/link.star": "../a/lab.star", "b/two": "link.star", "b/none.star": "nowhere.star", "a/out.star": "../word.star"} {
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{"b/link.star", "b/two"} {
		invoke("check", link).want(t, 0, link+": ok: 1 step", "")
		invoke(link).want(t, 0, "from beside the mission", "")
	}
	invoke("check", "b/none.star").want(t, 2, "", "there is no such mission")
	invoke("check", "a/outside.star").want(t, 3, "", "it is outside the mission's folder")
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

const (
	narrationMissing = "lint/warned.star:8:5: warning: the step «Work» has a title and no narration: tell below the title what the student should know, and what to do [no-narration]\n"
	hintMissing      = "lint/warned.star:11:5: warning: assert_contains has no hint: add hint = \"…\": what to type or to look at [no-hint]\n"
	wrongMachine     = "lint/wrong.star:12:10: send: on: want a machine or terminal, got string \"alpine\": give the machine, alpine without quotation marks [wrong-argument]\n"
	neverBooted      = "lint/wrong.star:13:21: assert_contains: alpine is not on: boot it first, in this step or in an earlier one [not-booted]\n"
	tooLittleMemory  = "lint/both.star:5:17: machine: memory = 1: want MiB from 32 to 65536\n"
	misspelt         = "lint/both.star:10:25: wait_prompt: no parameter is called \"timeot\" (did you mean timeout?): it is wait_prompt(on, *, timeout = 180) [wrong-argument]\n"
)

func TestCheckLints(t *testing.T) {
	isolate(t)
	t.Chdir("testdata")
	const warned = "lint/warned.star: ok: 1 step, 1 machine\n"
	tests := []struct {
		name     string
		args     []string
		code     int
		out, err string
	}{
		{"warnings", []string{"lint/warned.star"}, 0, warned, narrationMissing + hintMissing},
		{"warnings that count", []string{"--werror", "lint/warned.star"}, 3, "", narrationMissing + hintMissing},
		{"errors", []string{"lint/wrong.star"}, 3, "", wrongMachine + neverBooted},
		{"a mission that does not load has errors enough", []string{"lint/both.star"}, 3, "", tooLittleMemory + misspelt},
		{"several", []string{"lint/both.star", "lint/warned.star"}, 3, warned, tooLittleMemory + misspelt + narrationMissing + hintMissing},
		{"one that there is not", []string{"nowhere", "lint/warned.star"}, 2, warned, "labrun: nowhere: there is no such mission or command\n`labrun --help` shows how it is used\n" + narrationMissing + hintMissing},
		{"one that is built in", []string{"--werror", "week1"}, 0, "week1: ok: 8 steps, 3 machines\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := invoke(append([]string{"check"}, test.args...)...)
			if got.code != test.code || got.out != test.out || got.err != test.err {
				t.Errorf("exit %d, stdout %q, stderr:\n%s\nwant exit %d, stdout %q, stderr:\n%s", got.code, got.out, got.err, test.code, test.out, test.err)
			}
		})
	}
}

// With --json, what check has to say is on standard output, a finding a line, the
// errors of loading included.
func TestCheckWritesJSON(t *testing.T) {
	isolate(t)
	t.Chdir("testdata")
	type finding struct {
		File, Rule, Severity string
		Line, Column         int
		EndLine              int `json:"end_line"`
		EndColumn            int `json:"end_column"`
	}
	tests := []struct {
		file string
		code int
		want []finding
	}{
		{"good/machines.star", 0, []finding{{"good/machines.star", "no-narration", "warning", 8, 5, 8, 16}, {"good/machines.star", "no-check", "warning", 7, 5, 7, 10}}},
		{"lint/both.star", 3, []finding{{"lint/both.star", "wrong-argument", "error", 10, 25, 10, 31}, {"lint/both.star", "load", "error", 5, 17, 5, 17}}},
		{"broken/unknown_names.star", 3, []finding{{"broken/unknown_names.star", "unknown-name", "error", 10, 10, 10, 16}, {"broken/unknown_names.star", "unknown-name", "error", 11, 5, 11, 15}}},
		{"broken/no_step.star", 3, []finding{{"broken/no_step.star", "load", "error", 1, 1, 1, 1}}},
		{"broken/loaded_syntax.star", 3, []finding{{"broken/parts/syntax.star", "syntax", "error", 2, 1, 2, 1}}},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			got := invoke("check", "--json", test.file)
			var findings []finding
			for line := range strings.Lines(got.out) {
				var f finding
				if err := json.Unmarshal([]byte(line), &f); err != nil {
					t.Fatalf("%v in the line %s", err, line)
				}
				f.File = strings.TrimPrefix(f.File, "./")
				findings = append(findings, f)
			}
			byRule := func(a, b finding) int { return strings.Compare(a.Rule, b.Rule) }
			slices.SortStableFunc(findings, byRule)
			slices.SortStableFunc(test.want, byRule)
			if got.code != test.code || got.err != "" || !slices.Equal(findings, test.want) {
				t.Errorf("exit %d, stderr %q, found %+v\nwant exit %d, %+v", got.code, got.err, findings, test.code, test.want)
			}
		})
	}
}
