package mission

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/course"
)

// What is drawn decides it, too: another student's machines are no place to go on from.
func TestDigestBeforeIsOfTheDraws(t *testing.T) {
	const source = `mission(title = "Lab", api = 1)
port = variant("port", range(8000, 9000))
def first():
    """First"""
step(first)
def second():
    """Second"""
step(second)
`
	of := func(who course.Student) string {
		m, err := Load(t.Context(), folder("lab.star", source), "lab.star", "lab.star", Options{Who: who})
		if err != nil {
			t.Fatal(err)
		}
		return m.digestBefore(1)
	}
	ann, again, bob := of(course.Student{ID: "ann"}), of(course.Student{ID: "ann", Imagined: true}), of(course.Student{ID: "bob"})
	if ann != again || ann == bob {
		t.Errorf("ann's is %s, that of who plays as ann %s, bob's %s", ann, again, bob)
	}
}

// An edition that draws something else does not fit machines that were made with the draws
// before; one that draws the same does.
func TestEditionsDrawTheSame(t *testing.T) {
	of := func(values string) builtins.Declaration {
		m, err := Load(t.Context(), folder("lab.star", `mission(title = "Lab", api = 1)
port = variant("port", `+values+`)
def first():
    """First"""
step(first)
`), "lab.star", "lab.star", Options{Who: course.Student{ID: "ann"}})
		if err != nil {
			t.Fatal(err)
		}
		return m.Declared()
	}
	if err := fits(of("[8001]"), of("range(8001, 8002)")); err != nil {
		t.Errorf("the same draw: %v", err)
	}
	if err := fits(of("[8001]"), of("[8002]")); err == nil || !strings.Contains(err.Error(), "it draws other variants") {
		t.Errorf("another draw: %v", err)
	}
}

// What decides how a lab is where a step begins, and what does not.
func TestDigestBefore(t *testing.T) {
	files := func(edit, to string) fstest.MapFS {
		lab := `load("./own.star", "both")
mission(title = "Lab", api = 1)
pc = machine("pc", image = "debian")
WORD = "x"

def first():
    """First"""
    helps()
step(first)

def helps():
    both(pc)

def looks():
    both(pc)

def second():
    """Second"""
    send(pc, WORD)
    looks()
step(second)

def third():
    """Third"""
    boot(pc)
step(third)
`
		own := "def both(m):\n    run(m, \"true\")\n\ndef other():\n    pass\n"
		return folder("lab.star", strings.Replace(lab, edit, to, 1), "own.star", strings.Replace(own, edit, to, 1))
	}
	names := func(edit, to string) (all []string) {
		m := load(t, files(edit, to))
		for i := range m.Declared().Steps {
			all = append(all, m.digestBefore(i))
		}
		return all
	}
	original := names("", "")
	for _, test := range []struct {
		edit, to string
		changed  string // of the first, second and third step's beginnings: y or n
	}{
		{"", "", "nnn"},
		// the last step itself
		{"    boot(pc)\n", "    boot()\n", "nnn"},
		// the second step
		{"    looks()\n", "    looks()\n    pass\n", "nny"},
		// what it calls
		{"def looks():\n", "def looks():\n    pass\n", "nny"},
		// what the first one calls
		{"def helps():\n", "def helps():\n    pass\n", "nyy"},
		// in a file: its name is loaded
		{"\"true\"", "\"false\"", "yyy"},
		// in a file, and nobody names it
		{"def other():\n", "def other():\n    x = 1\n", "nnn"},
		// at the top level
		{"WORD = \"x\"", "WORD = \"y\"", "yyy"},
		// a further step
		{"step(third)\n", "step(third)\ndef more():\n    \"\"\"More\"\"\"\nstep(more)\n", "nnn"},
	} {
		got := ""
		for i, name := range names(test.edit, test.to)[:3] {
			if name == original[i] {
				got += "n"
			} else {
				got += "y"
			}
		}
		if got != test.changed {
			t.Errorf("%q for %q: the beginnings of steps have changed: %s, want %s", test.to, test.edit, got,
				test.changed)
		}
	}
	if original[0] == original[1] || original[1] == original[2] {
		t.Errorf("two steps begin alike: %q", original)
	}
}
