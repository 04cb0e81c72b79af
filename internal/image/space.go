package image

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

func freeSpace(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// diskUsage is what a file takes on disk, which for a sparse file is less than
// its size.
func diskUsage(path string) int64 {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	return info.Sys().(*syscall.Stat_t).Blocks * 512
}

// treeUsage is what a file or folder takes on disk; 0 if it is not there.
func treeUsage(path string) (bytes int64) {
	filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		if err == nil {
			bytes += diskUsage(p)
		}
		return nil
	})
	return bytes
}

// removeTree removes a folder that a recipe has worked in. A recipe that was
// killed can leave the host's own /dev mounted there; then nothing is removed.
func removeTree(dir string) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// The fifth field is the mount point, with blanks escaped.
		fields := strings.Fields(lines.Text())
		if len(fields) > 4 && strings.HasPrefix(unescapeMount(fields[4])+"/", dir+"/") {
			return fmt.Errorf("remove %s: %s is mounted; unmount it first", dir, fields[4])
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// FreeSpace returns how many bytes the cache's disk can still take.
func (s *Store) FreeSpace() (int64, error) { return s.free(s.dir) }
