// Package control owns commands and files that labrun sends to a guest behind
// the student's back: a root shell on a second serial port, so that no check
// ever types into a student's terminal.
//
// A guest without such a port (an image that is not ours) is spoken to on its
// ordinary console, in an aside that those who look at the console do not see: when a
// shell prompt waits there with nothing typed at it, and by the same few shell
// functions, made of what the guest was found to have. Markers are printed in two halves,
// so that the echo of a request cannot be taken for its answer, and every transfer
// carries a digest, so that something else that prints there is noticed and the transfer
// repeated. On a port of its own a transfer carries its length.
package control

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/console"
)

// Ready is the line that our images print on the control port when its shell
// listens.
const Ready = "labrun control ready"

// MaxFile is the largest file that ReadFile and WriteFile move, and the largest output
// of a command, in bytes: a serial port is a thin pipe.
const MaxFile = 8 << 20

// History is how much text a console must keep in memory to carry the largest
// file, base64-encoded.
const History = MaxFile/3*4 + MaxFile/16

const (
	longestCommand = 32 << 10 // bytes
	// grace is what a guest may need beyond a command's own limit to say so.
	grace = 15 * time.Second
)

// Result is the outcome of a command.
type Result struct {
	Status         int // as a shell reports it: 128 + signal if it was killed
	Stdout, Stderr string
	Seconds        float64 // by the guest's clock
}

// TimeoutError says that a command ran into its limit; the guest has ended it.
type TimeoutError struct {
	Machine, Command string
	Limit            time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("run on %s: `%s` did not end within %v", e.Machine, short(e.Command), e.Limit)
}

// Unwrap makes a TimeoutError a context.DeadlineExceeded for callers that sort
// errors by that.
func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// GuestError is the guest's own refusal to read or write a file.
type GuestError struct{ Action, Path, Machine, Reason string }

func (e *GuestError) Error() string {
	return fmt.Sprintf("%s %s on %s: %s", e.Action, e.Path, e.Machine, e.Reason)
}

// ErrRestarted is what a request gets whose shell ended under it, as it does when
// the guest is reset.
var ErrRestarted = errors.New("the guest's control shell was restarted")

// late is the end of a limit of this package's.
type late time.Duration

func (l late) Error() string { return fmt.Sprintf("not within %v", time.Duration(l)) }
func (l late) Unwrap() error { return context.DeadlineExceeded }

// Options say whose shell it is. Machine is needed.
type Options struct {
	Machine string // its name, for errors
	// Within bounds a wait; nil: context.WithTimeoutCause does.
	Within func(ctx context.Context, limit time.Duration, cause error) (context.Context, context.CancelFunc)

	// Of a foreign guest's shell:
	Cards []string                    // the machine's hardware addresses: a shell that knows others only is another machine's
	Rest  func(context.Context) error // brings the console to rest; nil: its AtRest waits for that
}

// Shell runs commands one at a time. It is safe for concurrent use.
type Shell struct {
	Options
	console *console.Console
	foreign bool  // a shared console at a shell prompt instead of a port of our own
	refuses error // whatever is asked; nil: it answers

	turn chan struct{} // holds a token while nobody has the shell; whoever took it may touch the rest

	serial    int
	runs      int          // commands whose output was had
	announced bool         // Ready was seen
	heard     console.Mark // what is before this was looked through for another Ready
	defined   bool
	userland  userland // of a foreign guest, once it was asked
}

// New returns a shell on a control port that announces itself with Ready.
func New(port *console.Console, o Options) *Shell {
	s := &Shell{Options: o, console: port, turn: make(chan struct{}, 1), userland: ours}
	if s.Within == nil {
		s.Within = context.WithTimeoutCause
	}
	s.turn <- struct{}{}
	return s
}

// Resume returns a shell on the control port of a machine that was saved after
// Do had returned, by a labrun that taught the guest the same (see Lessons).
func Resume(port *console.Console, o Options) *Shell {
	s := New(port, o)
	s.announced, s.defined = true, true
	return s
}

// NewForeign returns a shell on a guest's ordinary console.
func NewForeign(c *console.Console, o Options) *Shell {
	s := New(c, o)
	s.foreign, s.userland = true, userland{}
	if s.Rest == nil {
		s.Rest = c.AtRest
	}
	return s
}

// None stands for the shell of a guest that labrun has no way to: each request is refused
// with the reason.
func None(o Options, why error) *Shell {
	s := New(nil, o)
	s.foreign, s.refuses = true, why
	return s
}

// take waits for the shell to be free.
func (s *Shell) take(ctx context.Context) error {
	select {
	case <-s.turn:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("another command of labrun's is under way: %w", context.Cause(ctx))
	}
}

