package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// maxLock is how large a lock file of a mission's folder can be, in bytes.
const maxLock = 1 << 20

// WithFolder is the lock with the images that the images.lock in a mission's folder adds;
// the lock itself, if there is none. What is wrong with that file is a [*LockError].
//
// It is a stranger's, as the mission is. So it can replace no image of labrun's, and run
// nothing on this computer: its sources are disk images, by URL or in the folder, whose digests it
// has to give, or recipes of labrun's own.
func (l *Lock) WithFolder(dir string) (*Lock, error) {
	shown := filepath.Join(dir, LockFileName)
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil // who loads the mission says so
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	defer root.Close()
	info, err := root.Stat(LockFileName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return l, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", shown, err)
	case !info.Mode().IsRegular() || info.Size() > maxLock:
		return nil, &LockError{shown, []LockFault{{1, "this is no regular file, or has more than 1 MiB"}}}
	}
	file, err := root.Open(LockFileName)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxLock))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	if bytes.Equal(data, l.text) {
		return l, nil // the folder of labrun's own source
	}
	added, err := parseLock(data, shown, l, root.FS())
	if err != nil {
		return nil, err
	}
	folder, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	all := &Lock{images: maps.Clone(l.images), text: l.text, additions: added.additions}
	for name, e := range added.images {
		for i, s := range e.Sources {
			if s.File != "" {
				e.Sources[i].URL = filepath.Join(folder, filepath.FromSlash(s.File))
			}
		}
		all.images[name] = e
	}
	all.names = slices.Sorted(maps.Keys(all.images))
	return all, nil
}
