package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/mission"
)

// Options are what a run needs of its surroundings.
type Options struct {
	Store   *image.Store
	Events  *event.Log // what happens is told there, from the first event to the last
	State   string     // the state folder; it may be missing where Records is given
	Records string     // folder for the records; empty: one of its own in the state folder
	Cold    bool       // boot the machines, and make no templates
	From    int        // the step to begin at, counted from 1; 0 or 1: the first

	// Play has the steps carried out and returns how many passed; nil: labrun does them
	// itself. With it, whoever is at a console may type.
	Play func(context.Context, *lab.Lab) (passed int, err error)

	// Rest is called when the steps have ended, with their error, if machines are still on
	// and nobody has stopped the run: they are taken down when it returns. It may be nil.
	Rest func(context.Context, *lab.Lab, error)
	// Failed is told why a run did not pass, before the event of its end: who reads of it
	// from above to below has the reason before the sum. It may be nil.
	Failed func(error)
}

// Result is what came of a run.
type Result struct {
	Passed, Total int    // steps
	Err           error  // why it did not pass; nil: it did
	Records       string // the folder of its records; empty: no step began, so there are none

	Events  []event.Record // what was recorded
	Closing error          // what could not be written of the records
}

// ExitCode is that of a process which has played the run, if it was recorded.
func (r Result) ExitCode() int { return ExitCode(r.Err) }

// Run is a run that was started. Its methods are safe for concurrent use.
type Run struct {
	mission *mission.Mission
	options Options
	records *records

	done   chan struct{}
	result Result // set before done is closed
}

// Start begins a run of a mission, which ends by itself or with ctx. A mission that needs
// the host is run with its user's consent only: the caller asks.
func Start(ctx context.Context, m *mission.Mission, o Options) (*Run, error) {
	kept, err := openRecords(o, m.File)
	if err != nil {
		return nil, &lab.EnvironmentError{Cause: err}
	}
	r := &Run{mission: m, options: o, records: kept, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.result = r.carryOut(ctx)
	}()
	return r, nil
}

// Wait waits until the run is over and its report written.
func (r *Run) Wait() Result {
	<-r.done
	return r.result
}

// carryOut is the run, from its first event to its last.
func (r *Run) carryOut(ctx context.Context) Result {
	declared, events, started := r.mission.Declared(), r.options.Events, time.Now()
	result := Result{Total: len(declared.Steps)}
	begun := event.RunStarted{
		Mission: r.mission.File, Title: declared.Title, Steps: len(declared.Steps), Minutes: declared.Minutes, Guided: r.options.Play != nil,
	}
	for _, step := range declared.Steps {
		begun.Titles = append(begun.Titles, step.Title)
	}
	events.Emit(begun)
	ended := started // when the last step did: what comes after it is no part of the run
	events.Attach(func(e event.Record) {
		if _, ok := e.Event.(event.StepEnded); ok {
			ended = e.Time
		}
	})
	result.Passed, result.Err = r.play(ctx)
	if ended == started {
		ended = time.Now()
	}
	result.Records = r.records.folder()
	end := event.RunEnded{
		Passed: result.Err == nil, Steps: result.Passed, Total: result.Total, Seconds: ended.Sub(started).Seconds(), Records: result.Records,
	}
	if result.Err != nil {
		end.ExitCode, end.Failed = result.ExitCode(), result.Err.Error()
		if r.options.Failed != nil {
			r.options.Failed(result.Err)
		}
	}
	events.Emit(end)
	result.Events, result.Closing = r.records.close()
	return result
}

// play has the steps played on the mission's lab.
func (r *Run) play(ctx context.Context) (passed int, err error) {
	o := r.options
	err = OnLab(ctx, r.mission, lab.Options{
		Store: o.Store, Events: o.Events, Records: r.records.dir, Cold: o.Cold, Interactive: o.Play != nil,
	}, func(ctx context.Context, l *lab.Lab) (err error) {
		if o.Play != nil {
			passed, err = o.Play(ctx, l)
		} else {
			passed, err = r.mission.Run(ctx, l, o.Events, Begin(o.Store, o.From))
		}
		if o.Rest != nil && ctx.Err() == nil && l.Running() {
			o.Rest(ctx, l, err)
		}
		return err
	})
	return passed, err
}

// OnLab gets a mission's lab ready, has it used, and takes it down again. The context of
// use also ends when somebody stops the lab from another terminal. Its error is use's, or
// one of mission.Classify's.
func OnLab(ctx context.Context, m *mission.Mission, o lab.Options, use func(context.Context, *lab.Lab) error) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	o.Mission, o.Title, o.Stop = m.File, m.Declared().Title, func() { cancel(mission.ErrInterrupted) }
	l, err := lab.New(m.Config(), o)
	if err != nil {
		return mission.Classify(ctx, err)
	}
	defer func() {
		if closing := l.Close(); closing != nil && err == nil {
			err = &lab.EnvironmentError{Cause: fmt.Errorf("close the lab: %w", closing)}
		}
	}()
	if len(m.Config().Machines) > 0 {
		if err := l.Prepare(ctx); err != nil {
			return mission.Classify(ctx, err)
		}
	}
	return use(ctx, l)
}

// Exit codes, part of the interface: how a run ended, by who can mend it. They are also
// in its records.
const (
	ExitPassed      = 0
	ExitCheck       = 1
	ExitUsage       = 2
	ExitScript      = 3
	ExitEnvironment = 4
	ExitTimeout     = 5
	ExitInterrupted = 130
)

// Unfinished is a guided run whose student came to its end and left steps out, or
// stopped before. They know that, so there is nothing to tell.
type Unfinished struct{ Stopped bool }

func (u *Unfinished) Error() string {
	if u.Stopped {
		return "the student stopped"
	}
	return "not all steps were done"
}

// ExitCode is what labrun exits with because of an error of a run.
func ExitCode(err error) int {
	var failed *mission.Error
	var unfinished *Unfinished
	var environment *lab.EnvironmentError
	switch {
	case err == nil:
		return ExitPassed
	case errors.As(err, &unfinished) && unfinished.Stopped:
		return ExitInterrupted
	case errors.As(err, &unfinished):
		return ExitCheck
	case errors.As(err, &failed):
		return exitCodes[failed.Kind]
	case errors.As(err, &environment):
		return ExitEnvironment
	}
	return ExitUsage
}

var exitCodes = map[mission.Kind]int{
	mission.Check:       ExitCheck,
	mission.Usage:       ExitUsage,
	mission.Script:      ExitScript,
	mission.Environment: ExitEnvironment,
	mission.Timeout:     ExitTimeout,
	mission.Interrupted: ExitInterrupted,
}
