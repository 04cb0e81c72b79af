package host

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// CPUs returns how many processors this process may use, container limits included.
func CPUs() int { return runtime.GOMAXPROCS(0) }

// Processor describes the computer's first processor. The others are taken to be like
// it.
type Processor struct {
	Model     string // vendor, family, model and stepping, a line each
	MHz       string // of its time stamp counter; empty if the kernel tells the present frequency instead
	Flags     string // what it can do
	Microcode string // its version
}

// Kernel returns the release of the computer's kernel.
func Kernel() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", os.NewSyscallError("uname", err)
	}
	return unix.ByteSliceToString(name.Release[:]), nil
}
