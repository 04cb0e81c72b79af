package host

import (
	"fmt"
	"io/fs"
	"syscall"
	"time"
)

const (
	// hangUpGrace is how long processes may take to end by themselves when their terminal
	// is hung up, killGrace how long the kernel may take to end them.
	hangUpGrace = time.Second
	killGrace   = 5 * time.Second
	sessionLook = 10 * time.Millisecond
)

// EndSession ends the processes of the session that a process leads, and all others that
// have its terminal open: it hangs them up, as the kernel does when a terminal's line
// drops, kills those that are still there a moment later, and returns when all have
// ended. Else it says which have not: another user's, whom a program with more rights has
// become. The leader must not have been waited for, since its id could be another's then.
//
// A daemon that has left the session and closed the terminal has done all that it can to
// outlive it, and is left alone.
func EndSession(leader int, terminal fs.FileInfo) error {
	began := time.Now()
	for signal := syscall.SIGHUP; ; time.Sleep(sessionLook) {
		left := session(leader, terminal)
		if len(left) == 0 {
			return nil
		}
		waited := time.Since(began)
		if waited > hangUpGrace {
			signal = syscall.SIGKILL
		}
		if waited > hangUpGrace+killGrace {
			return fmt.Errorf("processes %v do not end", left)
		}
		for _, pid := range left {
			// One that has ended meanwhile, or is not ours, is seen by the next look.
			_ = syscall.Kill(pid, signal)
			_ = syscall.Kill(pid, syscall.SIGCONT) // who is stopped hears no hang-up
		}
	}
}
