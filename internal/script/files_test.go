package script

import (
	"maps"
	"slices"
	"testing"
	"testing/fstest"
)

// A script is made of what it loads, its translations, and the files that its texts name.
func TestFiles(t *testing.T) {
	folder := fstest.MapFS{}
	for name, text := range map[string]string{
		"sub/lab.star":       "load('../lib.star', 'word')\nload('@labrun//net.star', 'ping')\nmission(title = 'x', api = 1)\ndef a():\n    'A'\n    say('./data' + word)\nstep(a)\n",
		"sub/lab.zh-TW.toml": "title = 'y'\n",
		"lib.star":           "word = 'notes.txt'\n",
		"data/one":           "1", "data/deep/two": "2", "data/.hidden/three": "3",
		"notes.txt": "n", "other.star": "", "unnamed": "u",
	} {
		folder[name] = &fstest.MapFile{Data: []byte(text)}
	}
	s, err := Load(t.Context(), folder, "sub/lab.star", "sub/lab.star", Options{})
	if err != nil {
		t.Fatal(err)
	}
	files, err := s.Files()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"data/deep/two", "data/one", "lib.star", "notes.txt", "sub/lab.star", "sub/lab.zh-TW.toml"}
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
		t.Errorf("files: %v, want %v", got, want)
	}
	if files["data/one"] != "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b" {
		t.Errorf("its digest is %s", files["data/one"])
	}
}
