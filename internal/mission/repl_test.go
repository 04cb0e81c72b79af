package mission

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/event"
)

// replOn begins a prompt on a mission without machines.
func replOn(t *testing.T, files ...string) *Repl {
	t.Helper()
	events := &event.Log{}
	m := load(t, folder(append([]string{"lab.star", "ROOM = \"B12\"\n" + scriptOf("pass")}, files...)...))
	return m.Repl(openLab(t, m, events), events)
}

// typed evaluates all statements of a text, and returns what they say.
func typed(t *testing.T, r *Repl, text string) (said []string) {
	t.Helper()
	left := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	lines := &Lines{Read: func(bool) (string, error) {
		if len(left) == 0 {
			return "", io.EOF
		}
		line := left[0]
		left = left[1:]
		return line, nil
	}}
	for {
		value, err := r.Eval(t.Context(), lines)
		var failed *Error
		switch {
		case errors.Is(err, io.EOF):
			return said
		case errors.As(err, &failed):
			said = append(said, failed.Error())
		case err != nil:
			t.Fatal(err)
		case value != "":
			said = append(said, value)
		}
	}
}

func TestRepl(t *testing.T) {
	got := typed(t, replOn(t), `ROOM
x = 1
x += 41
x
def twice(n):
    return 2 * n

twice(x)
for i in range(2):
    x += 1

x
for i in range(2):
    x += 1
x + 1000
nonsense
1 / 0
)
machine("debian")
fail("no", hint = "Look.")
"still " + "here"
None
load("./other.star", "y")
`)
	want := []string{`"B12"`, "42", "84", "44", "1046", "repl:16:1: undefined: nonsense",
		"repl:17:3: floating-point division by zero", "repl:18:1: unexpected ')'",
		"repl:19:8: machine: a step cannot declare: call it at the top level of the script", "repl:20:5: fail: no",
		`"still here"`,
		"repl:23:1: cannot load ./other.star: load what you need in the mission's file, and begin again"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestReplSavesWhatPassed(t *testing.T) {
	r := replOn(t)
	if _, err := r.Step("nothing"); !errors.Is(err, ErrNothing) {
		t.Errorf("got %v", err)
	}
	typed(t, r, "a = 1\nfail(\"no\")\nif a:\n    say(\"yes\")\nb = \"\"\"one\n\n  two\"\"\"\n")
	step, err := r.Step("find_out")
	if want := "\ndef find_out():\n    \"\"\"Find out\"\"\"\n    a = 1\n    if a:\n        say(\"yes\")\n    b = \"\"\"one\n\n  two\"\"\"\n\nstep(find_out)\n"; err != nil ||
		step != want {
		t.Errorf("got %q, %v, want %q", step, err, want)
	}
	load(t, folder("lab.star", scriptOf("pass")+step))
	r.Forget()
	if _, err := r.Step("again"); !errors.Is(err, ErrNothing) {
		t.Errorf("what was forgotten was kept: %v", err)
	}
}

// A prompt knows what the script has loaded, and a saved step boots what it uses.
func TestReplKnowsTheScript(t *testing.T) {
	events := &event.Log{}
	m := load(
		t,
		folder("lab.star",
			"load(\"./part.star\", \"greet\", other = \"greeting\")\npc = machine(\"debian\")\n"+scriptOf("pass"),
			"part.star", "greeting = \"hello\"\ndef greet():\n    return greeting\n"),
	)
	r := m.Repl(nil, events) // nothing boots here
	if got := typed(t, r, "greet() + other\n"); !slices.Equal(got, []string{`"hellohello"`}) {
		t.Errorf("got %q", got)
	}
	if step, err := r.Step("s"); err != nil || !strings.Contains(step, "\n    boot(pc)\n    greet() + other\n") {
		t.Errorf("got %q, %v", step, err)
	}
}

func TestReplCompletes(t *testing.T) {
	r := replOn(t)
	typed(t, r, "word = \"a\"\n")
	for line, want := range map[string]string{
		"RO":                    "ROOM",
		"assert_c":              "assert_contains",
		"word.spl":              "split splitlines",
		"send(word, ent":        "enter = ",
		"x = send(word, tex":    "text = ",
		"send(word, \"x\") ent": "",
		"nowhere.x":             "",
	} {
		if offers, _ := r.Complete(line); strings.Join(offers, " ") != want {
			t.Errorf("Complete(%q) = %q, want %s", line, offers, want)
		}
	}
}
