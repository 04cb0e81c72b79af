package analysis

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.starlark.net/syntax"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/script"
)

var knownImages = Images{"alpine": 1022, "debian": 0, "mini": 1022, "router7": 1022}

// folder makes a mission's folder of files; each name has its text after it.
func folder(namesAndTexts ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for i := 0; i < len(namesAndTexts); i += 2 {
		files[namesAndTexts[i]] = &fstest.MapFile{Data: []byte(namesAndTexts[i+1])}
	}
	return files
}

// findingsIn lints lab.star of a folder, and returns the findings a line each.
func findingsIn(files fstest.MapFS) string {
	text := ""
	for _, f := range Lint(files, "lab.star", "lab.star", knownImages) {
		text += f.String() + "\n"
	}
	return text
}

// declared is the beginning of the missions here: its lines are 1 to 4.
const declared = `mission(title = "Lab", api = 1)
lan = network("lan")
debian = machine("debian", nics = [lan])
alpine = machine("alpine", nics = [lan])
`

// stepOf is a step of these lines, the first of which is the fourth line of it.
func stepOf(lines ...string) string {
	return "def work():\n    \"\"\"Work\n    Do it.\"\"\"\n    " + strings.Join(lines, "\n    ") + "\nstep(work)\n"
}

const (
	boots  = "boot(debian, alpine)"
	proved = `assert_contains(debian, "x", hint = "Look.")`
)

