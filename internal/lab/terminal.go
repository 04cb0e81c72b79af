package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"

	"github.com/Netflix/go-expect"
	"github.com/creack/pty"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/host"
)

// Terminal is a shell on the host, with a console like a machine's.
type Terminal struct {
	name    string
	console *console.Console
}

// hostPrompt is what OpenTerminal sets as the shell's prompt; fixed, so that a
// mission does not depend on its user's taste.
const hostPrompt = "host$ "

// OpenTerminal starts a shell on the host. The user must have agreed to it: a
// mission is a stranger's program. It is closed with the lab.
func (l *Lab) OpenTerminal(name string) (*Terminal, error) {
	shell := exec.Command("/bin/sh")
	shell.Env = append(os.Environ(), "PS1="+hostPrompt, "ENV=", "TERM=dumb")
	stream, err := startOnTerminal(shell)
	if err != nil {
		return nil, fmt.Errorf("open terminal %s: %w", name, err)
	}
	t := &Terminal{name: name}
	t.console = console.New(stream, console.Options{
		Name:    name,
		Prompts: console.Prompts{Shell: regexp.MustCompile(`^` + regexp.QuoteMeta(hostPrompt) + `$`)},
	})
	l.mu.Lock()
	l.terminals = append(l.terminals, t)
	l.mu.Unlock()
	return t, nil
}

// Name returns the terminal's name.
func (t *Terminal) Name() string { return t.name }

// Console returns the terminal's console.
func (t *Terminal) Console() *console.Console { return t.console }

// Close ends the shell and all that it has started.
func (t *Terminal) Close() error {
	if err := t.console.Close(); err != nil {
		return fmt.Errorf("close terminal %s: %w", t.name, err)
	}
	return nil
}

// hostSession is a command on a pseudo-terminal of its own, of which it has the control:
// what is written is typed there, and what is printed there is read. Closing it ends
// the command and all that has the terminal open.
type hostSession struct {
	*expect.Console
	command  *exec.Cmd
	terminal fs.FileInfo
	printed  *os.File      // what go-expect passes on
	ended    chan struct{} // closed when it passes on no more
	closing  sync.Once
	closed   error
}

// startOnTerminal starts a command in a new session on a new pseudo-terminal of 80
// columns and 24 rows.
func startOnTerminal(command *exec.Cmd) (_ *hostSession, err error) {
	printed, print, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	terminal, err := expect.NewConsole(expect.WithStdout(print))
	if err != nil {
		return nil, errors.Join(err, printed.Close(), print.Close())
	}
	s := &hostSession{Console: terminal, command: command, printed: printed, ended: make(chan struct{})}
	go s.pass(print)
	tty := terminal.Tty()
	command.Stdin, command.Stdout, command.Stderr = tty, tty, tty
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	// go-expect reads the terminal with a file in blocking mode, and closing such a file
	// waits for no read to end and ends none. Not blocking, it can be closed while somebody
	// whom we may not kill still has the terminal open. This holds from the next read on,
	// so from the first that anybody prints.
	if err = syscall.SetNonblock(int(terminal.Fd()), true); err == nil {
		err = pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: 80})
	}
	if err == nil {
		s.terminal, err = tty.Stat()
	}
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		return nil, errors.Join(err, s.release())
	}
	// The command has it now; when the last process has closed it, the session is over.
	tty.Close()
	return s, nil
}

// anything is what is waited for: go-expect passes on what it reads while it waits, and
// keeps it in memory until then.
var anything = expect.Regexp(regexp.MustCompile(`(?s).`))

// pass has go-expect pass on what is printed until the session is over or closed.
func (s *hostSession) pass(print *os.File) {
	defer close(s.ended)
	defer print.Close()
	for {
		if _, err := s.Expect(anything); err != nil {
			return
		}
	}
}

// Read returns what was printed.
func (s *hostSession) Read(p []byte) (int, error) { return s.printed.Read(p) }

// Close ends the processes first: go-expect's reader of the terminal ends with them, and
// the terminal's last user must not be one that nobody knows any more.
func (s *hostSession) Close() error {
	s.closing.Do(func() {
		s.closed = host.EndSession(s.command.Process.Pid, s.terminal)
		if s.closed == nil {
			s.command.Wait() // its status is nobody's concern
		}
		s.closed = errors.Join(s.closed, s.release())
	})
	return s.closed
}

// release closes the terminal and waits until nobody reads it.
func (s *hostSession) release() error {
	err := s.printed.Close()
	s.Console.Close() // which reports nothing
	<-s.ended
	return err
}
