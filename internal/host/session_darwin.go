package host

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// zombie is a process that has ended and is only waited for (SZOMB, sys/proc.h).
const zombie = 5

// session returns the processes that EndSession is to end: those of the session, and those
// whose own terminal it is. Which files others have open macOS tells through C libraries alone.
func session(leader int, terminal fs.FileInfo) (pids []int) {
	var device int32
	if terminal.Mode()&fs.ModeCharDevice != 0 {
		device = terminal.Sys().(*syscall.Stat_t).Rdev
	}
	all, _ := unix.SysctlKinfoProcSlice("kern.proc.all") // without it, none is known
	for _, p := range all {
		pid := int(p.Proc.P_pid)
		if p.Proc.P_stat == zombie || pid == os.Getpid() {
			continue
		}
		id, err := unix.Getsid(pid)
		if err == nil && id == leader || device != 0 && p.Eproc.Tdev == device {
			pids = append(pids, pid)
		}
	}
	return pids
}
