package analysis

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/labrun/labrun"
)

// cursorMark is where the cursor is in the scripts of these tests.
const cursorMark = "‸"

// draft opens lab.star with a text that has the cursor's mark in it.
func draft(t *testing.T, marked string) (*Draft, Place) {
	t.Helper()
	before, after, ok := strings.Cut(marked, cursorMark)
	if !ok {
		t.Fatalf("no cursor in %q", marked)
	}
	net := `lan = network("lan")
_own = 1
def reach(m, tries = 3):
    """Reach a machine

    By all means.
    """
`
	files := folder("lab.star", "", "net.star", net, "parts/words.star", "greeting = \"你好\"\n", "notes.txt", "")
	d := NewDraft(files, "lab.star", "lab.star", before+after, knownImages)
	line := strings.Count(before, "\n") + 1
	return d, Place{line, len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1}
}

func TestComplete(t *testing.T) {
	tests := []struct {
		name, script string
		with, not    string // labels, by spaces; «=» after the name of an argument
	}{
		{"a builtin", declared + stepOf("bo‸"), "boot debian work len lan for", "name"},
		{"arguments by name", declared + stepOf("send(debian, ‸)"), "text= enter= debian lan", "on= name="},
		{
			"arguments that are there",
			declared + stepOf(`wait_for(debian, text = "x", t‸`),
			"timeout= pattern=",
			"text= on=",
		},
		{"no arguments in a value", declared + stepOf("send(debian, text = d‸)"), "debian", "enter= text="},
		{"no arguments within an expression", declared + stepOf(`say("a" + d‸`), "debian", "text="},
		{
			"arguments of own functions",
			declared + "def add(one, two = 2):\n    pass\n" + stepOf("add(‸)"),
			"one= two=",
			"text=",
		},
		{"fields of a machine", declared + stepOf("say(debian.‸)"), "name image", "boot debian"},
		{"a field begun", declared + stepOf("say(debian.na‸)"), "name", "boot"},
		{"fields of a result", declared + stepOf(`run(debian, "true (x").‸`), "status stdout stderr seconds", ""},
		{"fields of a variable", declared + stepOf(`r = run(debian, "true")`, `x = r.‸`, "say(x)"), "stdout", ""},
		{"fields of an item", declared + stepOf(`say(read_leases(debian)[0].‸)`), "addr hostname", ""},
		{"methods of a string", declared + stepOf(`say(debian.name.‸)`), "upper strip", "name"},
		{"methods of a literal", declared + stepOf(`say("%s".‸)`), "format", ""},
		{"fields in a loop's head", declared + stepOf(`for x in debian.‸:`, "    pass"), "name", ""},
		{"fields of what is not known", declared + stepOf(`x = {}`, `say(x["a"].‸)`), "", "name boot"},
		{
			"a field in several lines",
			declared + stepOf("assert_contains(", "    debian,", "    debian.‸", ")"),
			"name",
			"",
		},
		{"images", declared + `m = machine("‸")`, "debian router7", "boot"},
		{"images by name", declared + `m = machine("web", image = "de‸bian")`, "debian router7", "boot"},
		{"no images as a string", declared + `m = network("‸")`, "", "debian boot"},
		{"files", `load("‸`, "./net.star ./parts/words.star", "./lab.star ./notes.txt"},
		{"names of a file", `load("./net.star", "‸")`, "lan reach", "_own"},
		{"loaded names", `load("./net.star", "reach", gate = "lan")` + "\n" + stepOf("‸"), "reach gate", "lan"},
		{"nothing in a comment", "# bo‸", "", "boot"},
		{"nothing in a text", declared + stepOf(`say("bo‸")`), "", "boot"},
		{"nothing in a docstring", declared + "def f():\n    \"\"\"bo‸\n", "", "boot"},
		{"variants in a text", declared + "port = variant(\"port\", [1])\n" + stepOf(`say("At {po‸")`), "port", "boot"},
		{"variants in a docstring", declared + "secret(\"flag\")\ndef f():\n    \"\"\"At {‸}\n\"\"\"\n", "flag", "boot"},
		{"no variants for a shell", declared + "secret(\"flag\")\n" + stepOf(`say("At ${‸}")`), "", "flag boot"},
		{"nothing for a new name", "def bo‸", "", "boot"},
		{"nothing in a number", "x = 12‸", "", "boot"},
		{"names of this function only", "def f(inner):\n    pass\ndef g(other):\n    ‸\n", "other g f", "inner"},
		{"an unfinished call above", declared + "def f():\n    send(debian,\n    bo‸\n", "boot debian", "text="},
		{"broken elsewhere", declared + "def f(:\n    pass\n" + stepOf("bo‸"), "boot debian work", ""},
		{"an empty file", "‸", "mission network step load", ""},
		{"beyond Chinese", declared + stepOf(`say("你好，世界" + debian.‸)`), "name image", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, place := draft(t, test.script)
			var labels []string
			for _, c := range d.Complete(place) {
				labels = append(labels, strings.ReplaceAll(c.Label, " ", ""))
			}
			for _, label := range strings.Fields(test.with) {
				if !slices.Contains(labels, label) {
					t.Errorf("%s is not offered: %q", label, labels)
				}
			}
			for _, label := range strings.Fields(test.not) {
				if slices.Contains(labels, label) {
					t.Errorf("%s is offered: %q", label, labels)
				}
			}
		})
	}
}

