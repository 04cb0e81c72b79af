package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// FreeSpace returns how many bytes an ordinary user can still write to the disk that a
// folder is on.
func FreeSpace(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// DiskFull reports whether an error says that a disk, or the user's part of it, is full.
func DiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// DiskUsage is what a file takes on disk in bytes, which for a sparse file is less than
// its size, or a folder with all that is below it; 0 if it is not there.
func DiskUsage(path string) (bytes int64) {
	filepath.WalkDir(path, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // it is being removed, or nobody's business
		}
		if info, err := entry.Info(); err == nil {
			bytes += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return nil
	})
	return bytes
}

// RemoveTree removes a folder, unless something is mounted in it: that is somebody
// else's, the computer's own /dev for one, and would lose its files.
func RemoveTree(dir string) error {
	mounted, err := mounts()
	if err != nil {
		return err
	}
	for _, at := range mounted {
		if strings.HasPrefix(at+"/", dir+"/") {
			return fmt.Errorf("remove %s: %s is mounted; unmount it first", dir, at)
		}
	}
	return os.RemoveAll(dir)
}

// FileState tells files apart, and a file from what it was before it was written to: every
// write changes it.
type FileState struct {
	Device, Inode uint64
	Size          int64
	Mtime, Ctime  syscall.Timespec
}
