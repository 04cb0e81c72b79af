package control

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// openTerminal returns the two ends of a terminal; closing the port ends its reading.
func openTerminal(t *testing.T) (port, terminal *os.File) {
	t.Helper()
	blocking, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer blocking.Close()
	fd, err := syscall.Dup(int(blocking.Fd()))
	if err == nil {
		err = syscall.SetNonblock(fd, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "port"), terminal
}

// sessionLeader makes a program the leader of a session, whose terminal its standard
// input is.
func sessionLeader(terminal bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Setctty: terminal}
}

// endSession kills a session leader and what it has started, in the background and in
// process groups of its own as well.
func endSession(leader int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is sound
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// The sixth field is the session; the second, in parentheses, may hold anything.
		fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		if session, err := strconv.Atoi(fields[3]); err == nil && session == leader {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}
