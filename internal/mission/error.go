package mission

import (
	"context"
	"errors"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/control"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/qemu"
	"github.com/labrun/labrun/internal/script"
)

// Kind sorts errors by who can mend them; each has its own exit code.
type Kind int

// The kinds of errors.
const (
	Check       Kind = iota + 1 // the lab is not as the script wants it
	Usage                       // labrun was called wrongly
	Script                      // the script is wrong
	Environment                 // the host cannot run the lab
	Timeout                     // something did not happen in time
	Interrupted                 // the user stopped the run
)

// ErrInterrupted is the cause with which a run's context is cancelled when the
// user stops it.
var ErrInterrupted = errors.New("interrupted")

// Error is a mission that could not be loaded or did not pass.
type Error struct {
	Kind     Kind
	Position string // file, and line and column where they are known, as in week1.star:12:5
	Step     string // title of the step, if one was running
	Message  string
	Hint     string   // the author's advice to the reader, if there is any
	Stack    []string // the calls that led there, innermost first
	Cause    error
}

func (e *Error) Error() string {
	text := e.Message
	if e.Position != "" {
		text = e.Position + ": " + text
	}
	return script.WithStack(text, e.Stack)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Classify turns whatever loading or running returned into an *Error. Ctx is that of the
// loading or running: it tells an interrupt from all else.
func Classify(ctx context.Context, err error) error {
	var done *Error
	if errors.As(err, &done) {
		return done
	}
	explained := script.Explain(err)
	result := &Error{Kind: kindOf(ctx, err, explained), Message: explained.Text(), Stack: explained.Stack, Cause: err}
	if explained.Position.IsValid() {
		result.Position = explained.Position.String()
	}
	var check *builtins.CheckError
	if errors.As(err, &check) {
		result.Hint = check.Hint
	}
	return result
}

// kindOf sorts an error, which may be explained as one of the script's, by what caused it.
func kindOf(ctx context.Context, err error, explained *script.Error) Kind {
	var check *builtins.CheckError
	var environment *lab.EnvironmentError
	var exit *qemu.ExitError
	var panicked *lab.PanicError
	var login *lab.LoginError
	var guest *control.GuestError
	var notBooted *lab.NotBootedError
	switch {
	case errors.Is(explained, script.ErrUnreadable):
		return Usage
	case explained.Cause == nil:
		return Script
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), ErrInterrupted):
		return Interrupted
	case errors.As(err, &check), errors.As(err, &login), errors.As(err, &guest), errors.As(err, &panicked),
		errors.Is(err, control.ErrRestarted):
		return Check
	case errors.As(err, &notBooted):
		return Script
	case errors.As(err, &environment):
		return Environment
	case errors.As(err, &exit):
		if exit.Reason == qemu.PoweredOff {
			return Check
		}
		return Environment
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	}
	return Script
}
