package host

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

func socketPair() ([2]int, error) {
	return unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
}

// MemoryFile returns an empty file in memory: what is on a disk would be written there all the
// time.
func MemoryFile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// DescriptorPath is a file's name by which a program opens what it has as a descriptor.
func DescriptorPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// ThroughFolder runs f with a name of a file in folder that is short enough for a socket's
// address, however long the folder's own name is: an address has room for 107 bytes.
func ThroughFolder(folder, file string, f func(name string) error) error {
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer dir.Close()
	return f(filepath.Join(DescriptorPath(int(dir.Fd())), file))
}

// Unread returns how many bytes a socket holds that nobody has read.
func Unread(fd int) (int, error) { return unix.IoctlGetInt(fd, unix.TIOCINQ) }

// LimitMemory limits the address space of a child, in bytes.
func LimitMemory(pid int, bytes uint64) error {
	err := unix.Prlimit(pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: bytes, Max: bytes}, nil)
	if err == unix.ESRCH { // it has ended
		return nil
	}
	return err
}
