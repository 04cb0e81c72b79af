package run

import (
	"context"
	"fmt"
	"os"
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
	Shuffle uint64     // the seed of the order of each board's challenges; 0: as in the script

	// Class is the socket of the class that a student's run reports to; empty: none.
	Class string

	// Student is led through the steps; nil: labrun carries them out itself. With a
	// student, whoever is at a console may type.
	Student *Student

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
	Stop func() // ends the run as its user would; Wait tells when it has ended

	mission *mission.Mission
	options Options
	records *records
	session string
	lesson  *lesson // nil: nobody is led

	started, ended time.Time // the latter: when the last step did, since what comes after it is no part of the run

	done   chan struct{}
	result Result // complete when done is closed
}

// Start begins a run of a mission, which ends by itself, with ctx or with Stop. A mission
// that needs the host is run with its user's consent only: the caller asks.
func Start(ctx context.Context, m *mission.Mission, o Options) (*Run, error) {
	kept, err := openRecords(o, m.File)
	if err != nil {
		return nil, &lab.EnvironmentError{Cause: err}
	}
	ctx, stop := context.WithCancelCause(ctx)
	r := &Run{
		mission: m, options: o, records: kept, started: time.Now(), done: make(chan struct{}),
		Stop: func() { stop(mission.ErrInterrupted) },
	}
	r.begin()
	var at place
	o.Events.Attach(at.record)
	options := lab.Options{
		Store: o.Store, Events: o.Events, Records: kept.dir, Cold: o.Cold, Stop: r.Stop, Place: at.String,
	}
	if o.Student != nil {
		r.lesson = newLesson(m, o.Student, o.Events, kept.dir, o.Class != "")
		options.Interactive, options.Command = true, r.lesson.command
		options.Class, options.Invited = o.Class, r.lesson.dialogue.Invited
		// A student finds their own copy of a kernel's sources where they are.
		if options.Workshops, err = os.Getwd(); err != nil {
			return nil, &lab.EnvironmentError{Cause: err}
		}
	}
	l, err := layOut(m, options)
	if err == nil {
		r.session = l.Session()
	}
	go func() {
		defer close(r.done)
		defer stop(nil)
		if err == nil {
			r.result.Passed, err = r.play(ctx, l)
		} else {
			err = mission.Classify(ctx, err)
		}
		r.end(err)
		if l != nil {
			l.Close() // what is left of its session, the next labrun removes
		}
	}()
	return r, nil
}

// Wait waits until the run is over and its report written.
func (r *Run) Wait() Result {
	<-r.done
	return r.result
}

// Session is the folder by which package attach finds the run, until it is over; empty if
// its lab could not be laid out.
func (r *Run) Session() string { return r.session }

// begin tells that the run begins.
func (r *Run) begin() {
	declared := r.mission.Declared()
	e := event.RunStarted{
		Mission: r.mission.File, Title: declared.Title, Steps: len(declared.Steps), Minutes: declared.Minutes,
		Guided: r.options.Student != nil, Student: string(r.mission.Who.Playing()), Course: r.mission.Who.Key.Fingerprint(),
	}
	if r.mission.Who.Imagined {
		e.As = string(r.mission.Who.ID)
	}
	for _, step := range declared.Steps {
		e.Titles = append(e.Titles, step.Title)
		if step.Challenge {
			e.Challenges = append(e.Challenges, len(e.Titles))
		}
	}
	r.options.Events.Emit(e)
	r.ended = r.started
	r.options.Events.Attach(func(e event.Record) {
		if _, ok := e.Event.(event.StepEnded); ok {
			r.ended = e.Time
		}
	})
}

// play has the steps played on the lab, and takes that down.
func (r *Run) play(ctx context.Context, l *lab.Lab) (passed int, err error) {
	defer func() { err = orClosing(err, l.TakeDown()) }()
	o := r.options
	if r.lesson != nil {
		passed, err = r.lesson.lead(ctx, l)
	} else if err = prepare(ctx, l); err == nil {
		start := Begin(o.Store, o.From)
		start.Shuffle = o.Shuffle
		passed, err = r.mission.Run(ctx, l, o.Events, start)
	}
	if o.Rest != nil && ctx.Err() == nil && l.Running() {
		o.Rest(ctx, l, err)
	}
	return passed, err
}

// end tells that the run is over, and completes its records and its result.
func (r *Run) end(err error) {
	if r.ended == r.started {
		r.ended = time.Now()
	}
	events, result := r.options.Events, &r.result
	result.Total, result.Err, result.Records = len(r.mission.Declared().Steps), err, r.records.folder()
	e := event.RunEnded{
		Passed: err == nil, Steps: result.Passed, Total: result.Total,
		Seconds: r.ended.Sub(r.started).Seconds(), Records: result.Records,
	}
	if err != nil {
		e.ExitCode, e.Failed = result.ExitCode(), err.Error()
		if r.options.Failed != nil {
			r.options.Failed(err)
		}
	}
	events.Emit(e)
	result.Events, result.Closing = r.records.close()
	events.Close()
}

// OnLab gets a mission's lab ready, has it used, and takes it down again. The context of
// use also ends when somebody stops the lab from another terminal. Its error is use's, or
// says what could not be done for it.
func OnLab(ctx context.Context, m *mission.Mission, o lab.Options,
	use func(context.Context, *lab.Lab) error) (err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	o.Stop = func() { stop(mission.ErrInterrupted) }
	l, err := layOut(m, o)
	if err != nil {
		return mission.Classify(ctx, err)
	}
	defer func() { err = orClosing(err, l.Close()) }()
	defer o.Events.Close() // after the last machine's end, while the door is open
	defer l.TakeDown()
	if err := prepare(ctx, l); err != nil {
		return err
	}
	return use(ctx, l)
}

// layOut lays the mission's lab out; its door is open then.
func layOut(m *mission.Mission, o lab.Options) (*lab.Lab, error) {
	o.Mission, o.Title, o.Student = m.File, m.Declared().Title, string(m.Who.Playing())
	return lab.New(m.Config(), o)
}

// prepare gets what a lab needs to boot, if there is something to boot.
func prepare(ctx context.Context, l *lab.Lab) error {
	if len(l.Machines()) == 0 {
		return nil
	}
	if err := l.Prepare(ctx); err != nil {
		return mission.Classify(ctx, err)
	}
	return nil
}

// orClosing returns why the use of a lab failed, or else what went wrong with taking it
// down.
func orClosing(err, closing error) error {
	if err == nil && closing != nil {
		return &lab.EnvironmentError{Cause: fmt.Errorf("close the lab: %w", closing)}
	}
	return err
}