func (s *Shell) release() { s.turn <- struct{}{} }

// Hold waits until no command is under way and keeps others from beginning until
// release is called.
func (s *Shell) Hold() (release func()) {
	<-s.turn
	return s.release
}

// Restarting says that the guest is about to be reset: the next request waits until
// its shell announces itself, since what is sent before would arrive in pieces.
func (s *Shell) Restarting() {
	defer s.Hold()()
	s.announced, s.defined = false, false
}

// converse calls f with a conversation in which the guest's shell knows what it is to
// be asked.
func (s *Shell) converse(ctx context.Context, f func(*conversation) error) error {
	switch {
	case s.refuses != nil:
		return s.refuses
	case s.foreign:
		return s.stepAside(ctx, f)
	}
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.release()
	c := &conversation{Shell: s, guest: s.console, piece: pieceOwn}
	if err := c.define(ctx); err != nil {
		return err
	}
	return f(c)
}

// Run runs a command with sh, from the home folder, with no input, for at most
// limit. A command that could be run gives a Result, whatever its status. Its output
// may take longer than that to arrive.
func (s *Shell) Run(ctx context.Context, command string, limit time.Duration) (Result, error) {
	var result Result
	if len(command) > longestCommand {
		return result, fmt.Errorf(
			"run on %s: the command has %d bytes, %d are possible: write it to a file and run that", s.Machine,
			len(command), longestCommand,
		)
	}
	if strings.ContainsRune(command, 0) {
		return result, fmt.Errorf("run on %s: the command has a NUL byte", s.Machine)
	}
	err := s.converse(ctx, func(c *conversation) (err error) {
		result, err = c.run(ctx, command, limit)
		return err
	})
	if err != nil {
		return result, fmt.Errorf("run on %s: `%s`: %w", s.Machine, short(command), err)
	}
	// timeout(1) leaves with 124, or 137 if it had to kill; BusyBox's with 143.
	ended := result.Status == 124 || result.Status == 137 || result.Status == 143
	if ended && result.Seconds >= math.Ceil(limit.Seconds())-0.5 {
		return result, &TimeoutError{Machine: s.Machine, Command: command, Limit: limit}
	}
	return result, nil
}

// Do runs a line of shell commands in the control shell itself, without a limit
// of time and without their output, so it costs the guest no more programs than
// the commands do. When it returns, the guest has read all that was sent to it.
// The line must leave the shell as it is. Foreign guests have no such shell.
func (s *Shell) Do(ctx context.Context, commands string) error {
	if s.foreign {
		return fmt.Errorf("%s has no control channel", s.Machine)
	}
	err := s.converse(ctx, func(c *conversation) error { return c.do(ctx, commands) })
	if err != nil {
		return fmt.Errorf("%s's control channel: %w", s.Machine, err)
	}
	return nil
}

// Ask is Do for commands that print something: the rest of a line, which is returned.
func (s *Shell) Ask(ctx context.Context, commands string) (said string, err error) {
	if s.foreign {
		return "", fmt.Errorf("%s has no control channel", s.Machine)
	}
	err = s.converse(ctx, func(c *conversation) (err error) {
		said, err = c.hear(ctx, commands)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("%s's control channel: %w", s.Machine, err)
	}
	return said, nil
}

// ReadFile returns the content of a file of the guest, MaxFile bytes at most.
func (s *Shell) ReadFile(ctx context.Context, path string) (data []byte, err error) {
	err = s.converse(ctx, func(c *conversation) (err error) {
		data, err = c.get(ctx, path)
		return err
	})
	if refused := (*GuestError)(nil); err != nil && !errors.As(err, &refused) {
		return nil, fmt.Errorf("read %s from %s: %w", path, s.Machine, err)
	}
	return data, err
}

// WriteFile makes a file of the guest hold data, with the given permissions. The
// file appears whole or not at all.
func (s *Shell) WriteFile(ctx context.Context, path string, data []byte, mode uint32) error {
	if len(data) > MaxFile {
		return fmt.Errorf("write %s on %s: %d bytes: at most %d can be written", path, s.Machine, len(data), MaxFile)
	}
	err := s.converse(ctx, func(c *conversation) error { return c.write(ctx, path, data, mode) })
	if refused := (*GuestError)(nil); err != nil && !errors.As(err, &refused) {
		return fmt.Errorf("write %s on %s: %w", path, s.Machine, err)
	}
	return err
}

// short is a command as an error shows it.
func short(command string) string {
	const most = 300
	if runes := []rune(command); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return command
}
