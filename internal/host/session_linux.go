package host

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

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
