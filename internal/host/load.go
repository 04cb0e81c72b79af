package host

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Load is what the computer's processors have done since it was started, all of them
// together. Inside a container it is still the whole computer's.
type Load struct {
	Busy   time.Duration // they have worked for its programs
	Stolen time.Duration // they were wanted, and the host that this computer is a virtual machine of gave them to others
}

// OwnCPU returns the processor time that this process has used, with that of its
// children that have ended.
func OwnCPU() (sum time.Duration, err error) {
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if err := unix.Getrusage(who, &u); err != nil {
			return 0, os.NewSyscallError("getrusage", err)
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum, nil
}
