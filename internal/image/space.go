package image

import (
	"fmt"
)

// spaceError is a full disk. It says nothing about the source being tried, so
// no other source is tried after it.
type spaceError struct {
	dir        string
	need, free int64 // bytes; need is 0 if unknown
}

func (e *spaceError) Error() string {
	text := "the disk of " + e.dir + " is full"
	if e.need > 0 {
		text = fmt.Sprintf("the disk of %s has %s free, %s are needed", e.dir, mib(e.free), mib(e.need))
	}
	return text + "; make room (`labrun images gc` helps) or set LABRUN_CACHE to a folder on another disk"
}

func mib(bytes int64) string { return fmt.Sprintf("%d MiB", (bytes+1<<20-1)>>20) }

// needSpace fails with a *spaceError unless the cache's disk has room for that
// many bytes.
func (s *Store) needSpace(bytes int64) error {
	free, err := s.free(s.dir)
	if err != nil {
		return fmt.Errorf("check disk space of %s: %w", s.dir, err)
	}
	if free < bytes {
		return &spaceError{s.dir, bytes, free}
	}
	return nil
}

// FreeSpace returns how many bytes the cache's disk can still take.
func (s *Store) FreeSpace() (int64, error) { return s.free(s.dir) }
