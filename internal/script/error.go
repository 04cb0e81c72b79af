package script

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
)

// ErrUnreadable is the cause of an Error where the script itself, not one that it loads,
// cannot be read: whoever named it made the mistake, and not its author.
var ErrUnreadable = errors.New("the script cannot be read")

// Error is a script that is wrong, or that failed.
type Error struct {
	Position syntax.Position // not valid if no place in a script is to blame; without a line for a file as a whole
	Message  string
	Also     []Diagnostic // mistakes that were found together with the first: the resolver looks at all names
	Stack    []string     // the calls that led there, innermost first

	// Cause is what the interpreter returned, which may come from elsewhere: a check
	// that failed, an interrupt. It is nil if the text itself is wrong, which then is the
	// reason whatever else happened meanwhile.
	Cause error
}

// Diagnostic is a mistake and its place.
type Diagnostic struct {
	Position syntax.Position
	Message  string
}

func (e *Error) Error() string {
	text := e.Text()
	if e.Position.IsValid() {
		text = e.Position.String() + ": " + text
	}
	return WithStack(text, e.Stack)
}

// Text is the error without its own place and without the calls that led there.
func (e *Error) Text() string {
	text := e.Message
	for _, d := range e.Also {
		text += fmt.Sprintf("\n%s: %s", d.Position, d.Message)
	}
	return text
}

// WithStack adds to the text of an error the calls that led to its place, innermost
// first. The first is that place itself, which the text has already.
func WithStack(text string, stack []string) string {
	if len(stack) > 1 {
		text += "\n  called from " + strings.Join(stack[1:], "\n  called from ")
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Diagnostics returns everything that the error says about places, its own first.
func (e *Error) Diagnostics() []Diagnostic {
	return append([]Diagnostic{{e.Position, e.Message}}, e.Also...)
}

// inFile is the position of a file as a whole.
func inFile(name string) syntax.Position { return syntax.MakePosition(&name, 0, 0) }

// Explain turns what the parser, the resolver or the interpreter returned into an error
// with its place in the script, and with advice. An error of something else has no place.
func Explain(err error) *Error {
	var done *Error
	if errors.As(err, &done) {
		return done
	}
	result := &Error{Message: err.Error(), Cause: err}
	var refused syntax.Error
	var names resolve.ErrorList
	var evaluation *starlark.EvalError
	var stopped *stoppedError
	var stuck *StuckError
	var faults *builtins.FaultsError
	switch {
	case errors.As(err, &faults):
		return faultsOf(faults)
	case errors.As(err, &stuck):
		result.Position, result.Message = stuck.At, stuck.Error()
	case errors.As(err, &refused):
		return &Error{Position: refused.Pos, Message: Advise(refused.Msg)}
	case errors.As(err, &names):
		return unknownNames(names)
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

// faultsOf is the error of files that a declaration reads, each with its own place.
func faultsOf(faults *builtins.FaultsError) *Error {
	e := &Error{Position: faults.Faults[0].Position, Message: faults.Faults[0].Message}
	for _, f := range faults.Faults[1:] {
		e.Also = append(e.Also, Diagnostic(f))
	}
	return e
}

func unknownNames(names resolve.ErrorList) *Error {
	e := &Error{Position: names[0].Pos, Message: Advise(names[0].Msg)}
	for _, n := range names[1:] {
		e.Also = append(e.Also, Diagnostic{n.Pos, Advise(n.Msg)})
	}
	return e
}

// innermost returns the evaluation error of the file that failed. A load statement wraps
// it in one of the file that it is in, and so on up to the script, and those only tell
// how it came to be loaded.
func innermost(e *starlark.EvalError) *starlark.EvalError {
	for {
		var inner *starlark.EvalError
		if cause := e.Unwrap(); cause == nil || !errors.As(cause, &inner) {
			return e
		}
		e = inner
	}
}

// locate takes the position from the innermost call that is in a script: a builtin that
// fails is on top of the stack, and its caller is to blame.
func (e *Error) locate(evaluation *starlark.EvalError) {
	for _, frame := range slices.Backward(evaluation.CallStack) {
		if frame.Pos.Filename() == "<builtin>" {
			continue
		}
		if !e.Position.IsValid() {
			e.Position = frame.Pos
		}
		e.Stack = append(e.Stack, fmt.Sprintf("%s (%s)", frame.Pos, frame.Name))
	}
}
