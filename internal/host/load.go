package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Load is what the computer's processors have done since it was started, all of them
// together. Inside a container it is still the whole computer's.
type Load struct {
	Busy   time.Duration // they have worked for its programs
	Stolen time.Duration // they were wanted, and the host that this computer is a virtual machine of gave them to others
}

// Processors returns the load so far. It is counted in hundredths of a second.
func Processors() (Load, error) { return processors(proc) }

func processors(proc fs.FS) (l Load, err error) {
	data, err := fs.ReadFile(proc, "stat")
	if err != nil {
		return l, err
	}
	first, _, _ := strings.Cut(string(data), "\n")
	// cpu, user, nice, system, idle, iowait, irq, softirq, steal; what guests have used is
	// in user and nice as well.
	fields := strings.Fields(first)
	if len(fields) < 9 || fields[0] != "cpu" {
		return l, errors.New("/proc/stat does not begin with the processors' times")
	}
	l.Busy, err = ticks(fields[1], fields[2], fields[3], fields[6], fields[7])
	if err == nil {
		l.Stolen, err = ticks(fields[8])
	}
	if err != nil {
		return Load{}, fmt.Errorf("/proc/stat: %w", err)
	}
	return l, nil
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
