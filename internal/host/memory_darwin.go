package host

import (
	"os"

	"golang.org/x/sys/unix"
)

// AvailableMemory returns what the computer can still give, in MiB: all that it has, by the
// part that its kernel calls free, as memory_pressure(1) does.
func AvailableMemory() (int, error) {
	all, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0, os.NewSyscallError("sysctl hw.memsize", err)
	}
	free, err := unix.SysctlUint32("kern.memorystatus_level") // percent
	if err != nil {
		return 0, os.NewSyscallError("sysctl kern.memorystatus_level", err)
	}
	return int(all >> 20 * uint64(free) / 100), nil
}