// What is accepted takes the place of the name, or the string, at the cursor.
func TestCompletionReplaces(t *testing.T) {
	for script, want := range map[string]string{
		"bo‸":                              "1:1-1:3",
		"bo‸ot":                            "1:1-1:5",
		"你好 = 1\nsay(\"你好\"); 你‸":          "2:12-2:13",
		`m = machine("web", image = "d‸")`: "1:29-1:30",
		`m = machine("‸debian")`:           "1:14-1:20",
		`load("./n‸`:                       "1:7-1:10",
	} {
		d, place := draft(t, script)
		list := d.Complete(place)
		if len(list) == 0 {
			t.Errorf("%s: nothing is offered", script)
			continue
		}
		r := list[0].Replace
		if got := fmt.Sprintf("%d:%d-%d:%d", r.From.Line, r.From.Column, r.To.Line, r.To.Column); got != want {
			t.Errorf("%s: %s is replaced, want %s", script, got, want)
		}
	}
}

// Of what is offered, that comes first which is of the wanted type.
func TestCompletionKnowsWhatFits(t *testing.T) {
	d, place := draft(t, declared+stepOf("send(‸)"))
	fits := map[string]bool{}
	for _, c := range d.Complete(place) {
		fits[c.Label] = c.Fits
	}
	if !fits["debian"] || fits["lan"] || fits["work"] || !fits["text ="] {
		t.Errorf("send takes a machine first: %v", fits)
	}
	d, place = draft(t, declared+`m = machine("alpine", nics = [‸])`)
	clear(fits)
	for _, c := range d.Complete(place) {
		fits[c.Label] = c.Fits
	}
	if fits["debian"] || !fits["lan"] || fits["text ="] {
		t.Errorf("nics are networks: %v", fits)
	}
}

func TestSignature(t *testing.T) {
	tests := []struct {
		script, label string
		active        int
	}{
		{declared + stepOf("send(‸"), "send(on, text, enter = True)", 0},
		{declared + stepOf("send(debian, ‸)"), "send(on, text, enter = True)", 1},
		{declared + stepOf("send(debian, enter = ‸)"), "send(on, text, enter = True)", 2},
		{declared + stepOf("send(debian, \"a, b‸\")"), "send(on, text, enter = True)", 1},
		{declared + stepOf("boot(debian, alpine, ‸"), "boot(*machines, student = True)", 0},
		{
			declared + stepOf(`assert_contains(output(debian), "a", "b", ‸`),
			`assert_contains(subject, *texts, hint = "", timeout = 60)`,
			1,
		},
		{declared + stepOf(`say(address(‸))`), "address(machine, network = None, *, timeout = 120)", 0},
		{
			declared + `x = machine("debian", nics = [lan, ‸])`,
			`machine(name, image = "", nics = [], memory = 0, cpus = 0, hostname = "", *, kernel = "", initrd = "", cmdline = "", arch = "", packages = [], files = {}, setup = "", source = "", build = "")`,
			2,
		},
		{declared + "def add(a, b = 1):\n    \"\"\"Add.\"\"\"\n" + stepOf("add(1, ‸"), "add(a, b = 1)", 1},
		{declared + stepOf("send(debian, \"x\")‸"), "", 0},
		{declared + "def add(‸", "", 0},
		{declared + stepOf("nothing(‸"), "", 0},
		{"x = (1, ‸", "", 0},
		{"send(debian  # ‸", "", 0},
	}
	for _, test := range tests {
		d, place := draft(t, test.script)
		got, ok := d.Signature(place)
		if ok != (test.label != "") || got.Label != test.label || ok && got.Active != test.active {
			t.Errorf("%s: got %q, parameter %d (%v), want %q, %d",
				test.script[strings.LastIndexByte(test.script[:strings.Index(test.script, cursorMark)], '\n')+1:],
				got.Label, got.Active, ok, test.label, test.active)
		}
	}
}

