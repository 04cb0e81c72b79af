package script

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// ErrUnreadable is the cause of an Error where the script itself, not one that it loads,
// cannot be had: there is nothing to be mended in it.
var ErrUnreadable = errors.New("the script cannot be read")

// Error is a script that is wrong, or that went wrong.
type Error struct {
	Position string // file, and line and column where they are known: «week1.star:12:5»
	Message  string
	Stack    []string // the calls that led there, innermost first
	Cause    error    // nil: the text itself is wrong, whatever else happened meanwhile
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

// Explain turns what the parser, the resolver or the interpreter returned into an error
// with its place in the script. An error of something else has no place.
func Explain(err error) *Error {
	var done *Error
	if errors.As(err, &done) {
		return done
	}
	result := &Error{Message: err.Error(), Cause: err}
	var syntaxError syntax.Error
	var names resolve.ErrorList
	var evaluation *starlark.EvalError
	var stopped *stoppedError
	var stuck *StuckError
	switch {
	case errors.As(err, &stuck):
		result.Position, result.Message = stuck.At, stuck.Error()
	case errors.As(err, &syntaxError):
		return &Error{Position: syntaxError.Pos.String(), Message: Advise(syntaxError.Msg)}
	case errors.As(err, &names):
		return &Error{Position: names[0].Pos.String(), Message: listed(names)}
	case errors.As(err, &stopped):
		result.locate(stopped.evaluation)
		result.Message = stopped.Error()
	case errors.As(err, &evaluation):
		evaluation = innermost(evaluation)
		result.locate(evaluation)
		result.Message = evaluation.Msg
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
	text := Advise(names[0].Msg)
	for _, n := range names[1:] {
		text += fmt.Sprintf("\n%s: %s", n.Pos, Advise(n.Msg))
	}
	return text
}
