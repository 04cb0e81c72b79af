package pack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// folder makes a file system of files with a name and a text.
func folder(files map[string]string) fstest.MapFS {
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return tree
}

// read reads a pack that has nothing wrong with it.
func read(t *testing.T, files map[string]string) *Pack {
	t.Helper()
	p, err := Read(folder(files), "lab")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func typedOf(lines []Line) string {
	var texts []string
	for _, l := range lines {
		texts = append(texts, strings.TrimPrefix(l.Console+"> ", "> ")+l.Text)
	}
	return strings.Join(texts, "|")
}

func TestPlainPack(t *testing.T) {
	p := read(t, map[string]string{
		"lab/README.md":             "# Who may do what\n\nTwelve of them.\n",
		"lab/lib.sh":                "no() { echo \"✗ $*\"; exit 1; }\n",
		"lab/LICENSE":               "free",
		"lab/10-last/check":         "test -e /srv/last\n",
		"lab/2-second/verify.sh":    "#!/bin/sh\n. ../lib.sh\ntest -e /srv/x || no \"there is no x\"\n",
		"lab/2-second/init.sh":      "#!/bin/sh\nrm -f /srv/x; cp data.txt /srv/data\n",
		"lab/2-second/data.txt":     "data",
		"lab/2-second/README.md":    "# Challenge 2: The second\n\nSome words.\n\n## Task\n\nMake /srv/x.\n\n## More\n\nWords.\n",
		"lab/2-second/hints.md":     "# Hints\n\n## Hint 1\n\nThink.\n\n## Hint 2: touch\n\n    touch /srv/x\n",
		"lab/2-second/solution.sh":  "#!/bin/bash\nset -euo pipefail\n# easy\ntouch /srv/x   # there\nexit 0\n",
		"lab/2-second/wrong-1.sh":   "#!/bin/sh\n# why: there is no x\ntouch /srv/y\n",
		"lab/2-second/wrong/two.sh": "# It is elsewhere, and «there is no x» is right\ntouch /tmp/x\n",
		"lab/2-second/wrong/3.sh":   "# Nobody looks there\ntouch /srv/z\n",
	})
	if p.Intro.Title != "Who may do what" || p.Ordered || len(p.Challenges) != 2 {
		t.Fatalf("got %+v", p)
	}
	c := p.Challenges[0]
	if c.Name != "2-second" || c.Title != "The second" || c.Goal != "Make /srv/x." || c.Narration != "Some words.\n\n## More\n\nWords." {
		t.Errorf("text: %+v", c)
	}
	if strings.Join(c.Hints, "|") != "Think.|touch /srv/x" {
		t.Errorf("hints: %q", c.Hints)
	}
	if got := typedOf(c.Answer.Lines); got != "touch /srv/x" {
		t.Errorf("answer: %q", got)
	}
	if len(c.Wrong) != 3 || c.Wrong[0].Printed || c.Wrong[1].Why != "there is no x" || !c.Wrong[1].Printed || !c.Wrong[2].Printed {
		t.Errorf("wrong answers: %+v", c.Wrong)
	}
	carried := []string{}
	for _, f := range c.Setup[0].files {
		carried = append(carried, f.name)
	}
	if got := strings.Join(carried, " "); got != "lib.sh 2-second/data.txt 2-second/init.sh" {
		t.Errorf("carried in: %s", got)
	}
	if p.Challenges[1].Title != "Last" || p.Challenges[1].Answer != nil {
		t.Errorf("the last: %+v", p.Challenges[1])
	}
	var notes []string
	for _, n := range p.Notes {
		notes = append(notes, n.String())
	}
	if got := strings.Join(notes, "\n"); got != "lab/2-second/wrong/3.sh:1: why it must fail, «Nobody looks there», is nothing that the check prints, so the reason cannot be compared\n"+
		"lab/10-last/check:1: it has no answer, so labrun can neither play it nor prove it: add an answer.sh" {
		t.Errorf("notes:\n%s", got)
	}
}

func TestTranslationsOfAPack(t *testing.T) {
	p := read(t, map[string]string{
		"lab/a/check.sh":         "echo \"✗ $u can read it\"\necho '✗ it is gone'\nexit 1\n",
		"lab/a/check.zh-TW.toml": "\"%s can read it\" = \"%s 還讀得到\"\n\"it is gone\" = \"不見了\"\n\"never\" = \"不\"\n",
		"lab/a/README.md":        "# A letter\n\nWords.\n\n## Task\n\nClose it.\n\n## Hints\n\n1. One.\n2. Two.\n",
		"lab/a/README.zh-TW.md":  "# 一封信\n\n話。\n\n## 任務\n\n關起來。\n\n## 提示\n\n1. 一。\n2. 二。\n",
		"lab/a/answer":           "true\n",
	})
	c := p.Challenges[0]
	if told := c.Told["zh-TW"]; told.Title != "一封信" || told.Narration != "話。" {
		t.Errorf("told: %+v", told)
	}
	for original, want := range map[string]string{"Close it.": "關起來。", "Two.": "二。", "it is gone": "不見了", "%s can read it": "%s 還讀得到"} {
		if got := c.Words["zh-TW"][original]; got != want {
			t.Errorf("%q is %q, want %q", original, got, want)
		}
	}
	if len(p.Notes) != 1 || p.Notes[0].String() != `lab/a/check.zh-TW.toml:3: "never" is nothing that the check prints` {
		t.Errorf("notes: %v", p.Notes)
	}
}

// TestAnswers: what is typed is what a person types of a script.
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"lines":           {"#!/bin/sh\nchmod 600 a   # close\n\n# and\nls; pwd\n", "chmod 600 a|ls; pwd"},
		"document":        {"cat >a <<EOF\n# kept\n\nx\nEOF\nls\n", "cat >a <<EOF|# kept||x|EOF|ls"},
		"tabs":            {"cat >Makefile <<EOF\nall:\n\ttrue\nEOF\n", `eval $'cat >Makefile <<EOF\nall:\n\ttrue\nEOF\n'`},
		"loop":            {"for i in 1 2; do\n\techo $i # say\ndone\n", "for i in 1 2; do|echo $i|done"},
		"continued":       {"chmod \\\n  600 a\n", `chmod \|600 a`},
		"persons":         {"# as niko\nls\n# at nini:\npwd\n# as usual, nothing\nid\n", "niko> ls|nini> pwd|nini> id"},
		"options":         {"set -e\nset -o pipefail\nset -- a\nexit\nls\nexit 0\n", "set -- a|exit|ls"},
		"quotes":          {"echo 'a # b' \"c # d\" # e\n", `echo 'a # b' "c # d"`},
		"lines in quotes": {"echo 'a\nb' >x\n", "echo 'a|b' >x"},
	} {
		t.Run(name, func(t *testing.T) {
			p := read(t, map[string]string{"lab/a/check.sh": "true\n", "lab/a/answer.sh": c.script})
			if got := typedOf(p.Challenges[0].Answer.Lines); got != c.want {
				t.Errorf("typed is %q, want %q", got, c.want)
			}
		})
	}
	p := read(t, map[string]string{"lab/a/check.sh": "true\n", "lab/lib.sh": "", "lab/a/answer.sh": "cd \"$(dirname \"$0\")\"\n. ../lib.sh\nls\n"})
	if a := p.Challenges[0].Answer; a.Run == nil || len(a.Lines) > 0 {
		t.Errorf("one that reads the pack's files is typed: %+v", a)
	}
	p = read(t, map[string]string{"lab/a/check.sh": "true\n", "lab/a/solution.md": "Do this:\n\n```sh\nmkdir /a\nchmod 700 /a\n```\n"})
	if got := typedOf(p.Challenges[0].Answer.Lines); got != "mkdir /a|chmod 700 /a" {
		t.Errorf("of Markdown: %q", got)
	}
}