// TestRules has what each rule finds and what it must leave alone. The lines of a
// step begin in line 8.
func TestRules(t *testing.T) {
	tests := []struct {
		name, script, want string
	}{
		{"a fine step", declared + stepOf(boots, "login(debian)", `send(debian, "echo x")`, proved), ""},

		{"wrong types in a step", declared + stepOf(boots, `send("debian", 7)`, proved),
			`lab.star:9:10: send: on: want a machine, console or terminal, got string "debian": give the machine, debian without quotation marks [wrong-argument]
lab.star:9:20: send: text: want a string, got int 7 [wrong-argument]
`},
		{"a list for a machine", declared + "both = [debian, alpine]\n" + stepOf("boot(both)", "boot(*both)", proved),
			`lab.star:9:10: boot: machines: item 1: want a machine, got list [a machine, a machine]: write *both to give each of its items [wrong-argument]
`},
		{"a wrong name, a missing argument", declared + stepOf(boots, `send(debian, txt = "x")`, proved),
			`lab.star:9:5: send: text is missing: it is send(on, text, enter = True) [wrong-argument]
lab.star:9:18: send: no parameter is called "txt" (did you mean text?): it is send(on, text, enter = True) [wrong-argument]
`},
		{"too many arguments", declared + stepOf(boots, `reboot(debian, alpine)`, proved),
			`lab.star:9:20: reboot: 2 arguments are too many: it is reboot(machine, *, timeout = 60) [wrong-argument]
`},
		{
			"the value of a variable",
			declared + "WORK = 60 * 60\n" + stepOf(boots, `name = debian.name`, `run(debian, WORK)`, `send(name, "x")`,
				proved),
			`lab.star:12:10: send: on: want a machine, console or terminal, got a string [wrong-argument]
lab.star:11:17: run: command: want a string, got an int [wrong-argument]
`,
		},
		{"a broken regular expression", declared + stepOf(boots, `assert_match(debian, "(x", hint = "Look.")`),
			"lab.star:9:26: assert_match: pattern: error parsing regexp: missing closing ): `(x` [wrong-argument]\n"},
		{
			"arguments that contradict each other",
			declared + stepOf(boots, `wait_for(debian, text = "a", pattern = "b")`, `send_key(debian, "F13")`),
			`lab.star:9:5: wait_for: give either text or pattern: wait_for(on, text = "", pattern = "", *, timeout = 120) [wrong-argument]
lab.star:10:5: send_key: no key is called "f13" (did you mean f1?): there are backspace, ctrl-alt-delete, delete, down, end, enter, escape, home, left, page-down, page-up, right, space, tab, up, f1 to f12, alt-f1 to alt-f12, and ctrl- with a letter [wrong-argument]
`,
		},
		{
			"what cannot be known is right",
			declared + stepOf(boots, `x = {"m": debian}`, `send(x["m"], x.get("text"))`, `boot(*[m for m in [debian]])`,
				`kw = {}`, `send(debian, **kw)`, proved),
			"",
		},
		{
			"own functions",
			declared + "def add(a, b = 1, *, c = 2):\n    return a\n" + stepOf(boots, "add()", "add(1, 2, 3)",
				"add(1, zero = 2)", "add(1, a = 2)", "add(1, b = 2, c = 3)", "add(*[1])", proved),
			`lab.star:11:5: add: a is missing: it is add(a, b = 1, *, c = 2) [wrong-argument]
lab.star:12:15: add: 3 arguments are too many: it is add(a, b = 1, *, c = 2) [wrong-argument]
lab.star:13:12: add: no parameter is called "zero": it is add(a, b = 1, *, c = 2) [wrong-argument]
lab.star:14:12: add: a is given twice [wrong-argument]
`,
		},

		{
			"unknown fields",
			declared + stepOf(boots, `r = run(debian, "true")`, `say(r.stdot + debian.ip + "x".uper())`, proved),
			`lab.star:10:11: a result has no .stdot (did you mean stdout?): there are status, stdout, stderr, seconds [unknown-field]
lab.star:10:26: a machine has no .ip: there are name, image [unknown-field]
lab.star:10:35: a string has no .uper (did you mean upper?) [unknown-field]
`,
		},
		{
			"unknown images",
			declared + `web = machine("web")` + "\n" + `db = machine("db", image = "debain")` + "\n" + stepOf(
				"boot(web, db, debian, alpine)",
				proved,
			),
			`lab.star:5:15: image "web" is not in images.lock: there are alpine, debian, mini, router7; another name than the image's is given with image = … [unknown-image]
lab.star:6:28: image "debain" is not in images.lock (did you mean debian?): there are alpine, debian, mini, router7; another name than the image's is given with image = … [unknown-image]
`,
		},

		{
			"declared in a step, done outside of one",
			declared + "x = address(debian)\n" + stepOf(boots, `network("wan")`, proved),
			`lab.star:5:5: address: loading a mission only declares: call it inside a function and make that a step with step(…) [wrong-place]
lab.star:10:5: network: a step cannot declare: call it at the top level of the script [wrong-place]
`,
		},
		{
			"a task's check that does more than look",
			strings.Replace(declared, "api = 1", `api = 1, needs = ["host"]`, 1) + `def put():
    write_file(debian, "/root/x", "x")
def look():
    send(debian, "ls")
    put()
    [terminal("t") for i in range(3)]
    unplug(debian)
    read_file(debian, "/root/x")
    output(debian)
` + stepOf(boots, `task(debian, "Do it.", solution = put, check = look, hints = ["Think."])`, `task(debian, "Do it.", solution = put, check = lambda: reboot(debian), hints = ["Think."])`),
			`lab.star:6:5: write_file: a task's check may only look: run, read_file and the assertions look; do before the task what has to be done [wrong-place]
lab.star:8:5: send: a task's check may only look: run, read_file and the assertions look; do before the task what has to be done [wrong-place]
lab.star:10:6: terminal: a task's check may only look: run, read_file and the assertions look; do before the task what has to be done [wrong-place]
lab.star:11:5: unplug: a task's check may only look: run, read_file and the assertions look; do before the task what has to be done [wrong-place]
lab.star:19:60: reboot: a task's check may only look: run, read_file and the assertions look; do before the task what has to be done [wrong-place]
`,
		},
		{"a terminal that was not asked for", declared + stepOf(boots, `terminal("host")`, proved),
			`lab.star:9:5: terminal: the mission does not say that it needs the host: write mission(…, needs = ["host"]) [wrong-place]
`},
		{
			"a terminal that was",
			strings.Replace(declared, "api = 1", `api = 1, needs = ["host"]`, 1) + stepOf(boots,
				`send(terminal("host"), "nproc")`, proved),
			"",
		},
		{
			"functions that are no steps",
			declared + "def a():\n    boot(debian, alpine)\ndef b(x):\n    \"\"\"B\"\"\"\nstep(a)\nstep(b)\n",
			`lab.star:5:5: warning: the step a checks nothing: end it with what must be true then: assert_contains, assert_equal, task, … [no-check]
lab.star:9:1: a has no docstring: begin the function with """The step's title""", and below the title tell what the student should know [bad-step]
lab.star:8:5: warning: the step «B» has a title and no narration: tell below the title what the student should know, and what to do [no-narration]
lab.star:10:1: b has parameters: it is b(x): a step's function has none [bad-step]
`,
		},

		{
			"a challenge's set-up",
			declared + `def ready():
    boot(debian, student = False)
    send(debian, "mkdir x")
    write_file(debian, "/root/x", "x")
def on():
    boot(debian, alpine)
def work():
    """Work
    Do it."""
    login(debian)
    login(alpine)
    ` + proved + `
challenge(work, setup = ready)
def other():
    """Other
    Do it."""
    login(debian)
    ` + proved + `
challenge(other, setup = None)
def idle():
    """Idle
    Do it."""
    send(debian, "ls")
challenge(idle, setup = on)
def last():
    """Last
    Do it."""
    login(debian)
    login(alpine)
    ` + proved + `
step(last)
`,
			`lab.star:15:11: login: alpine is not on: boot it first, in this step or in an earlier one [not-booted]
lab.star:21:11: login: debian is not on: boot it first, in this step or in an earlier one [not-booted]
lab.star:24:5: warning: the step idle checks nothing: end it with what must be true then: assert_contains, assert_equal, task, … [no-check]
lab.star:27:5: note: nothing in this step checks what this led to: so a student has to type just this; a check after it (assert_contains, wait_for, …) lets them find their own way [unchecked-input]
`,
		},
		{"used before it is booted", declared + stepOf("boot(debian)", "login(alpine)", "login(alpine)", proved),
			"lab.star:9:11: login: alpine is not on: boot it first, in this step or in an earlier one [not-booted]\n"},
		{
			"used after it is shut down",
			declared + stepOf(boots, "shutdown(debian)", `assert_contains(read_file(debian, "/x"), "x", hint = "y")`),
			"lab.star:10:31: read_file: debian is not on: boot it first, in this step or in an earlier one [not-booted]\n",
		},
		{"booted by a function, in a loop", declared + "both = [debian, alpine]\ndef start(m):\n    boot(m)\n" +
			stepOf("for m in both:", "    start(m)", "for m in both:", "    login(m)", proved), ""},
		{
			"a loop over pairs",
			declared + stepOf("boot(debian)", "for m, name in [(debian, \"os25\"), (alpine, \"localhost\")]:",
				"    login(m)", proved),
			"lab.star:10:15: login: alpine is not on: boot it first, in this step or in an earlier one [not-booted]\n",
		},
		{
			"perhaps booted",
			declared + stepOf("if host_cpus() > 1:", "    boot(debian)", "login(debian)", "x = [alpine]",
				"x.append(debian)", "boot(*x)", "login(alpine)", proved),
			"",
		},
		{
			"steps in another way",
			declared + "def work():\n    \"\"\"Work\n    Do it.\"\"\"\n    login(debian)\n    login(alpine)\n[step(f) for f in [work]]\n",
			"",
		},
		{"a MAC address without a boot", declared + stepOf("say(mac(debian))", "boot(debian, alpine)", proved), ""},

		{"unused", `load("./parts.star", "a", "b")
mission(title = "Lab", api = 1)
lan = network("lan")
wan = network("wan")
debian = machine("debian")
machine("alpine")
def helper():
    pass
def forgotten():
    """Forgotten
    This is no step."""
def work():
    """Work
    Do it."""
    say(a)
step(work)
`, `lab.star:1:28: warning: b is loaded and not used: remove it [unused]
lab.star:3:1: warning: no machine is on the network lan: name it in the nics of a machine, or remove it [unused]
lab.star:4:1: warning: no machine is on the network wan: name it in the nics of a machine, or remove it [unused]
lab.star:5:1: warning: no step uses the machine debian: boot it in a step, or remove it [unused]
lab.star:6:1: warning: nothing can use this machine: give it a name: my_machine = machine(…) [unused]
lab.star:7:5: warning: helper is no step and is never called: remove it [unused]
lab.star:9:5: warning: forgotten is no step and is never called: make it one with step(forgotten), or remove it [unused]
`},

		{"no check", declared + stepOf(boots, `send(debian, "x")`, "wait_prompt(debian)"),
			`lab.star:5:5: warning: the step work checks nothing: end it with what must be true then: assert_contains, assert_equal, task, … [no-check]
lab.star:9:5: note: nothing in this step checks what this led to: so a student has to type just this; a check after it (assert_contains, wait_for, …) lets them find their own way [unchecked-input]
`},
		{"a boot that is waited for", declared + stepOf(boots, "wait_prompt(debian)"), ""},
		{
			"packets that have to come",
			declared + stepOf(boots, `send(debian, "x")`, `packets(lan, count = 2, hint = "Type x.")`),
			"",
		},
		{"packets that are counted", declared + stepOf(boots, `send(debian, "x")`, `packets(lan)`),
			`lab.star:5:5: warning: the step work checks nothing: end it with what must be true then: assert_contains, assert_equal, task, … [no-check]
lab.star:9:5: note: nothing in this step checks what this led to: so a student has to type just this; a check after it (assert_contains, wait_for, …) lets them find their own way [unchecked-input]
`},
		{"words alone", declared + stepOf("say(debian.name + alpine.name)"), ""},
		{
			"a check in a function",
			declared + "def look():\n    assert_true(True, hint = \"Look.\")\n" + stepOf(boots, `send(debian, "x")`,
				"look()"),
			"",
		},
		{
			"checked before, in a loop",
			declared + stepOf(boots, "for i in range(2):", `    assert_contains(debian, "x", hint = "Look.")`,
				`    send(debian, "x")`),
			"",
		},
		{"leaving a shell", declared + stepOf(boots, proved, `send(debian, "exit")`), ""},

		{"no hints", declared + "def look():\n    return True\n" +
			stepOf(boots, `assert_contains(debian, "x", "y", "z")`,
				`task(debian, "Do it.", solution = "x", check = look)`, `h = {}`, `assert_true(True, **h)`),
			`lab.star:11:5: warning: assert_contains has no hint: add hint = "…": what to type or to look at [no-hint]
lab.star:12:5: warning: task has no hints: add hints = […], from a nudge to nearly the answer; without them the first help is the solution [no-hint]
`},
		{
			"odd time-outs",
			declared + stepOf(boots, "wait_prompt(debian, timeout = 0.5)", "wait_prompt(debian, timeout = 60000)",
				`wait_prompt(debian, timeout = "10m")`, "wait_prompt(debian, timeout = 0)", proved),
			`lab.star:9:35: warning: wait_prompt waits 500ms at most: an emulated machine may take longer for anything; the default is 180 seconds [odd-timeout]
lab.star:10:35: warning: wait_prompt waits up to 16h40m0s: a number is in seconds, and the default is 180 [odd-timeout]
lab.star:12:35: wait_prompt: timeout: 0 is out of range: from above 0 to 24 hours [wrong-argument]
`,
		},

		{
			"wrong answers and their reasons",
			declared + "WHY = \"there is no x\"\n" + stepOf(boots,
				`task(debian, "Do it.", solution = "true", check = lambda: True, hints = ["Do."], wrong = [("a", WHY), "b"])`,
				`task(debian, "Do it.", solution = "true", check = lambda: True, hints = ["Do."], wrong = ["a", ("b", 7)])`,
				`task(debian, "Do it.", solution = "true", check = lambda: True, hints = ["Do."], wrong = ("a", WHY))`,
				`task(debian, "Do it.", solution = "true", check = lambda: True, hints = ["Do."], wrong = [("a", "")])`, proved),
			`lab.star:11:94: task: wrong: want a list of answers, each a string or a function, or (that, why it must fail), and item 2 is tuple ("b", 7) [wrong-argument]
lab.star:12:94: task: wrong: two strings in parentheses may be two answers, or one and its reason: write [a, b], or [(a, b)] [wrong-argument]
lab.star:13:94: task: wrong: want a list of answers, each a string or a function, or (that, why it must fail), and the reason of item 1 is empty [wrong-argument]
`,
		},

		{
			"lines that the shell drops the end of",
			declared + "LONG = \"" + strings.Repeat("x", 1023) + "\"\nFITS = \"" + strings.Repeat("x", 1022) + "\"\n" +
				stepOf(boots, "send(alpine, LONG)", "send(debian, LONG)", `send(alpine, FITS + "\n" + FITS)`, "send(alpine, FITS)",
					`task(alpine, "Do it.", solution = LONG, check = lambda: True, hints = ["Do."], wrong = [FITS, (LONG, "too long")])`, proved),
			`lab.star:11:18: warning: send: a line of 1023 bytes is typed at alpine, whose shell keeps 1022 and drops the rest: put it into a file with write_file and run that, or type shorter lines [long-line]
lab.star:15:39: warning: task: a line of 1023 bytes is typed at alpine, whose shell keeps 1022 and drops the rest: put it into a file with write_file and run that, or type shorter lines [long-line]
lab.star:15:92: warning: task: a line of 1023 bytes is typed at alpine, whose shell keeps 1022 and drops the rest: put it into a file with write_file and run that, or type shorter lines [long-line]
`,
		},

		{
			"names in braces",
			declared + "port = variant(\"port\", range(8000, 9000))\nsecret(name = \"flag\")\n" +
				"def work():\n    \"\"\"Work {prot}\n    on {port}: ${prot}, {print}\n    and {falg}.\"\"\"\n    " + boots + "\n    " +
				`assert_contains(debian, "x", hint = "Not on {prt}: {flag}.")` + "\nstep(work)\n",
			`lab.star:8:13: warning: {prot} is no variant (did you mean port?): write the name as it is drawn; what is not drawn stays as it is [unknown-variant]
lab.star:10:9: warning: {falg} is no variant (did you mean flag?): write the name as it is drawn; what is not drawn stays as it is [unknown-variant]
lab.star:12:49: warning: {prt} is no variant (did you mean port?): write the name as it is drawn; what is not drawn stays as it is [unknown-variant]
`,
		},

		{
			"half a field",
			declared + "x = debian.\n",
			"lab.star:6:1: not an identifier: after a dot comes the name of a field or method [syntax]\n",
		},
		{
			"syntax",
			declared + "def work(:\n",
			"lab.star:5:11: got ':', want ')': a comma is missing here, or a bracket above is not closed [syntax]\n",
		},
		{"unknown names", declared + stepOf(boots, "login(debain)", "wait_promt(debian)", proved),
			`lab.star:9:11: undefined: debain (did you mean debian?) [unknown-name]
lab.star:10:5: undefined: wait_promt (did you mean wait_prompt?) [unknown-name]
`},
		{
			"files that cannot be loaded",
			"load(\"./nowhere.star\", \"x\")\nload(\"parts.star\", \"y\")\nload(\"./parts.star\", \"aa\")\n" + declared + stepOf(
				boots,
				"say(x + y + aa)",
				proved,
			),
			`lab.star:1:6: cannot load ./nowhere.star: there is no such file in the mission's folder [load]
lab.star:2:6: cannot load parts.star: write it relative to this file: load("./parts.star", …) [load]
lab.star:3:23: ./parts.star has no aa (did you mean a?) [load]
`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := findingsIn(folder("lab.star", test.script, "parts.star", "a = \"a\"\nb = \"b\"\n"))
			if inOrder(got) != inOrder(test.want) {
				t.Errorf("found:\n%swant:\n%s", got, test.want)
			}
		})
	}
}

