package mission

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/control"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/qemu"
)

// lookAgain is the pause between two looks at a check that does not hold, while
// nothing is typed; it doubles up to longestPause.
const (
	lookAgain    = 2 * time.Second
	longestPause = 30 * time.Second
)

// Title returns the mission's title.
func (m *Mission) Title() string { return m.Declared().Title }

// GuideSteps returns the mission's steps as the guide shows them.
func (m *Mission) GuideSteps() []guide.Step {
	var steps []guide.Step
	for _, s := range m.Declared().Steps {
		steps = append(steps, guide.Step{Name: s.Function.Name(), Title: s.Title, Narration: s.Narration})
	}
	return steps
}

// Guide leads a student through the mission on the given lab. The steps before
// from, counted from 0, are behind the student: labrun plays them. It returns
// when the last step has ended or the student quits, which is guide.ErrQuit. What
// goes wrong on the way is told to the student and no reason to end. It is run
// once.
//
// In the folder is kept how the machines were when the present step began, so that
// the step can be begun again, in this run and in the next.
func (m *Mission) Guide(
	ctx context.Context, l *lab.Lab, events *event.Log, d *guide.Dialogue, from int, folder string,
) error {
	m.session.Act(l, events)
	lesson := &lesson{
		m: m, events: events, dialogue: d, student: m.session.Lead(d),
		saved: &checkpoints{lab: l, folder: folder, events: events},
	}
	steps := m.Declared().Steps
	started := time.Now()
	restored, err := lesson.saved.restore(ctx, from)
	if err != nil {
		return err
	}
	if restored && from > 0 {
		d.Returned(time.Since(started))
	}
	for i, step := range steps {
		started := time.Now()
		d.StepStarted(event.StepStarted{
			Index: i + 1, Total: len(steps), Replayed: i < from, Restored: i < from && restored,
		})
		ended := event.StepEnded{Index: i + 1, Total: len(steps), Passed: true}
		var err error
		switch {
		case i < from && restored:
			d.Recall(i)
		case i < from:
			err = lesson.replay(ctx, i, step)
		default:
			if !restored || i > from {
				lesson.saved.saveOnly(ctx, i)
			}
			var record guide.Record
			record, err = lesson.lead(ctx, i, step)
			ended.Skipped, ended.Passed = record.State == guide.Skipped, record.State != guide.Left
		}
		ended.Title, ended.Seconds = m.Declared().Steps[i].Title, time.Since(started).Seconds()
		if err != nil {
			ended.Passed, ended.Error = false, err.Error()
		}
		if i >= from {
			l.KeepStep(ctx, i+1)
		}
		events.Emit(ended)
		if err != nil {
			return err
		}
	}
	return nil
}

// lesson is a mission that a student is led through.
type lesson struct {
	m        *Mission
	events   *event.Log
	dialogue *guide.Dialogue
	student  *builtins.Student // who carries out what the script says
	saved    *checkpoints
}

// replay plays a step that is behind the student.
func (l *lesson) replay(ctx context.Context, index int, step builtins.Step) error {
	d := l.dialogue
	for {
		d.Replaying(index)
		l.student.BeginStep()
		err := l.m.play(ctx, step, l.events, l.student)
		d.Replayed()
		if err == nil || ctx.Err() != nil {
			return err
		}
		trouble := d.Phrase("fail replay", index+1, plain(err), d.Mission())
		if err = d.Trouble(ctx, trouble, false); err != nil && !again(err) {
			return err
		}
	}
}

// again reports whether a student's word means that the step is to be tried once
// more.
func again(err error) bool {
	return errors.Is(err, guide.ErrRetry) || errors.Is(err, guide.ErrRedo)
}

