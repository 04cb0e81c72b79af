package host

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func socketPair() (fds [2]int, err error) {
	syscall.ForkLock.RLock() // else a child that is started meanwhile inherits them
	defer syscall.ForkLock.RUnlock()
	fds, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	return fds, err
}

// MemoryFile returns an empty file that has no name. macOS has none in memory that programs
// could open.
func MemoryFile(string) (*os.File, error) {
	f, err := os.CreateTemp("", "labrun-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// DescriptorPath is a file's name by which a program opens what it has as a descriptor. Here
// that goes on where the descriptor stands in the file.
func DescriptorPath(fd int) string { return "/dev/fd/" + strconv.Itoa(fd) }

// ThroughFolder runs f with a name of a file in folder that is short enough for a socket's
// address, however long the folder's own name is: an address has room for 103 bytes.
func ThroughFolder(folder, file string, f func(name string) error) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	link := filepath.Join(dir, "s")
	if err := os.Symlink(folder, link); err != nil {
		return err
	}
	return f(filepath.Join(link, file))
}

// Unread returns how many bytes a socket holds that nobody has read.
func Unread(fd int) (int, error) {
	const fionread = 0x4004667f // FIONREAD of sys/filio.h
	return unix.IoctlGetInt(fd, fionread)
}

// LimitMemory does nothing: macOS keeps no limit of another process, nor one of address space.
func LimitMemory(pid int, bytes uint64) error { return nil }
