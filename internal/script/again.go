package script

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// authored are the ends of the names of what an author writes: scripts, translations, locks, packs.
var authored = []string{".star", ".toml", ".md", ".sh", ".json", ".yml", ".yaml"}

// mostAuthored bounds how many files and folders of a script's folder are looked at: it may be
// somebody's home.
const mostAuthored = 4000

// Stamp tells one state of what the script was made of from another: the files in its folder
// that an author writes, with their sizes and times. It is empty where the script lies in no
// folder of the host's.
func (s *Script) Stamp() string {
	if !s.onDisk {
		return ""
	}
	folder, done, err := s.openFolder()
	if err != nil {
		return "gone"
	}
	defer done()
	var stamp strings.Builder
	looked := 0
	fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error { // what cannot be looked at is left out
		looked++
		switch {
		case looked > mostAuthored:
			return fs.SkipAll
		case err != nil:
			return nil
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || !slices.Contains(authored, path.Ext(name)):
			return nil
		}
		if info, err := d.Info(); err == nil {
			fmt.Fprintln(&stamp, name, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return stamp.String()
}

// Again loads the script once more, as its folder has it now, in the language that it is told
// in. Its error is an *Error.
func (s *Script) Again(ctx context.Context) (*Script, error) {
	o := s.options
	o.Language = s.Language()
	return LoadFile(ctx, s.File, o)
}
