package analysis

import (
	"os"
	"strings"
	"testing"
)

// scriptOf is a mission with one step of these lines.
func scriptOf(lines ...string) string {
	return "mission(title = \"Lab\", api = 1, needs = [\"host\"])\n\ndef work():\n    \"\"\"Work\"\"\"\n    " +
		strings.Join(lines, "\n    ") + "\n\nstep(work)\n"
}

func TestLibrariesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/libraries.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != LibraryReference() {
		t.Error("docs/libraries.md is stale: labrun doc --libraries >docs/libraries.md")
	}
	for _, section := range strings.Split(LibraryReference(), "\n### ")[1:] {
		if name, text, _ := strings.Cut(section, "```\n\n"); len(strings.TrimSpace(text)) < 20 {
			t.Errorf("%q has no docstring", name)
		}
	}
}

func TestLibrariesAreNotLinted(t *testing.T) {
	source := strings.Replace(scriptOf("boot(pc)", "give_address(pc, \"10.0.0.1/24\")"), "mission(",
		"load(\"@labrun//net.star\", \"give_address\")\nmission(", 1)
	source = strings.Replace(source, "def work", "pc = machine(\"debian\")\n\ndef work", 1)
	for _, f := range Lint(folder("lab.star", source), "lab.star", "lab.star", Images{"debian": 0}) {
		if strings.HasPrefix(f.File, "@labrun//") {
			t.Errorf("a finding in a library: %v", f)
		}
	}
}

// A mistake in the use of a library is found without running it, and one that it
// meets is told with the place in the library and in the mission.
func TestMistakesWithALibrary(t *testing.T) {
	source := strings.Replace(scriptOf("give_address()"), "mission(",
		"load(\"@labrun//net.star\", \"give_adress\")\nmission(", 1)
	var all []string
	for _, f := range Lint(folder("lab.star", source), "lab.star", "lab.star", nil) {
		all = append(all, f.String())
	}
	if text := strings.Join(all, "\n"); !strings.Contains(text, "give_adress") ||
		!strings.Contains(text, "give_address") {
		t.Errorf("got\n%s", text)
	}
}

func TestEditorKnowsLibraries(t *testing.T) {
	d := NewDraft(folder(), "lab.star", "lab.star", "load(\"@labrun//net.star\", \"ping\")\nping(x)\n", nil)
	if hover, _, ok := d.Hover(Place{2, 2}); !ok || !strings.Contains(hover, "Ping a host") {
		t.Errorf("got %q", hover)
	}
	for _, place := range []Place{{1, 10}, {1, 29}, {2, 2}} {
		if at, ok := d.Definition(place); ok {
			t.Errorf("the definition of %v is at %+v, which no editor can open", place, at)
		}
	}
}
