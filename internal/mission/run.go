package mission

import (
	"context"
	"fmt"
	"time"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/script"
)

// Config returns the lab that the mission declares.
func (m *Mission) Config() lab.Config {
	d := m.Declared()
	return lab.Config{Networks: d.Networks, Machines: d.Machines}
}

// Start says where a run begins.
type Start struct {
	From int // the step, counted from 1; 0 or 1: the first

	// Shuffle is the seed of the order in which each board's challenges are played; 0: as the
	// script has it. With another, From is 1.
	Shuffle uint64

	// Checkpoints is the folder for the states of all missions' labs at the beginnings
	// of steps; empty: none are kept.
	Checkpoints string
}

// Run plays every step on the given lab, in order, and stops at the first that
// fails; that is an *Error. Events tell what happens. A mission that needs the
// host is run with its user's consent only: the caller asks. It is run once.
//
// Where it begins at a later step, the machines are brought there: from a
// checkpoint of that step, or by playing the steps since the nearest one before it;
// then there is a checkpoint for the next time.
func (m *Mission) Run(ctx context.Context, l *lab.Lab, events *event.Log, start Start) (passed int, err error) {
	m.session.Act(l, events)
	steps := m.Declared().Steps
	from := max(start.From-1, 0)
	saved := &checkpoints{lab: l, folder: start.Checkpoints, events: events, shared: m.digestBefore}
	first, err := saved.reach(ctx, from)
	if err != nil {
		return 0, Classify(ctx, err)
	}
	order := m.order(start.Shuffle)
	for n := first; n < len(steps); n++ {
		i := order[n]
		if end := m.boardEnd(n); start.Shuffle > 0 && end > n && (n == 0 || !steps[n-1].Challenge) {
			events.Emit(event.Notice{Text: fmt.Sprintf(
				"the challenges are played in the order %s (--shuffle %d)", numbers(n, order[n:end]), start.Shuffle,
			)})
		}
		if i == from && from > 0 && first < from {
			saved.save(ctx, from)
		}
		step := steps[i]
		events.Emit(event.StepStarted{
			Index: i + 1, Total: len(steps), Title: step.Title, Narration: step.Narration, Replayed: i < from,
		})
		started := time.Now()
		err := m.perform(ctx, step, events, nil)
		ended := event.StepEnded{
			Index: i + 1, Total: len(steps), Title: step.Title,
			Passed: err == nil, Seconds: time.Since(started).Seconds(),
		}
		if err != nil {
			ended.Error = err.Error()
		}
		l.KeepStep(ctx, i+1)
		events.Emit(ended)
		if err != nil {
			return n, err
		}
	}
	return len(steps), nil
}

// perform plays a step from its beginning: a challenge's set-up, which is always labrun's
// own work, and then the function, as play does.
func (m *Mission) perform(ctx context.Context, step builtins.Step, events *event.Log, by builtins.Actor) error {
	if err := m.setUp(ctx, step, events); err != nil {
		return err
	}
	return m.play(ctx, step, events, by)
}

// setUp plays a challenge's set-up, if it has one.
func (m *Mission) setUp(ctx context.Context, step builtins.Step, events *event.Log) error {
	if step.Setup == nil {
		return nil
	}
	return m.call(ctx, step, step.Setup, events, nil)
}

// play calls a step's function; an actor carries out what it says, labrun itself if that is
// nil. Its error is an *Error that names the step.
func (m *Mission) play(ctx context.Context, step builtins.Step, events *event.Log, by builtins.Actor) error {
	return m.call(ctx, step, step.Function, events, by)
}

// call calls one of a step's functions in a thread of its own.
func (m *Mission) call(
	ctx context.Context, step builtins.Step, function starlark.Callable, events *event.Log, by builtins.Actor,
) error {
	thread := script.NewThread(ctx, function.Name(), func(text string) { events.Emit(event.Said{Text: text}) })
	defer thread.Release()
	if by != nil {
		builtins.SetActor(thread.Thread, by)
	}
	_, err := script.Evaluate(thread, func() (starlark.Value, error) {
		return starlark.Call(thread.Thread, function, nil, nil)
	})
	if err == nil {
		return nil
	}
	classified := Classify(ctx, err)
	if e, ok := classified.(*Error); ok {
		e.Step = step.Title
	}
	return classified
}
