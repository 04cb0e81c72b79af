package lab

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/labrun/labrun/internal/console"
)

// Terminal is a shell on the host, with a console like a machine's.
type Terminal struct {
	name    string
	command *exec.Cmd
	console *console.Console
	once    sync.Once
}

// hostPrompt is what OpenTerminal sets as the shell's prompt; fixed, so that a
// mission does not depend on its user's taste.
const hostPrompt = "host$ "

// OpenTerminal starts a shell on the host. The user must have agreed to it: a
// mission is a stranger's program. It is closed with the lab.
func (l *Lab) OpenTerminal(name string) (*Terminal, error) {
	command := exec.Command("/bin/sh")
	command.Env = append(os.Environ(), "PS1="+hostPrompt, "ENV=", "TERM=dumb")
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGHUP}
	stream, err := startOnPTY(command)
	if err != nil {
		return nil, fmt.Errorf("open terminal %s: %w", name, err)
	}
	t := &Terminal{name: name, command: command}
	t.console = console.New(stream, console.Options{
		Name:    name,
		Prompts: console.Prompts{Shell: regexp.MustCompile(`^` + regexp.QuoteMeta(hostPrompt) + `$`)},
	})
	l.mu.Lock()
	l.terminals = append(l.terminals, t)
	l.mu.Unlock()
	return t, nil
}

// startOnPTY starts a command on a new pseudo-terminal and returns its master. The
// library leaves that in blocking mode, in which Close does not end a Read that
// is under way, so it is opened for Go's poller once more.
func startOnPTY(command *exec.Cmd) (*os.File, error) {
	blocking, err := pty.Start(command)
	if err != nil {
		return nil, err
	}
	defer blocking.Close()
	fd, err := unix.FcntlInt(blocking.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		command.Process.Kill()
		command.Wait()
		return nil, err
	}
	return os.NewFile(uintptr(fd), blocking.Name()), nil
}

// Name returns the terminal's name.
func (t *Terminal) Name() string { return t.name }

// Console returns the terminal's console.
func (t *Terminal) Console() *console.Console { return t.console }

// Close hangs the shell up and waits for it.
func (t *Terminal) Close() {
	t.once.Do(func() {
		// Closing the master hangs up whatever runs in the terminal; the shell
		// leads its own session.
		t.console.Close()
		syscall.Kill(-t.command.Process.Pid, syscall.SIGKILL)
		t.command.Wait()
	})
}