// inOrder makes the order of the lines that a test lists irrelevant.
func inOrder(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i := range lines {
		for j := i; j > 0 && lines[j] < lines[j-1]; j-- {
			lines[j], lines[j-1] = lines[j-1], lines[j]
		}
	}
	return strings.Join(lines, "")
}

func TestFindingsOfLoadedFiles(t *testing.T) {
	got := findingsIn(folder("lab.star", `load("./parts/net.star", router = "gateway")
mission(title = "Lab", api = 1)
`+stepOf("login(router)", "boot(router)", `assert_contains(router.nam, "x", hint = "y")`),
		"parts/net.star", `load("../lan.star", "lan")
gateway = machine("gateway", image = "router", nics = [lan])
spare = machine("spare", image = "alpine")
def unused(x):
    send(gateway)
`, "lan.star", `lan = network("lan")`))
	const want = `lab.star:6:11: login: gateway is not on: boot it first, in this step or in an earlier one [not-booted]
lab.star:8:28: a machine has no .nam (did you mean name?): there are name, image [unknown-field]
parts/net.star:2:38: image "router" is not in images.lock (did you mean router7?): there are alpine, debian, mini, router7; another name than the image's is given with image = … [unknown-image]
parts/net.star:5:5: send: text is missing: it is send(on, text, enter = True) [wrong-argument]
`
	if got != want {
		t.Errorf("found:\n%swant:\n%s", got, want)
	}
}

