package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
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

// session returns the processes that EndSession is to end.
func session(leader int, terminal fs.FileInfo) (pids []int) {
	processes, _ := fs.Glob(proc, "[0-9]*") // the pattern is sound
	for _, name := range processes {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == os.Getpid() {
			continue
		}
		id, ended, err := sessionOf(proc, name)
		if err == nil && !ended && (id == leader || holds(name, terminal)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// sessionOf returns the session of a process, and whether it has ended and is only
// waited for.
func sessionOf(proc fs.FS, pid string) (id int, ended bool, err error) {
	fields, err := statFields(proc, pid)
	if err != nil {
		return 0, false, err
	}
	if len(fields) < 4 {
		return 0, false, errors.New("it is cut short")
	}
	// State, parent, process group, session.
	id, err = strconv.Atoi(fields[3])
	return id, fields[0] == "Z" || fields[0] == "X", err
}

// holds reports whether a process has the terminal open. A name does not tell: a
// container has terminals of the same names.
func holds(pid string, terminal fs.FileInfo) bool {
	open, _ := fs.Glob(proc, path.Join(pid, "fd/*"))
	for _, file := range open {
		file = path.Join("/proc", file)
		if to, err := os.Readlink(file); err != nil || !strings.HasPrefix(to, "/dev/pts/") {
			continue
		}
		if info, err := os.Stat(file); err == nil && os.SameFile(info, terminal) {
			return true
		}
	}
	return false
}
