package lab

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gofrs/flock"

	"github.com/labrun/labrun/internal/image"
)

// session is the private folder of a running lab, with a lock beside it. Its name is the
// mission's, so that people know it again.
type session struct {
	dir  string
	lock *flock.Flock
}

// Sessions is the folder in which every running lab has its own.
func Sessions(store *image.Store) string { return filepath.Join(store.Dir(), "sessions") }

// openSession makes a session folder for a mission under root, and removes those whose
// labrun is gone.
func openSession(root, mission string) (*session, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("make the session folder: %w", err)
	}
	close, err := lockSessions(root)
	if err != nil {
		return nil, err
	}
	defer close()
	sweep(root)
	for n := 1; ; n++ {
		dir := filepath.Join(root, sessionName(mission, n))
		switch err := os.Mkdir(dir, 0o700); {
		case errors.Is(err, fs.ErrExist):
			continue
		case err != nil:
			return nil, fmt.Errorf("make the session folder: %w", err)
		}
		s := &session{dir: dir, lock: flock.New(dir + ".lock")}
		if _, err := s.lock.TryLock(); err != nil {
			os.RemoveAll(dir)
			return nil, fmt.Errorf("lock the session folder %s: %w", dir, err)
		}
		return s, nil
	}
}

// lockSessions locks the sessions in root until it is closed: none is swept between its making
// and its locking, and no name is taken while its session goes.
func lockSessions(root string) (close func(), err error) {
	lock := flock.New(filepath.Join(root, "lock"))
	if err := lock.Lock(); err != nil {
		return nil, fmt.Errorf("lock the session folders in %s: %w", root, err)
	}
	return func() { lock.Unlock() }, nil
}

var unnamed = regexp.MustCompile(`[^a-z0-9]+`)

// sessionName is what a mission's n-th session at the same time is called: a short word
// that can be typed.
func sessionName(mission string, n int) string {
	name := strings.ToLower(strings.TrimSuffix(filepath.Base(mission), ".star"))
	name = strings.Trim(unnamed.ReplaceAllString(name, "-"), "-")
	name = cmp.Or(strings.TrimRight(name[:min(len(name), 24)], "-"), "lab")
	if n > 1 {
		name = fmt.Sprintf("%s-%d", name, n)
	}
	return name
}

// sweep removes the sessions that nobody holds.
func sweep(root string) {
	locks, _ := filepath.Glob(filepath.Join(root, "*.lock"))
	for _, path := range locks {
		lock := flock.New(path)
		if ok, err := lock.TryLock(); err != nil || !ok {
			continue
		}
		os.RemoveAll(strings.TrimSuffix(path, ".lock"))
		os.Remove(path)
		lock.Unlock()
	}
}

func (s *session) close() error {
	if close, err := lockSessions(filepath.Dir(s.dir)); err == nil {
		defer close()
	}
	err := os.RemoveAll(s.dir)
	os.Remove(s.lock.Path())
	s.lock.Unlock()
	return err
}
