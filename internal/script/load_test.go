package script

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// folder makes a mission's folder of files; each name has its text after it.
func folder(namesAndTexts ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for i := 0; i < len(namesAndTexts); i += 2 {
		files[namesAndTexts[i]] = &fstest.MapFile{Data: []byte(namesAndTexts[i+1])}
	}
	return files
}

// scriptOf is a mission with one step of these lines.
func scriptOf(lines ...string) string {
	return "mission(title = \"Lab\", api = 1, needs = [\"host\"])\n\ndef work():\n    \"\"\"Work\"\"\"\n    " +
		strings.Join(lines, "\n    ") + "\n\nstep(work)\n"
}

// load loads lab.star of a folder.
func load(t *testing.T, files fstest.MapFS) *Script {
	t.Helper()
	s, err := Load(t.Context(), files, "lab.star", "lab.star", Options{Images: []string{"debian"}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A file that two others load is executed once: what it declares, it declares once.
func TestEachFileIsLoadedOnce(t *testing.T) {
	m := load(t, folder(
		"lab.star", "load(\"./a/one.star\", \"one\")\nload(\"./two.star\", \"two\")\n"+scriptOf("pass"),
		"a/one.star", "load(\"../net.star\", \"lan\")\none = lan\n",
		"two.star", "load(\"./net.star\", \"lan\")\ntwo = lan\n",
		"net.star", "lan = network(\"lan\")\n"))
	if got := m.Declared().Networks; !slices.Equal(got, []string{"lan"}) {
		t.Errorf("networks are %v, want lan once", got)
	}
}

func TestWithin(t *testing.T) {
	const outside = "it is outside"
	tests := []struct{ from, request, want string }{
		{"lab.star", "./x.star", "x.star"},
		{"lab.star", "./parts/x.star", "parts/x.star"},
		{"parts/a.star", "./x.star", "parts/x.star"},
		{"parts/a.star", "../x.star", "x.star"},
		{"parts/a.star", "../../x.star", outside},
		{"lab.star", "../x.star", outside},
		{"lab.star", "./a/../../x.star", outside},
		{"lab.star", "/etc/passwd", outside},
		{"lab.star", "/x.star", outside},
		{"lab.star", "x.star", `write it relative to this file: load("./x.star", …)`},
		{"lab.star", "parts//x.star", `write it relative to this file: load("./parts/x.star", …)`},
		{"lab.star", "", "write it relative to this file"},
		{"lab.star", "./x.txt", "it is no script"},
		{"lab.star", "./", "it is no script"},
	}
	for _, test := range tests {
		got, err := Resolve(test.from, test.request)
		if err != nil {
			got = err.Error()
		}
		if got != test.want && (err == nil || !strings.HasPrefix(got, test.want)) {
			t.Errorf("load(%q) in %s: %s, want %s", test.request, test.from, got, test.want)
		}
	}
}
