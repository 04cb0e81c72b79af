package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/mission"
)

// lock reads the image lock that is in force: the built-in one or that of --lock, and the
// images that the user added under names of their own.
func (p *program) lock() (*image.Lock, error) { return p.lockIn("") }

// lockFor is the lock for a mission: with what the images.lock beside it adds.
func (p *program) lockFor(name string) (*image.Lock, error) {
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) && isBuiltIn(name) {
		return p.lock()
	}
	return p.lockIn(filepath.Dir(name))
}

// isBuiltIn reports whether labrun has a mission of that name.
func isBuiltIn(name string) bool {
	_, err := fs.Stat(labrun.Missions(), name+".star")
	return err == nil && !strings.ContainsRune(name, '/')
}

// lockIn is the lock for missions in a folder; empty: for those that are built in.
func (p *program) lockIn(folder string) (*image.Lock, error) {
	data, name := labrun.ImagesLock, image.LockFileName
	if p.lockFile != "" {
		var err error
		if data, err = os.ReadFile(p.lockFile); err != nil {
			return nil, &usageError{err.Error()}
		}
		name = p.lockFile
	}
	lock, err := image.ParseLock(data)
	if err != nil {
		return nil, &usageError{fmt.Sprintf("%s: %v", name, err)}
	}
	if folder != "" {
		lock, err = lock.WithFolder(folder)
		var faults *image.LockError
		if errors.As(err, &faults) { // it is the mission's as its libraries are
			return nil, &mission.Error{Kind: mission.Script, Message: err.Error(), Cause: err}
		}
		if err != nil {
			return nil, &environmentError{err}
		}
	}
	return lock.WithAdded(""), nil
}