func TestSilence(t *testing.T) {
	lines := []string{boots,
		`assert_true(True) # lint: no-hint because it always holds`,
		`# lint: no-hint, odd-timeout because nobody waits here`,
		`assert_contains(debian, "x", timeout = 0.1)`,
		`# lint: no-hint`,
		`assert_true(True)`,
		`#lint: no-hnt because I say so`,
		`wait_prompt(debian)  # lint: no-hint because of nothing`,
	}
	const want = `lab.star:12:5: warning: this silences nothing: write # lint: RULE because …, with a reason [lint-comment]
lab.star:13:5: warning: assert_true has no hint: add hint = "…": what to type or to look at [no-hint]
lab.star:14:5: warning: no rule is called no-hnt (did you mean no-hint?): remove the comment, or name the rule that a finding ends with [lint-comment]
lab.star:15:26: warning: there is no finding of no-hint here: remove the comment, or move it to line 13, where there is one [lint-comment]
`
	if got := findingsIn(folder("lab.star", declared+stepOf(lines...))); got != want {
		t.Errorf("found:\n%swant:\n%s", got, want)
	}
}

// What is found about a step as a whole is silenced where the function becomes one, too.
func TestSilenceAtTheStep(t *testing.T) {
	const source = `mission(title = "Lab", api = 1)
pc = machine("pc", image = "alpine")

def look():
    """Look around"""
    boot(pc)
    run(pc, "ls")
    assert_true(True)

# lint: no-hint because this is no step's
# lint: no-narration because students know it by now
step(look)

def rest():
    """Rest"""
    run(pc, "sync")

step(rest)  # lint: no-narration, no-check because it is over
`
	const want = `lab.star:8:5: warning: assert_true has no hint: add hint = "…": what to type or to look at [no-hint]
lab.star:10:1: warning: there is no finding of no-hint here: remove the comment, or move it to line 8, where there is one [lint-comment]
`
	if got := findingsIn(folder("lab.star", source)); got != want {
		t.Errorf("found:\n%swant:\n%s", got, want)
	}
}

