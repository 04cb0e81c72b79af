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
		steps = append(steps, guide.Step{
			Name: s.Function.Name(), Title: s.Title, Narration: s.Narration, Challenge: s.Challenge,
		})
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
	return m.guide(ctx, l, events, d, from, folder, nil)
}

func (m *Mission) guide(
	ctx context.Context, l *lab.Lab, events *event.Log, d *guide.Dialogue, from int, folder string, editions *Editions,
) error {
	m.session.Act(l, events)
	lesson := &lesson{
		m: m, editions: editions, lab: l, events: events, dialogue: d, student: m.session.Lead(d),
		saved: &checkpoints{lab: l, folder: folder, events: events, all: d.Author()},
	}
	started := time.Now()
	restored, err := lesson.restore(ctx, from)
	if err != nil {
		return err
	}
	if restored && (from > 0 || d.MachinesState() > 0) {
		d.Returned(time.Since(started), d.MachinesState() > 0)
	}
	for i := 0; i < len(m.Declared().Steps); {
		end := m.boardEnd(i)
		switch {
		case i < from || end == i:
			err = lesson.step(ctx, i, from, restored)
			i++
		default:
			err = lesson.board(ctx, i, end, restored && i == from)
			i = end
		}
		var move *guide.Move
		if errors.As(err, &move) && move.Word == "step" {
			from = move.Index
			i, restored, err = lesson.leap(ctx, from)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// boardEnd is where the board ends that begins at a step: the step behind its last challenge,
// or this one, if it is no challenge.
func (m *Mission) boardEnd(from int) int {
	steps := m.Declared().Steps
	for from < len(steps) && steps[from].Challenge {
		from++
	}
	return from
}

// lesson is a mission that a student is led through.
type lesson struct {
	m        *Mission  // its present edition
	editions *Editions // nil: it stays as it is
	lab      *lab.Lab
	events   *event.Log
	dialogue *guide.Dialogue
	student  *builtins.Student // who carries out what the script says
	saved    *checkpoints
}

// restore brings the machines to where the student goes on: the beginning of a step, or
// what was saved last at a board. It reports whether that was possible.
func (l *lesson) restore(ctx context.Context, from int) (bool, error) {
	if state := l.dialogue.MachinesState(); state > 0 {
		return l.saved.restoreAt(ctx, l.state(state))
	}
	return l.saved.restore(ctx, from)
}

// leap brings the machines to the beginning of a step, or as near before it as there is a
// saved state, and returns which step is the next: the ones from there on are played.
func (l *lesson) leap(ctx context.Context, to int) (next int, restored bool, err error) {
	l.dialogue.Leap(to)
	for next = to; next >= 0; next-- {
		if restored, err = l.saved.restore(ctx, next); restored || err != nil {
			return next, restored && next == to, err
		}
	}
	l.lab.Blank()
	return 0, to == 0, nil
}

// step has a step done that is no challenge, or is behind the student.
func (l *lesson) step(ctx context.Context, i, from int, restored bool) error {
	l.renew()
	steps := l.m.Declared().Steps
	started := time.Now()
	l.dialogue.StepStarted(event.StepStarted{
		Index: i + 1, Total: len(steps), Replayed: i < from, Restored: i < from && restored,
	})
	ended := event.StepEnded{Index: i + 1, Total: len(steps), Passed: true}
	var err error
	switch {
	case i < from && restored:
		l.dialogue.Recall(i)
	case i < from:
		err = l.replay(ctx, i, steps[i])
	default:
		if !restored || i > from {
			l.saved.saveOnly(ctx, i)
		}
		var record guide.Record
		record, err = l.lead(ctx, i)
		ended.Skipped, ended.Passed = record.State == guide.Skipped, record.State != guide.Left
	}
	var move *guide.Move
	told := err
	if errors.As(err, &move) {
		ended.Passed, ended.Away, told = false, true, nil
	}
	l.end(ctx, ended, started, i >= from, told)
	return err
}

// end tells that a step has ended, with its pictures if it was led.
func (l *lesson) end(ctx context.Context, ended event.StepEnded, started time.Time, led bool, err error) {
	ended.Title, ended.Seconds = l.m.Declared().Steps[ended.Index-1].Title, time.Since(started).Seconds()
	if err != nil {
		ended.Passed, ended.Error = false, err.Error()
	}
	if led {
		l.lab.KeepStep(ctx, ended.Index)
	}
	l.events.Emit(ended)
}

// replay plays a step that is behind the student.
func (l *lesson) replay(ctx context.Context, index int, step builtins.Step) error {
	d := l.dialogue
	for {
		d.Replaying(index)
		l.student.BeginStep()
		err := l.m.perform(ctx, step, l.events, l.student)
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
func (l *lesson) lead(ctx context.Context, index int) (guide.Record, error) {
	d := l.dialogue
	l.student.BeginStep()
	d.BeginStep(index)
	for {
		err := l.work(ctx, index)
		switch {
		case err == nil:
			return d.EndStep(guide.Done), nil
		case errors.Is(err, guide.ErrLeave):
			return d.EndStep(guide.Left), nil
		case ctx.Err() != nil || !errors.Is(err, guide.ErrRedo):
			return guide.Record{}, err
		}
		restored, err := l.saved.takeBack(ctx, l.saved.dir(index))
		if err != nil {
			return guide.Record{}, err
		}
		l.student.BeginStep()
		d.Redo(restored)
	}
}

// work has the student try a step's function again and again until it is done, or until they
// decide something else about it, which is the error.
func (l *lesson) work(ctx context.Context, index int) error {
	pause := lookAgain
	for {
		l.renew()
		err := l.m.play(ctx, l.m.Declared().Steps[index], l.events, l.student)
		if err == nil {
			err = l.student.Settle(ctx)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		if !decided(err) {
			err = l.unfinished(ctx, err, &pause)
		}
		switch {
		case err == nil, errors.Is(err, guide.ErrEdited):
			l.student.Rewind(false)
		case errors.Is(err, guide.ErrRetry):
			l.student.Rewind(true)
		default:
			return err
		}
	}
}

// decided reports whether an error is a decision of the student's.
func decided(err error) bool {
	var move *guide.Move
	return errors.As(err, &move) || again(err) || errors.Is(err, guide.ErrEdited) || errors.Is(err, guide.ErrLeave) || errors.Is(err, guide.ErrQuit)
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
