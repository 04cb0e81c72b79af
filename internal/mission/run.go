package mission

import (
	"context"
	"time"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/lab"
)

// Config returns the lab that the mission declares.
func (m *Mission) Config() lab.Config {
	d := m.Declared()
	return lab.Config{Networks: d.Networks, Machines: d.Machines}
}

// Run plays every step on the given lab, in order, and stops at the first that
// fails; that is an *Error. Events tell what happens. A mission that needs the
// host is run with its user's consent only: the caller asks. It is run once.
func (m *Mission) Run(ctx context.Context, l *lab.Lab, events *event.Log) (passed int, err error) {
	m.session.Act(l, events)
	steps := m.Declared().Steps
	for i, step := range steps {
		events.Emit(event.StepStarted{Index: i + 1, Total: len(steps), Title: step.Title, Narration: step.Narration})
		started := time.Now()
		err := m.play(ctx, step, events)
		ended := event.StepEnded{Index: i + 1, Total: len(steps), Title: step.Title, Passed: err == nil, Seconds: time.Since(started).Seconds()}
		if err != nil {
			ended.Error = err.Error()
		}
		events.Emit(ended)
		if err != nil {
			return i, err
		}
	}
	return len(steps), nil
}

func (m *Mission) play(ctx context.Context, step builtins.Step, events *event.Log) error {
	thread := newThread(ctx, step.Function.Name(), func(text string) { events.Emit(event.Said{Text: text}) })
	defer thread.release()
	_, err := starlark.Call(thread.Thread, step.Function, nil, nil)
	if err = thread.reason(err); err == nil {
		return nil
	}
	classified := Classify(ctx, err)
	if e, ok := classified.(*Error); ok {
		e.Step = step.Title
	}
	return classified
}
