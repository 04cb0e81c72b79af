package lab

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/labrun/labrun/internal/image"
)

// session is the private folder of a running lab.
type session struct {
	dir  string
	lock *flock.Flock
}

// Sessions is the folder in which every running lab has its own.
func Sessions(store *image.Store) string { return filepath.Join(store.Dir(), "sessions") }

// openSession makes a session folder under root, and removes those whose labrun
// is gone. A lock on root keeps two labruns from sweeping each other's session
// between its making and its locking.
func openSession(root string) (*session, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("make the session folder: %w", err)
	}
	door := flock.New(filepath.Join(root, "lock"))
	if err := door.Lock(); err != nil {
		return nil, fmt.Errorf("lock the session folders in %s: %w", root, err)
	}
	defer door.Unlock()
	sweep(root)
	dir, err := os.MkdirTemp(root, "s")
	if err != nil {
		return nil, fmt.Errorf("make the session folder: %w", err)
	}
	s := &session{dir: dir, lock: flock.New(dir + ".lock")}
	if _, err := s.lock.TryLock(); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("lock the session folder %s: %w", dir, err)
	}
	return s, nil
}

// sweep removes the sessions that nobody holds.
func sweep(root string) {
	folders, _ := filepath.Glob(filepath.Join(root, "s*[0-9]"))
	for _, dir := range folders {
		lock := flock.New(dir + ".lock")
		if ok, err := lock.TryLock(); err != nil || !ok {
			continue
		}
		os.RemoveAll(dir)
		os.Remove(lock.Path())
		lock.Unlock()
	}
}

func (s *session) close() error {
	err := os.RemoveAll(s.dir)
	os.Remove(s.lock.Path())
	s.lock.Unlock()
	return err
}
