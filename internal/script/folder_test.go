package script

import (
	"strings"
	"testing"
)

func TestLoadALibrary(t *testing.T) {
	source := strings.Replace(scriptOf("boot(pc)", "give_address(pc, \"10.0.0.1/24\")"), "mission(",
		"load(\"@labrun//net.star\", \"give_address\")\nmission(", 1)
	source = strings.Replace(source, "def work", "pc = machine(\"debian\")\n\ndef work", 1)
	load(t, folder("lab.star", source))
	_, err := Load(t.Context(), folder("lab.star", strings.Replace(source, "net.star", "nett.star", 1)), "lab.star",
		"lab.star", Options{Images: []string{"debian"}})
	want := "lab.star:1:1: cannot load @labrun//nett.star: labrun has no library of that name" +
		" (did you mean @labrun//net.star?): there are @labrun//measure.star, @labrun//net.star"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for _, request := range []string{"@labrun//", "@labrun//../images.lock", "@labrun///etc/passwd", "@labrun//net.txt"} {
		if name, err := libraryFile(request); err == nil {
			t.Errorf("load(%q) finds %s", request, name)
		}
	}
}