// Columns count characters, not bytes, and spans end where the text does.
func TestPlacesAreCharacters(t *testing.T) {
	findings := Lint(folder("lab.star", "\ufeff"+declared+stepOf(boots, `say("你好，世界" + debian.nam)`, proved)),
		"lab.star", "lab.star", knownImages)
	if len(findings) != 1 || findings[0].Span != (Span{Place{9, 26}, Place{9, 29}}) {
		t.Errorf("found %v, want .nam from 9:26 to 9:29", findings)
	}
}

func TestFindingAsJSON(t *testing.T) {
	f := Finding{"lab.star", Span{Place{3, 5}, Place{3, 9}}, "no-hint", SeverityWarning, "message", "remedy"}
	line, err := json.Marshal(f)
	const want = `{"file":"lab.star","line":3,"column":5,"end_line":3,"end_column":9,` +
		`"severity":"warning","rule":"no-hint","message":"message","remedy":"remedy"}`
	if err != nil || string(line) != want {
		t.Errorf("got %s (%v), want %s", line, err, want)
	}
}

// The built-in missions have no errors; what else is found in them stays few.
func TestBuiltInMissionsAreClean(t *testing.T) {
	for _, f := range Lint(labrun.Missions(), "week1.star", "week1.star", knownImages) {
		if f.Severity == SeverityError || f.Rule != "no-hint" {
			t.Error(f)
		}
	}
}

