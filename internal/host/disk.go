package host

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

// FreeSpace returns how many bytes an ordinary user can still write to the disk that a
// folder is on.
func FreeSpace(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(st.Bavail) * st.Bsize, nil
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
	f, err := proc.Open("self/mountinfo")
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
