package control

import (
	"os"
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
