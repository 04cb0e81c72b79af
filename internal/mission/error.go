package mission

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/control"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/qemu"
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
	Position string // file, and line and column where they are known: «week1.star:12:5»
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
	if len(e.Stack) > 1 {
		text += "\n  called from " + strings.Join(e.Stack[1:], "\n  called from ")
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Classify turns whatever loading or running returned into an *Error.
func Classify(ctx context.Context, err error) error {
	var done *Error
	if errors.As(err, &done) {
		return done
	}
	result := &Error{Kind: kindOf(ctx, err), Message: err.Error(), Cause: err}
	var syntaxError syntax.Error
	var names resolve.ErrorList
	var evaluation *starlark.EvalError
	var stopped *stoppedError
	var stuck *StuckError
	switch {
	case errors.As(err, &stuck):
		result.Position, result.Message = stuck.At, stuck.Error()
	case errors.As(err, &syntaxError):
		result.Kind, result.Position, result.Message = Script, syntaxError.Pos.String(), advised(syntaxError.Msg)
	case errors.As(err, &names):
		result.Kind, result.Position, result.Message = Script, names[0].Pos.String(), listed(names)
	case errors.As(err, &stopped):
		result.locate(stopped.evaluation)
		result.Message = stopped.Error()
	case errors.As(err, &evaluation):
		evaluation = innermost(evaluation)
		result.locate(evaluation)
		result.Message = evaluation.Msg
	}
	var check *builtins.CheckError
	if errors.As(err, &check) {
		result.Hint = check.Hint
	}
	return result
}

// innermost digs out the evaluation error of a loaded file, which load wraps in
// that of the file which loads it.
func innermost(e *starlark.EvalError) *starlark.EvalError {
	for {
		var inner *starlark.EvalError
		if cause := e.Unwrap(); cause == nil || !errors.As(cause, &inner) {
			return e
		}
		e = inner
	}
}

// locate takes the position from the innermost call that is in a script.
func (e *Error) locate(evaluation *starlark.EvalError) {
	for _, frame := range slices.Backward(evaluation.CallStack) {
		if frame.Pos.Filename() == "<builtin>" {
			continue
		}
		if e.Position == "" {
			e.Position = frame.Pos.String()
		}
		e.Stack = append(e.Stack, fmt.Sprintf("%s (%s)", frame.Pos, frame.Name))
	}
}

func listed(names resolve.ErrorList) string {
	text := advised(names[0].Msg)
	for _, n := range names[1:] {
		text += fmt.Sprintf("\n%s: %s", n.Pos, advised(n.Msg))
	}
	return text
}

func kindOf(ctx context.Context, err error) Kind {
	var check *builtins.CheckError
	var environment *lab.EnvironmentError
	var exit *qemu.ExitError
	var panicked *lab.PanicError
	var login *lab.LoginError
	var guest *control.GuestError
	var notBooted *lab.NotBootedError
	switch {
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), ErrInterrupted):
		return Interrupted
	case errors.As(err, &check), errors.As(err, &login), errors.As(err, &guest), errors.As(err, &panicked), errors.Is(err, control.ErrRestarted):
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
