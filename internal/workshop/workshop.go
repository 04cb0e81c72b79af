// Package workshop owns the folder in which a kernel of a course's own is made: a student's
// copy of its sources, which is never written over, what has changed there, and the build.
package workshop

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Workshop is such a folder. Its methods are safe for concurrent use.
type Workshop struct {
	Dir     string // on the host, an absolute path
	Sources Files  // what it begins with; nil: it is the sources' own folder
	Build   string // the shell command that makes the kernel there; empty: nothing has to be made

	mu    sync.Mutex
	built map[string]state // the files that what is made now was made of, or of what could not be made; nil: nothing was made yet
}

// Files are the contents of a folder by their slash-separated paths.
type Files map[string][]byte

// The limits of a folder of sources that a mission brings along.
const (
	mostFiles = 500
	mostBytes = 4 << 20
)

// ReadFiles reads a folder of a mission's.
func ReadFiles(tree fs.FS, folder string) (Files, error) {
	files, size := Files{}, 0
	sub, err := fs.Sub(tree, folder)
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(sub, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		data, err := fs.ReadFile(sub, name)
		if err != nil {
			return err
		}
		files[name] = data
		if size += len(data); size > mostBytes || len(files) > mostFiles {
			return fmt.Errorf("it has more than %d files or %d MiB", mostFiles, mostBytes>>20)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = errors.New("it is empty")
	}
	return files, err
}

// LayOut puts there what is missing of the sources. What is there already stays as it is: so
// a student who wants to begin a file again deletes it.
func (w *Workshop) LayOut() error {
	for name, data := range w.Sources {
		file := filepath.Join(w.Dir, filepath.FromSlash(name))
		if _, err := os.Lstat(file); err == nil {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return fmt.Errorf("lay out the sources: %w", err)
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return fmt.Errorf("lay out the sources: %w", err)
		}
	}
	return nil
}

// Edit replaces a text of a file there, which must be in it once. One that has the new text
// already stays as it is.
func (w *Workshop) Edit(name, old, text string) error {
	root, err := os.OpenRoot(w.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	data, err := root.ReadFile(name)
	switch n := bytes.Count(data, []byte(old)); {
	case err != nil:
		return err
	case bytes.Contains(data, []byte(text)):
		return nil
	case n != 1:
		return fmt.Errorf("%s has %q %d times, and not once: delete the file to begin it again", path.Join(filepath.Base(w.Dir), name), old, n)
	}
	return root.WriteFile(name, bytes.Replace(data, []byte(old), []byte(text), 1), 0o644)
}

// Changed reports whether something there is another than when the kernel was last made, or
// could not be made.
func (w *Workshop) Changed() (bool, error) {
	now, err := w.look()
	if err != nil {
		return false, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.built == nil || !maps.Equal(now, w.built), nil
}

// Copy copies a workshop's folder to where none is yet. Its files keep their times, which
// tell make what has to be made.
func Copy(to, from string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	return filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		return os.Chtimes(filepath.Join(to, name), time.Time{}, info.ModTime())
	})
}

// Forget has the kernel made again when it is next asked for.
func (w *Workshop) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.built = nil
}

// state tells versions of a file apart.
type state struct {
	size int64
	time time.Time
}

// mostSeen bounds how many files are looked at: a folder with more is no workshop but
// somebody's home.
const mostSeen = 20_000

// look returns the state of all files but hidden ones.
func (w *Workshop) look() (map[string]state, error) {
	seen := map[string]state{}
	err := filepath.WalkDir(w.Dir, func(file string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // a build, or an editor, has just removed it
		case err != nil:
			return err
		case file != w.Dir && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		case len(seen) == mostSeen:
			return fmt.Errorf("%s has more than %d files: give the kernel a folder of its own", w.Dir, mostSeen)
		}
		info, err := d.Info()
		if err != nil {
			return nil // likewise
		}
		seen[file] = state{info.Size(), info.ModTime()}
		return nil
	})
	return seen, err
}

// madeOf notes the state of the files before a build and after it. Of the sources that the
// mission brought it is that of before: who saves one during the build wants it built. All
// else may have been made by the build.
func (w *Workshop) madeOf(before, after map[string]state) {
	for name := range w.Sources {
		file := filepath.Join(w.Dir, filepath.FromSlash(name))
		if was, ok := before[file]; ok {
			after[file] = was
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.built = after
}

// Open opens a file that was made there. It must not lead outside.
func (w *Workshop) Open(name string) (*os.File, error) {
	root, err := os.OpenRoot(w.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(filepath.FromSlash(name))
}
