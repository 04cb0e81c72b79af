package pc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/labrun/labrun/internal/phrase"
)

// LanguageName is a language that labrun speaks, by its own name.
type LanguageName struct {
	Tag  string `json:"tag"`
	Name string `json:"name"`
}

// Languages are the languages of the pages.
func Languages() []LanguageName {
	var names []LanguageName
	for _, tag := range phrase.Languages() {
		names = append(names, LanguageName{tag, display.Self.Name(language.Make(tag))})
	}
	return names
}

// Export writes a folder that any web server can hold: the page's files, one of which is
// the first page, what they say in every language, the BIOS, and more files by their names in the
// folder. The folder must not be there yet; after an error it is not.
func Export(dir string, page fs.FS, first string, more map[string][]byte) (err error) {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("export to %s: it is there already: name a folder that is not", dir)
	}
	work, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), ".export-")
	if err != nil {
		return fmt.Errorf("export to %s: %w", dir, err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(work)
		}
	}()
	write := func(name string, data []byte) error {
		file := filepath.Join(work, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		return os.WriteFile(file, data, 0o644)
	}
	err = fs.WalkDir(page, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(page, name)
		if err != nil || strings.HasSuffix(name, ".html") && name != "page/machine.html" && name != "page/"+first {
			return err // labrun serve's own pages
		}
		switch name {
		case "page/" + first:
			name = "index.html"
		case "page/machine.html": // its addresses are relative to the folder above
			name = "machine.html"
		}
		return write(name, data)
	})
	if err != nil {
		return fmt.Errorf("export to %s: %w", dir, err)
	}
	files := map[string][]byte{"README.txt": []byte(readme)}
	for name := range firmware {
		if files["bios/"+name], err = BIOS(name); err != nil {
			return fmt.Errorf("export to %s: %w", dir, err)
		}
	}
	if files["phrases/languages.json"], err = json.Marshal(Languages()); err != nil {
		return err
	}
	for _, tag := range phrase.Languages() {
		if files["phrases/"+tag+".json"], err = json.Marshal(phrase.In(tag).Phrases()); err != nil {
			return err
		}
	}
	for _, files := range []map[string][]byte{files, more} {
		for name, data := range files {
			if err := write(name, data); err != nil {
				return fmt.Errorf("export to %s: %w", dir, err)
			}
		}
	}
	if licence, err := os.ReadFile("/usr/share/doc/seabios/copyright"); err == nil {
		if err := write("bios/COPYRIGHT.txt", licence); err != nil {
			return fmt.Errorf("export to %s: %w", dir, err)
		}
	}
	if err := os.Chmod(work, 0o755); err != nil {
		return err
	}
	return os.Rename(work, dir)
}

// readme goes with what is exported.
const readme = `This folder was written by "labrun export --browser". Any web server can hold it, below any path; it
needs nothing else, and no program on the server. A browser does not load it from a disk (file:).

What is in it, and under which licence:
- index.html, machine.html, page/, phrases/: labrun's own.
- npm/: libraries that the page loads, as they are; their licences are in npm/licences/. v86, the emulator, is BSD-2-Clause.
- bios/: SeaBIOS and its VGA BIOS, LGPL-3, as the computer had them that this was written on; their source is SeaBIOS's,
  in Debian the source package "seabios" of the same version.
- states/ (if it is there): the memory of machines that run Linux (GPL-2) and BusyBox (GPL-2), made of Debian's packages; their
  names and versions are in states/packages.txt, and their sources are Debian's source packages of these.
`