// Every rule is documented, and no other.
func TestRulesAreDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/lint.md")
	if err != nil {
		t.Fatal(err)
	}
	want := append(RuleNames(), ruleSyntax, ruleName, RuleLoad, ruleComment, ruleTranslation)
	slices.Sort(want)
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(string(data), -1) {
		documented = append(documented, row[1])
	}
	slices.Sort(documented)
	if !slices.Equal(documented, want) {
		t.Errorf("docs/lint.md has the rules %q, want %q", documented, want)
	}
}

// The problem matcher that docs/editors.md offers understands every finding.
func TestProblemMatcher(t *testing.T) {
	data, err := os.ReadFile("../../docs/editors.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile(`"regexp": (".*"),`).FindSubmatch(data)
	var pattern string
	if quoted == nil || json.Unmarshal(quoted[1], &pattern) != nil {
		t.Fatal("docs/editors.md has no problem matcher")
	}
	matcher := regexp.MustCompile(pattern)
	file, at := "a.star", Span{Place{3, 5}, Place{3, 9}}
	for line, want := range map[string][]string{
		Finding{"labs/a.star", at, "no-hint", SeverityWarning, "message: 1:2", "remedy"}.String(): {
			"labs/a.star", "3", "5", "warning", "message: 1:2: remedy", "no-hint",
		},
		Finding{"a.star", at, "unchecked-input", SeverityNote, "message", ""}.String(): {
			"a.star", "3", "5", "note", "message", "unchecked-input",
		},
		Finding{"a.star", at, "not-booted", SeverityError, "message [x]", ""}.String(): {
			"a.star", "3", "5", "", "message [x]", "not-booted",
		},
		(&script.Error{Position: syntax.MakePosition(&file, 3, 5), Message: "undefined: x"}).Error(): {
			"a.star", "3", "5", "", "undefined: x", "",
		},
	} {
		if got := matcher.FindStringSubmatch(line); len(got) == 0 || !slices.Equal(got[1:], want) {
			t.Errorf("the problem matcher takes %q for %q, want %q", line, got, want)
		}
	}
}

// Scripts that blow up when they are followed are given up, quickly.
func TestLintEnds(t *testing.T) {
	calls, lists, chain := "def f0():\n    pass\n", "x0 = [1]\n", "c0 = \"c\"\n"
	for i := 1; i < 40; i++ {
		calls += fmt.Sprintf("def f%d():\n    f%d()\n    f%d()\n", i, i-1, i-1)
		lists += fmt.Sprintf("x%d = [x%d, x%d]\n", i, i-1, i-1)
		chain += fmt.Sprintf("c%d = c%d + c%d\n", i, i-1, i-1)
	}
	script := declared + calls + lists + chain +
		stepOf("f39()", "boot(x39)", "say(c39)",
			"send(debian, "+strings.Repeat("[", 500)+strings.Repeat("]", 500)+")") +
		"def g():\n    h()\ndef h():\n    g()\na = b\nb = a\n"
	Lint(folder("lab.star", script), "lab.star", "lab.star", knownImages)
}