// TestHints: hints are parted as their author did.
func TestHints(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"items":      {"1. One `a`.\n   More.\n2. Two.\n3. Three.\n", "One `a`.\nMore.|Two.|Three."},
		"bullets":    {"- One.\n- Two.\n", "One.|Two."},
		"lines":      {"One.\nTwo.\n", "One.|Two."},
		"paragraphs": {"One\nline.\n\nTwo.\n", "One\nline.|Two."},
		"rules":      {"One.\n---\nTwo.\n---\nThree.\n", "One.|Two.|Three."},
		"headings":   {"## Hint 1\nOne.\n## Hint 2\nTwo.\n", "One.|Two."},
		"named":      {"Hint 1: One.\nHint 2: Two.\n", "One.|Two."},
		"folded":     {"<details>\n<summary>Hint 1</summary>\n\nOne.\n\n</details>\n\n<details><summary>2</summary>Two.</details>\n", "One.|Two."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(splitHints(c.text), "|"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	p := read(t, map[string]string{"lab/a/check": "true\n", "lab/a/answer": "true\n", "lab/a/hint10.txt": "Ten.\n", "lab/a/hint2.md": "# Hint 2\n\nTwo.\n", "lab/a/hint1.md": "One.\n"})
	if got := strings.Join(p.Challenges[0].Hints, "|"); got != "One.|Two.|Ten." {
		t.Errorf("files: %q", got)
	}
}

// TestFaults: what cannot be used is refused with its place.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":    {map[string]string{"lab/a/setup.sh": "true\n"}, "lab: there is no challenge in it"},
		"no folder":  {map[string]string{"other": ""}, "lab: there is no such folder"},
		"a file":     {map[string]string{"lab": ""}, "lab: it is a file"},
		"no check":   {map[string]string{"lab/a/setup.sh": "true\n", "lab/a/answer.sh": "true\n"}, "lab/a: it has a set-up but no check"},
		"two checks": {map[string]string{"lab/a/check.sh": "", "lab/a/verify.sh": ""}, "lab/a/verify.sh: check.sh is for the same"},
		"bad shell":  {map[string]string{"lab/a/check.sh": "if true; then\n  echo\n", "lab/a/answer": "x\n"}, "lab/a/check.sh:1: the shell cannot read it: `if` statement must end with `fi`"},
		"not there":  {map[string]string{"lab/a/check.sh": "true\n. ./lib.sh\n"}, "lab/a/check.sh:2: it reads ./lib.sh, which is not in the pack, neither in lab/a nor in lab"},
		"hints of a translation": {map[string]string{"lab/a/check.sh": "", "lab/a/hints.md": "- a\n- b\n", "lab/a/hints.de.md": "- a\n"},
			"lab/a/hints.de.md: it has 1 hints, and the original 2"},
		"Killercoda, broken": {map[string]string{"lab/index.json": "{\n \"title\": 1\n}"}, "lab/index.json:2: cannot unmarshal number"},
		"Killercoda, no file": {map[string]string{"lab/index.json": "{\"details\": {\"steps\": [\n{\"text\": \"one.md\"}]}}"},
			"lab/index.json:2: it names lab/one.md, which is not there"},
		"Instruqt, broken": {map[string]string{"lab/track.yml": "title: a\n  b: c\n"}, "lab/track.yml:2: "},
		"Instruqt, hosts": {map[string]string{"lab/track.yml": "title: a\n", "lab/config.yml": "virtualmachines:\n- name: a\n- name: b\n"},
			"lab/config.yml: the track has the hosts a, b"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(folder(c.files), "lab")
			var wrong *Error
			if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestNeeds: what a lab has not is said, with its place.
func TestNeeds(t *testing.T) {
	p := read(t, map[string]string{"lab/a/check.sh": "true\n", "lab/a/answer.sh": "true\n",
		"lab/a/setup.sh": "apt-get install -y lsof\ncurl -s http://localhost:80\nsudo curl -O https://example.org/x\ndocker ps\n"})
	var got []string
	for _, n := range p.Notes {
		got = append(got, n.Place.String())
	}
	if strings.Join(got, " ") != "lab/a/setup.sh:1 lab/a/setup.sh:3 lab/a/setup.sh:4" {
		t.Errorf("notes: %v", p.Notes)
	}
}

func TestKillercoda(t *testing.T) {
	p := read(t, map[string]string{
		"lab/index.json": `{"title": "Files", "details": {
 "intro": {"text": "intro.md", "background": "setup.sh"},
 "steps": [{"title": "One", "text": "step1/text.md", "verify": "step1/verify.sh"}, {"text": "two.md"}],
 "finish": {"text": "finish.md"},
 "assets": {"host01": [{"file": "**/*.conf", "target": "~/conf", "chmod": "+w"}]}},
 "backend": {"imageid": "kubernetes-kubeadm-1node"}}`,
		"lab/intro.md": "Welcome.\n", "lab/setup.sh": "touch /srv/a\n", "lab/finish.md": "# Done\n\nGood.\n",
		"lab/assets/a/b.conf": "x", "lab/two.md": "# Two\n\nRead `this`{{copy}}.\n",
		"lab/step1/verify.sh": "stat /srv/new\n",
		"lab/step1/text.md":   "Make a file.<br>\n\n`cd /srv`{{exec}}\n\n```bash\ntouch new\nls\n```{{exec interrupt}}\n\nSee [it]({{TRAFFIC_HOST1_80}}).\n\n<details><summary>Tip</summary>\n\nUse `touch`{{copy}}.\n\n</details>\n",
	})
	if !p.Ordered || p.Intro.Title != "Files" || p.Finish.Narration != "Good." || len(p.Challenges) != 2 {
		t.Fatalf("got %+v", p)
	}
	one := p.Challenges[0]
	if one.Title != "One" || strings.Contains(one.Narration, "{{exec") || strings.Contains(one.Narration, "<br>") {
		t.Errorf("text: %+v", one.Text)
	}
	if got := typedOf(one.Answer.Lines); got != "cd /srv|touch new|ls" || len(one.Setup) != 2 || one.Check == nil {
		t.Errorf("typed %q, %d scripts set up", got, len(one.Setup))
	}
	if len(one.Hints) != 1 || one.Hints[0] != "Use `touch`." {
		t.Errorf("hints: %q", one.Hints)
	}
	if two := p.Challenges[1]; two.Title != "Two" || two.Check != nil {
		t.Errorf("the second: %+v", two)
	}
	if len(p.Notes) != 2 || p.Notes[0].Place.String() != "lab/index.json:6" || p.Notes[1].Place.String() != "lab/step1/text.md:10" {
		t.Errorf("notes: %v", p.Notes)
	}
}

func TestInstruqt(t *testing.T) {
	p := read(t, map[string]string{
		"lab/track.yml":  "slug: files\ntitle: Files\ndescription: |\n  About files.\n",
		"lab/config.yml": "version: \"3\"\nvirtualmachines:\n- name: host\n  image: ubuntu\n",
		"lab/01-one/assignment.md": "---\nslug: one\ntype: challenge\ntitle: One\nnotes:\n- type: text\n  contents: Before.\ntabs:\n- title: Shell\n  type: terminal\n  hostname: host\n" +
			"- title: Editor\n  type: code\n---\nMake it\n===\nText.\n",
		"lab/track_scripts/setup-host": "#!/bin/bash\ntrue\n",
		"lab/01-one/setup-host":        "#!/bin/bash\ntrue\n",
		"lab/01-one/check-host":        "#!/bin/bash\n[ -f /srv/x ] || fail-message \"There is no x\"\n",
		"lab/01-one/solve-host":        "#!/bin/bash\ntouch /srv/x\n",
		"lab/02-two/assignment.md":     "---\ntitle: Two\n---\nRead.\n",
	})
	one := p.Challenges[0]
	if !p.Ordered || len(p.Challenges) != 2 || one.Title != "One" || one.Narration != "Before.\n\n## Make it\n\nText." {
		t.Fatalf("got %+v", p)
	}
	if len(one.Setup) != 2 || one.Check == nil || one.Answer.Run == nil || p.Challenges[1].Check != nil {
		t.Errorf("scripts: %+v", one)
	}
	if len(p.Notes) != 2 || p.Notes[1].Place.String() != "lab/01-one/assignment.md:13" {
		t.Errorf("notes: %v", p.Notes)
	}
}

// TestStays: where they may, a script's files stay as long as scripts leave them alone.
func TestStays(t *testing.T) {
	p := read(t, map[string]string{
		"lab/lib.sh":     "failed() { fail-message \"$@\"; }\n",
		"lab/a/check.sh": "#!/bin/bash\n. ../lib.sh\n[ ! -f \"$SAY\" ] || . \"$SAY\"\n[ -s /dev/null ] || failed none\necho \"at $PWD\"\n",
		"lab/a/data":     "data",
	})
	box, say := filepath.Join(t.TempDir(), "box"), filepath.Join(t.TempDir(), "say")
	e := p.Challenges[0].Check.Carry(box, true, "SAY="+say)
	play := func(command string) string {
		output, _ := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput()
		return string(output)
	}
	want := "at " + box + "/a\n✗ none\n"
	if got := play(e.Again); got != Gone {
		t.Errorf("before it is carried in: %q", got)
	}
	for _, change := range []string{"", "echo more >>data", ": >new", "rm data", "touch ../lib.sh", "mkdir ../b"} {
		if got := play(e.Command); got != want {
			t.Fatalf("carried in: %q", got)
		}
		if got := play(e.Again); got != want {
			t.Errorf("again: %q", got)
		}
		if err := os.WriteFile(say, []byte(change), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // a file system's clock ticks
		if got := play(e.Again); got != want {
			t.Errorf("while it does %q: %q", change, got)
		}
		if err := os.Remove(say); err != nil {
			t.Fatal(err)
		}
		switch got := play(e.Again); {
		case change == "" && got != want:
			t.Errorf("a third time: %q", got)
		case change != "" && got != Gone:
			t.Errorf("after %q: %q", change, got)
		}
		if err := os.RemoveAll(box); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCarry: a script runs where its files are, and nothing of them is left.
func TestCarry(t *testing.T) {
	p := read(t, map[string]string{
		"lab/lib.sh":        "say() { echo \"✗ $* $(cat data)\"; }\n",
		"lab/it's/check.sh": "#!/bin/sh\n. ../lib.sh\nsay here >&2\nexit 3\n",
		"lab/it's/data":     "data",
		"lab/b/verify":      "echo \"$BASH_VERSION\" | grep -q . && fail-message no good\n",
		"lab/c/check.sh":    "cat \"$0\" | wc -c\nexit 2\n#" + strings.Repeat("x", inCommand),
	})
	for _, c := range []struct {
		challenge int
		status    int
		output    string
	}{{2, 3, "✗ here data\n"}, {0, 1, "✗ no good\n"}, {1, 2, fmt.Sprintln(inCommand + 25)}} {
		box := filepath.Join(t.TempDir(), "box")
		e := p.Challenges[c.challenge].Check.Carry(box, false)
		if e.Archive != nil {
			if err := os.WriteFile(box+".tar", e.Archive, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		run := exec.CommandContext(t.Context(), "sh", "-c", e.Command)
		output, _ := run.CombinedOutput()
		if string(output) != c.output || run.ProcessState.ExitCode() != c.status {
			t.Errorf("status %d, output %q; want %d, %q", run.ProcessState.ExitCode(), output, c.status, c.output)
		}
		if left, _ := filepath.Glob(filepath.Dir(box) + "/*"); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
}
