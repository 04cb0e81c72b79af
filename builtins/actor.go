package builtins

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.starlark.net/starlark"
)

// An Actor carries out what a script says: labrun itself, a [Student], a trial (a
// [Rehearsal]), or what makes a task's check, which only looks. It is set on a thread
// before that runs, and stays: where a part of a script is another's to do, as a task's
// check and its solution are, that part has a thread of its own (see aside).
type Actor interface {
	// do answers a call of a builtin that acts.
	do(*call) (starlark.Value, error)
}

// Keys of a thread's locals.
const (
	contextKey = "labrun.context"
	actorKey   = "labrun.actor"
)

// SetContext makes ctx bound all that thread's builtins do.
func SetContext(thread *starlark.Thread, ctx context.Context) { thread.SetLocal(contextKey, ctx) }

// SetActor says who carries out what a thread's script says; without it labrun does.
func SetActor(thread *starlark.Thread, by Actor) { thread.SetLocal(actorKey, by) }

// labrun is the actor that does everything itself.
type labrun struct{}

func (labrun) do(c *call) (starlark.Value, error) { return c.entry.call(c) }

// looker is the actor that makes a task's check, once.
type looker struct {
	found string // what the last command said that failed
}

var errOnlyLooks = errors.New(
	"a task's check may only look, for it is called again and again while the student works: do before the task what has to be done",
)

func (l *looker) do(c *call) (starlark.Value, error) {
	if !c.entry.Looks() {
		return nil, fmt.Errorf("%s: %w", c.entry.Name, errOnlyLooks)
	}
	c.looks = l
	return c.entry.call(c)
}

// MaxSteps of Starlark, which a thread may take, are a second or two of computing:
// waiting is done in builtins and costs none. It is a variable for tests alone, which
// have it smaller before they begin: under the race detector steps take ten times as long.
var MaxSteps uint64 = 50_000_000

// aside has another actor carry out a function of the script, on a thread of its own,
// while the thread of the call waits for it: at most one of the two runs at a time, on
// whichever goroutine. It ends with ctx, which is the call's own or one made of it.
func (c *call) aside(ctx context.Context, by Actor, function starlark.Value) (starlark.Value, error) {
	thread := &starlark.Thread{Name: c.thread.Name, Print: c.thread.Print, OnMaxSteps: c.thread.OnMaxSteps}
	if thread.SetMaxExecutionSteps(MaxSteps); thread.OnMaxSteps != nil {
		thread.SetMaxExecutionSteps(1) // who is called then raises it
	}
	SetContext(thread, ctx)
	if busy, ok := c.thread.Local(busyKey).(*atomic.Int32); ok { // the script is at work now, and not the builtin
		thread.SetLocal(busyKey, busy)
		busy.Add(-1)
		defer busy.Add(1)
	}
	SetActor(thread, by)
	defer context.AfterFunc(ctx, func() { thread.Cancel(context.Cause(ctx).Error()) })()
	value, err := starlark.Call(thread, function, nil, nil)
	var evaluation *starlark.EvalError
	if errors.As(err, &evaluation) { // who reads it asks for the whole way there
		evaluation.CallStack = append(c.thread.CallStack(), evaluation.CallStack...)
	}
	return value, err
}
