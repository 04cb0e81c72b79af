package host

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// StateOf returns the state of a file that was looked at.
func StateOf(info fs.FileInfo) FileState {
	st := info.Sys().(*syscall.Stat_t)
	return FileState{uint64(st.Dev), st.Ino, st.Size, st.Mtimespec, st.Ctimespec}
}

// mounts returns the folders at which something is mounted.
func mounts() (at []string, err error) {
	n, err := unix.Getfsstat(nil, unix.MNT_NOWAIT)
	if err != nil {
		return nil, os.NewSyscallError("getfsstat", err)
	}
	all := make([]unix.Statfs_t, n)
	if n, err = unix.Getfsstat(all, unix.MNT_NOWAIT); err != nil {
		return nil, os.NewSyscallError("getfsstat", err)
	}
	for _, fs := range all[:n] {
		at = append(at, unix.ByteSliceToString(fs.Mntonname[:]))
	}
	return at, nil
}