func TestHover(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{
			"a builtin",
			declared + stepOf("bo‸ot(debian)"),
			"```python\nboot(*machines, student = True)\n```\n\nStart machines, side by side. Returns as soon",
		},
		{
			"an argument's name",
			declared + stepOf(`send(debian, "x", en‸ter = False)`),
			"`enter` (bool): press Enter after it; if not given, `True`",
		},
		{
			"a machine",
			declared + stepOf("boot(deb‸ian)"),
			"```python\ndebian = machine(\"debian\", nics = [lan])\n```\n\nA machine",
		},
		{"a field", declared + stepOf(`say(run(debian, "true").std‸out)`), "`stdout` (string) of a result: its output"},
		{"an own function", declared + stepOf("pass") + "wo‸rk()", "```python\nwork()\n```\n\nWork\n\nDo it."},
		{
			"a loaded function",
			"load(\"./net.star\", far = \"reach\")\n" + declared + stepOf("f‸ar(debian)"),
			"```python\nreach(m, tries = 3)\n```\n\nReach a machine\n\nBy all means.",
		},
		{
			"a loaded value",
			"load(\"./net.star\", \"lan\")\nx = l‸an\n",
			"```python\nlan = network(\"lan\")\n```\n\nA network, from net.star",
		},
		{
			"in a broken file",
			declared + "def f(:\n    pass\n" + stepOf("bo‸ot(debian)"),
			"```python\nboot(*machines, student = True)",
		},
		{
			"a local variable",
			declared + stepOf("x = run(debian,", `    "true")`, "say(x‸.stdout)"),
			"```python\nx = run(debian, …\n```\n\nA result",
		},
		{"a text", declared + stepOf(`say("boo‸t")`), ""},
		{"a comment", "# boo‸t", ""},
		{"Starlark's own", "x = le‸n(\"a\")", ""},
		{"nothing", declared + "\n‸\n", ""},
		{"a parameter", "def f(par‸am):\n    pass\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, place := draft(t, test.script)
			got, _, ok := d.Hover(place)
			if ok != (test.want != "") || !strings.HasPrefix(got, test.want) {
				t.Errorf("got %q (%v), want %q", got, ok, test.want)
			}
		})
	}
}

func TestDefinition(t *testing.T) {
	const loads = "load(\"./net.star\", \"lan\", far = \"reach\")\n"
	tests := []struct{ script, want string }{
		{declared + stepOf("boot(deb‸ian)"), "lab.star 3:1"},
		{declared + stepOf("pass") + "wo‸rk()\n", "lab.star 5:5"},
		{declared + stepOf("x = 1", "say(x‸)"), "lab.star 8:5"},
		{"def f(param):\n    say(par‸am)\n", "lab.star 1:7"},
		{loads + "x = l‸an\n", "net.star 1:1"},
		{loads + "f‸ar(1)\n", "net.star 3:5"},
		{"load(\"./net.star\", \"l‸an\")\n", "net.star 1:1"},
		{"load(\"./net.star\", far = \"rea‸ch\")\n", "net.star 3:5"},
		{"load(\"./net‸.star\", \"lan\")\n", "net.star 1:1"},
		{"load(\"./parts/w‸ords.star\", \"greeting\")\n", "parts/words.star 1:1"},
		{"load(\"./nowhere‸.star\", \"x\")\n", ""},
		{declared + stepOf("bo‸ot(debian)"), ""},
		{declared + stepOf("undefined‸(debian)"), ""},
		{declared + "def f(:\n" + stepOf("boot(deb‸ian)"), "lab.star 3:1"},
	}
	for _, test := range tests {
		d, place := draft(t, test.script)
		got := ""
		if at, ok := d.Definition(place); ok {
			got = fmt.Sprintf("%s %d:%d", at.File, at.Span.From.Line, at.Span.From.Column)
		}
		if got != test.want {
			t.Errorf("%q is defined at %q, want %q", test.script, got, test.want)
		}
	}
}

