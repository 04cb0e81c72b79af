package mission

import (
	"os"
	"strings"
	"testing"
)

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

func TestLoadALibrary(t *testing.T) {
	source := strings.Replace(script("boot(pc)", "give_address(pc, \"10.0.0.1/24\")"), "mission(", "load(\"@labrun//net.star\", \"give_address\")\nmission(", 1)
	source = strings.Replace(source, "def work", "pc = machine(\"debian\")\n\ndef work", 1)
	load(t, folder("lab.star", source))
	for _, f := range Lint(folder("lab.star", source), "lab.star", "lab.star", []string{"debian"}) {
		if strings.HasPrefix(f.File, libraryPrefix) {
			t.Errorf("a finding in a library: %v", f)
		}
	}
	_, err := Load(t.Context(), folder("lab.star", strings.Replace(source, "net.star", "nett.star", 1)), "lab.star", "lab.star", Options{Images: []string{"debian"}})
	want := `lab.star:1:1: cannot load @labrun//nett.star: labrun has no library of that name (did you mean @labrun//net.star?): there is @labrun//net.star`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for _, request := range []string{"@labrun//", "@labrun//../images.lock", "@labrun///etc/passwd", "@labrun//net.txt"} {
		if name, err := libraryFile(request); err == nil {
			t.Errorf("load(%q) finds %s", request, name)
		}
	}
}

// A mistake in the use of a library is found without running it, and one that it
// meets is told with the place in the library and in the mission.
func TestMistakesWithALibrary(t *testing.T) {
	source := strings.Replace(script("give_address()"), "mission(", "load(\"@labrun//net.star\", \"give_adress\")\nmission(", 1)
	var all []string
	for _, f := range Lint(folder("lab.star", source), "lab.star", "lab.star", nil) {
		all = append(all, f.String())
	}
	if text := strings.Join(all, "\n"); !strings.Contains(text, "give_adress") || !strings.Contains(text, "give_address") {
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
