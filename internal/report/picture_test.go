package report

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/event"
)

// The pictures of a run are in its page, which can be handed in alone; of a file that is none of
// the run's pictures its name is all that is there.
func TestPictures(t *testing.T) {
	dir := t.TempDir()
	var small bytes.Buffer
	if err := png.Encode(&small, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	large := append(slices.Clone(small.Bytes()), make([]byte, largestPicture)...)
	for name, data := range map[string][]byte{
		"step-1-pc.png": small.Bytes(), "menu.png": small.Bytes(), "large.png": large, "page.png": []byte("<svg>"), "../outside.png": small.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	defer os.Remove(filepath.Join(dir, "../outside.png"))
	if err := os.Symlink("../outside.png", filepath.Join(dir, "linked.png")); err != nil {
		t.Fatal(err)
	}
	records := timed(
		event.RunStarted{Mission: "jungle.star", Title: "Jungle", Steps: 1, Titles: []string{"One"}},
		event.StepStarted{Index: 1, Total: 1, Title: "One"},
		event.Pictured{Machine: "pc", Name: "menu " + nasty, File: "menu.png"},
		event.Pictured{Machine: "pc", File: "step-1-pc.png"},
		event.Pictured{Machine: "pc", Name: "big", File: "large.png"},
		event.Pictured{Machine: "pc", Name: "page", File: "page.png"},
		event.Pictured{Machine: "pc", Name: "linked", File: "linked.png"},
		event.Pictured{Machine: "pc", Name: "outside", File: "../outside.png"},
		event.Pictured{Machine: "pc", Name: "missing", File: "missing.png"},
		event.StepEnded{Index: 1, Total: 1, Title: "One", Passed: true},
		event.RunEnded{Steps: 1, Total: 1, Passed: true},
	)
	text, root := writePage(t, dir, records)
	sound(t, strings.ReplaceAll(text, `src="data:image/png;base64,`, ""), root)
	want := "data:image/png;base64," + base64.StdEncoding.EncodeToString(small.Bytes())
	var shown []string
	for _, img := range elements(root, "img") {
		if attribute(img, "src") != want {
			t.Errorf("a picture is %.60q", attribute(img, "src"))
		}
		shown = append(shown, attribute(img, "alt"))
	}
	if want := []string{"menu " + nasty + ": the screen of pc", "The screen of pc when the step ended"}; !slices.Equal(shown, want) {
		t.Errorf("the pictures are %q, want %q", shown, want)
	}
	var captions []string
	for _, caption := range elements(root, "figcaption") {
		captions = append(captions, words(caption))
	}
	if len(captions) != 7 || captions[2] != "big: the screen of pc: large.png" {
		t.Errorf("the captions are %q", captions)
	}
}