func TestOutline(t *testing.T) {
	d, _ := draft(t, declared+"WORK = \"x\"\n"+stepOf("pass")+"def helper(a, b = 1):\n    pass\n‸")
	want := []string{"lan network network", "debian machine machine", "alpine machine machine",
		"WORK variable variable", "Work step work", "helper function helper(a, b = 1)"}
	var got []string
	for _, s := range d.Outline() {
		got = append(got, fmt.Sprintf("%s %s %s", s.Name, s.Kind, s.Detail))
	}
	if !slices.Equal(got, want) {
		t.Errorf("outline is %q, want %q", got, want)
	}
}

// The parser stops behind what it refuses; an editor marks that.
func TestSyntaxErrorsAreMarked(t *testing.T) {
	for script, want := range map[string]string{
		"x = [1\ndef f():\n    pass\n": "{{2 1} {2 4}}",
		"def f()\n    pass\n":          "{{1 7} {1 8}}",
		"x = \"你好\n":                   "{{1 5} {1 8}}",
		"x = (":                        "{{1 5} {1 6}}",
	} {
		findings := NewDraft(folder(), "lab.star", "lab.star", script, nil).Findings()
		if len(findings) != 1 || fmt.Sprint(findings[0].Span) != want {
			t.Errorf("%q: marked is %v, want %s", script, findings, want)
		}
	}
}

func TestDraftLoads(t *testing.T) {
	files := folder("lab.star", declared+stepOf("pass")+"bad = machine(\"debian\")\n")
	d := NewDraft(files, "lab.star", "lab.star", "", knownImages)
	got := d.Load(t.Context())
	if len(got) != 1 || got[0].Span.From != (Place{10, 14}) || !strings.Contains(got[0].Message, "is taken already") {
		t.Errorf("loading finds %v, want the name that is taken", got)
	}
}

// FuzzDraft asks everything of any text, at a place in it: an editor sends broken
// files all the time.
func FuzzDraft(f *testing.F) {
	week1, err := readWeek1()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		declared + stepOf(boots, proved), week1, "", "\x00", "\xff\xfe", "(", "[(", "\"\"\"", "def", "def f(\n",
		"load(", `load("", "")`, `load("a")`, `load("./net.star", `, "x.", ".x", "x..y", "'\\", "r'", "rb\"\"\"\\",
		"#", "# lint:", "# lint: unused because x", "a = b\nb = a\n", "\r\r\n\n", "\t x\n  y", "if x:\nelse",
		"for x in", "lambda x: y", "f(*a, **b, c = d, *e)", "[x for x in y for y in x]", "machine(", "boot(*",
		"x = x.y.z[1](2)[3].", "(((((((", "\ufeffx", "步驟(“", "while x: pass", "step(step)\nstep(f)\ndef f(): f()\n",
		"def f(a, a, *b, *c, **d, **e): pass\nf(a = a, a = a)", "x = 0x\n", "x = 1e999", "load('./lab.star', 'x')\n",
		"class X:\n  pass",
	} {
		f.Add(seed, len(seed)/2)
	}
	f.Fuzz(func(t *testing.T, script string, at int) {
		if len(script) > 1<<12 {
			return
		}
		d := NewDraft(folder("net.star", "lan = network(\"lan\")\n"), "lab.star", "lab.star", script, knownImages)
		place := Place{at % 50, at / 50 % 100}
		if at >= 0 && at <= len(d.file.lines.text) {
			place = d.file.lines.place(at)
		}
		for _, finding := range d.Findings() {
			if from, to := finding.Span.From, finding.Span.To; from.Line < 1 || from.Column < 1 || to.Before(from) {
				t.Errorf("%v is about the span %v", finding, finding.Span)
			}
		}
		for _, c := range d.Complete(place) {
			if c.Replace.To.Before(c.Replace.From) {
				t.Errorf("%+v replaces nothing that there is", c)
			}
		}
		d.Signature(place)
		d.Hover(place)
		d.Definition(place)
		d.Outline()
	})
}

func readWeek1() (string, error) {
	data, err := fs.ReadFile(labrun.Missions(), "week1.star")
	return string(data[:min(len(data), 4000)]), err
}
