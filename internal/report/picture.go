package report

import (
	"bytes"
	"encoding/base64"
	"html/template"
	"os"
	"path/filepath"

	"github.com/labrun/labrun/internal/event"
)

// picture is one of a machine's screen. Image is the file itself, so that the page can be
// handed in alone; empty: it is missing, no picture, or large.
type picture struct {
	event.Pictured
	Image template.URL
}

// largestPicture and allPictures bound what is put into the page, in bytes of the files: a
// text screen has about 7 kB.
const largestPicture, allPictures = 1 << 20, 16 << 20

// Caption says what the picture shows.
func (p *picture) Caption() string {
	if p.Name != "" {
		return p.Name + ": the screen of " + p.Machine
	}
	return "The screen of " + p.Machine + " when the step ended"
}

// addPictures puts the pictures into the page. The events may be damaged, and name files that
// are none of the run's.
func (p *page) addPictures(dir string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return
	}
	defer root.Close()
	room := int64(allPictures)
	for _, s := range p.Steps {
		for _, picture := range s.Pictures {
			name := filepath.FromSlash(picture.File)
			info, err := root.Lstat(name)
			if err != nil || !info.Mode().IsRegular() || info.Size() > min(largestPicture, room) {
				continue
			}
			data, err := root.ReadFile(name)
			if err != nil || !bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")) {
				continue
			}
			room -= int64(len(data))
			picture.Image = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(data))
		}
	}
}