// lead has the student do a step.
func (l *lesson) lead(ctx context.Context, index int, step builtins.Step) (guide.Record, error) {
	d, student := l.dialogue, l.student
	student.BeginStep()
	d.BeginStep(index)
	pause := lookAgain
	for {
		err := l.m.play(ctx, step, l.events, student)
		if err == nil {
			err = student.Settle(ctx)
		}
		if err == nil {
			return d.EndStep(guide.Done), nil
		}
		if ctx.Err() != nil {
			return guide.Record{}, err
		}
		if !decided(err) {
			err = l.unfinished(ctx, err, &pause)
		}
		switch {
		case errors.Is(err, guide.ErrRedo):
			restored, err := l.saved.restore(ctx, index)
			if err != nil {
				return guide.Record{}, err
			}
			student.BeginStep()
			d.Redo(restored)
		case err == nil:
			student.Rewind(false)
		case errors.Is(err, guide.ErrRetry):
			student.Rewind(true)
		case errors.Is(err, guide.ErrLeave):
			return d.EndStep(guide.Left), nil
		default:
			return guide.Record{}, err
		}
	}
}

// decided reports whether an error is a decision of the student's.
func decided(err error) bool {
	return again(err) || errors.Is(err, guide.ErrLeave) || errors.Is(err, guide.ErrQuit)
}

// unfinished deals with a step that did not come to its end: a check that does not
// hold yet is waited for, and anything else told. Its error is what the student
// decides; nil means that it is worth another try.
func (l *lesson) unfinished(ctx context.Context, err error, pause *time.Duration) error {
	d := l.dialogue
	var check *builtins.CheckError
	var refused *control.GuestError
	var reason guide.Text
	switch {
	case errors.Is(err, control.ErrRestarted) && !d.Taking():
		return nil // the machine starts again, as students have it do; the next look waits for it
	case errors.As(err, &check) && check.Hint != "":
		reason = func() string { return l.m.Text(check.Hint) }
	case errors.As(err, &check):
		reason = d.Phrase("goal")
	case errors.As(err, &refused): // a file that is not there yet, most likely
		reason = guide.Plain(plain(err))
	}
	if reason == nil || d.Taking() {
		*pause = lookAgain
		trouble, script := trouble(err, d)
		if d.Taking() && !script {
			trouble = d.Phrase("fail by labrun", plain(err))
		}
		return d.Trouble(ctx, trouble, true)
	}
	active, err := d.NotYet(
		ctx, reason, func(ctx context.Context) (bool, error) { return l.student.Activity(ctx, *pause) },
	)
	if *pause = min(2**pause, longestPause); active {
		*pause = lookAgain
	}
	return err
}

// plain is an error's message without the script's position and backtrace, which
// mean nothing to a student.
func plain(err error) string {
	var failed *Error
	if errors.As(err, &failed) {
		return failed.Message
	}
	return err.Error()
}

// trouble tells what has gone wrong, in the student's words, and whether it is the
// script's fault.
func trouble(err error, d *guide.Dialogue) (text guide.Text, script bool) {
	var exit *qemu.ExitError
	var panicked *lab.PanicError
	var login *lab.LoginError
	var notBooted *lab.NotBootedError
	var environment *lab.EnvironmentError
	switch {
	case errors.As(err, &panicked):
		return d.Phrase("fail panicked", panicked.Machine, panicked.Machine), false
	case errors.As(err, &exit) && (exit.Reason == qemu.PoweredOff || exit.Reason == qemu.Stopped):
		return d.Phrase("fail powered off", exit.Machine, exit.Machine), false
	case errors.As(err, &exit):
		return d.Phrase("fail emulator", exit.Machine, exit.Error(), exit.Machine), false
	case errors.As(err, &login):
		return d.Phrase("fail login", login.Machine, login.Machine), false
	case errors.As(err, &notBooted):
		return d.Phrase("fail not on", notBooted.Machine, notBooted.Machine), false
	case errors.As(err, &environment):
		return d.Phrase("fail environment", plain(err)), false
	case errors.Is(err, context.DeadlineExceeded):
		return d.Phrase("fail timeout", plain(err)), false
	}
	var failed *Error
	if errors.As(err, &failed) {
		return d.Phrase("fail script", fmt.Sprintf("%s: %s", failed.Position, failed.Message)), true
	}
	return d.Phrase("fail script", err.Error()), true
}
