package script

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"go.starlark.net/syntax"
)

// What is digested of a script's folder at most: a text of it may name a folder that holds
// anything.
const (
	mostFiles     = 4000
	mostFileBytes = 256 << 20
)

// Files are the files of its folder that the script is made of, as they are now: the digest of
// each (SHA-256, hexadecimal) by its name in the folder. These are the script, what it loads,
// their translations, and every file and folder that a text in them names, such as a pack, or
// what is copied into a machine. Labrun's own libraries belong to labrun.
func (s *Script) Files() (map[string]string, error) {
	folder, done, err := s.openFolder()
	if err != nil {
		return nil, err
	}
	defer done()
	f := &files{folder: folder, digests: map[string]string{}}
	for name := range s.modules {
		if InLibrary(name) {
			continue
		}
		f.add(name)
		for _, tag := range translations(folder, name) {
			f.add(strings.TrimSuffix(name, ".star") + "." + tag + ".toml")
		}
	}
	for _, source := range s.Sources {
		f.named(source)
	}
	return f.digests, f.err
}

// files collects digests.
type files struct {
	folder  fs.FS
	digests map[string]string
	bytes   int64
	err     error // the first one
}

// named adds what the texts of a source name.
func (f *files) named(source Source) {
	tree, err := (&syntax.FileOptions{}).Parse(source.Shown, source.Text, 0)
	if err != nil {
		return // it was loaded: this does not happen
	}
	syntax.Walk(tree, func(n syntax.Node) bool {
		literal, ok := n.(*syntax.Literal)
		if !ok {
			return true
		}
		text, ok := literal.Value.(string)
		name := path.Clean(text)
		if !ok || text == "" || name == "." || len(name) > 1024 || !fs.ValidPath(name) || InLibrary(name) {
			return true
		}
		if _, err := fs.Stat(f.folder, name); err == nil {
			f.add(name)
		}
		return true
	})
}

// add adds a file, or all files of a folder.
func (f *files) add(name string) {
	err := fs.WalkDir(f.folder, name, func(name string, d fs.DirEntry, err error) error {
		switch _, known := f.digests[name]; {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case known:
			return nil
		case d.IsDir():
			return nil
		}
		info, err := fs.Stat(f.folder, name) // of a link, what it leads to
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			return nil
		} else if err != nil {
			return err
		}
		if f.bytes += info.Size(); f.bytes > mostFileBytes || len(f.digests) >= mostFiles {
			return fmt.Errorf("%s: the mission names more than %d files, or %d MiB: keep it in a folder of its own",
				name, mostFiles, mostFileBytes>>20)
		}
		content, err := fs.ReadFile(f.folder, name)
		if err != nil {
			return err
		}
		f.digests[name] = fmt.Sprintf("%x", sha256.Sum256(content))
		return nil
	})
	if f.err == nil && err != nil {
		f.err = fmt.Errorf("digest the mission's files: %w", plainPathError(err))
	}
}
