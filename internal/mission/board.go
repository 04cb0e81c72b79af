package mission

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
)

// A student at a board. What is saved of the machines is all of them at one moment, so the
// states serve those who go on after a pause, or a crash: the newest one is restored, and has
// what every challenge that was entered needs. It is saved when a challenge is entered and set
// up, solved or left, and at the end. To begin one challenge anew, its set-up is played again,
// which leaves alone what was done for the others; going back to the state before it would
// take that with it, so that is only for a challenge whose set-up cannot do it.
type board struct {
	*lesson
	from, to int // its challenges, as indices of the mission's steps

	number int    // of the newest saved state; 0: none
	then   string // what the consoles had seen by then; empty: not known
}

// mostBefore is how many states before challenges are kept: each takes some hundred MB.
const mostBefore = 5

// reviewTime bounds the checks of one solved challenge.
const reviewTime = 10 * time.Second

// leavingTime bounds the saving of the machines when the student goes.
const leavingTime = 30 * time.Second

// state is the folder of a numbered state of the machines.
func (l *lesson) state(number int) string {
	return filepath.Join(l.saved.folder, guide.StateName(number))
}

// board has the student solve the challenges from from up to to in whatever order they like,
// until all are solved, or the student goes on. Restored says that the machines are as they
// were when they were saved last.
func (l *lesson) board(ctx context.Context, from, to int, restored bool) error {
	d, b := l.dialogue, &board{lesson: l, from: from, to: to}
	d.OpenBoard(from, to)
	if err := b.comeBack(ctx, restored); err != nil {
		return err
	}
	for {
		changed, solved := b.review(ctx)
		d.ShowBoard(changed)
		if solved == to-from && len(changed) == 0 {
			break
		}
		on, err := b.choose(ctx, solved)
		if err != nil {
			b.goAway(ctx)
			return err
		}
		if on {
			break
		}
	}
	d.CloseBoard()
	return nil
}

// choose has the student choose once what to do at the board. On says that they go on with
// what comes after it.
func (b *board) choose(ctx context.Context, solved int) (on bool, err error) {
	d := b.dialogue
	err = d.Choose(ctx)
	var move *guide.Move
	switch {
	case errors.As(err, &move) && move.Word == "step":
		return false, err
	case errors.As(err, &move) && move.Word == "reset":
		if _, err = b.reset(ctx, move.Index); errors.Is(err, errGoneBack) {
			err = nil
		}
		return false, err
	case errors.As(err, &move):
		for next := move.Index; next >= 0; {
			if next, err = b.visit(ctx, next); err != nil {
				return false, err
			}
		}
		return false, nil
	case errors.Is(err, guide.ErrLeave):
		if left := b.to - b.from - solved; left > 0 {
			return d.Sure(ctx, d.Phrase("sure next", left))
		}
		return true, nil
	case errors.Is(err, guide.ErrRetry):
		return false, nil
	}
	return false, err
}

// visit has the student at one challenge. Next is the one that they go to from there; -1: the
// board.
func (b *board) visit(ctx context.Context, i int) (next int, err error) {
	b.renew()
	d, step := b.dialogue, b.m.Declared().Steps[i]
	started := time.Now()
	ended := event.StepEnded{Index: i + 1, Total: len(b.m.Declared().Steps)}
	d.StepStarted(event.StepStarted{
		Index: i + 1, Total: ended.Total, Challenge: i - b.from + 1, Challenges: b.to - b.from,
	})
	d.Visit(i)
	if err = b.enter(ctx, i, step); err == nil {
		next, err = b.lead(ctx, i)
	}
	var move *guide.Move
	switch {
	case err == nil && next < 0:
		record := d.Solve(b.save(ctx))
		b.clean()
		ended.Passed, ended.Skipped = true, record.State == guide.Skipped
	case errors.As(err, &move) && move.Word == "step":
		ended.Away = true
		d.Away(b.save(ctx))
	case errors.As(err, &move), errors.Is(err, guide.ErrLeave):
		next, ended.Away = -1, true
		if move != nil && move.Word == "goto" {
			next = move.Index
		}
		err = nil
		d.Away(b.save(ctx))
		b.clean()
	case errors.Is(err, errGoneBack):
		next, err, ended.Away = -1, nil, true
		d.Away(d.MachinesState())
	default:
		b.then = ""
		b.goAway(ctx)
		ended.Away = true
	}
	var told error
	if ctx.Err() == nil && !errors.Is(err, guide.ErrQuit) && move == nil {
		told = err
	}
	b.end(ctx, ended, started, ended.Passed, told)
	return next, err
}

// errGoneBack says that all machines are as they were before some challenge.
var errGoneBack = errors.New("the machines were taken back")

// enter sees to it that what a challenge's set-up does is there, unless it is already.
func (b *board) enter(ctx context.Context, i int, step builtins.Step) error {
	if record, known := b.dialogue.Standing(i); known && record.Ready {
		return nil
	}
	before := b.keep(ctx)
	if err := b.setUp(ctx, i, step); err != nil {
		return err
	}
	state := before
	if step.Setup != nil {
		state = b.save(ctx)
	}
	b.dialogue.Ready(before, state)
	b.clean()
	return nil
}

// setUp plays a challenge's set-up. What goes wrong is told; the error is what the student
// decides then.
func (b *board) setUp(ctx context.Context, i int, step builtins.Step) error {
	for {
		err := b.m.setUp(ctx, step, b.events)
		if err == nil || ctx.Err() != nil {
			return err
		}
		d := b.dialogue
		if err = d.Trouble(ctx, d.Phrase("fail set-up", d.Number(i), plain(err)), true); err != nil && !again(err) {
			return err
		}
	}
}

// lead has the student work at a challenge until it is solved, which is no error and -1, or
// until they decide something else about it.
func (b *board) lead(ctx context.Context, i int) (next int, err error) {
	b.student.BeginStep()
	for {
		err := b.work(ctx, i)
		var move *guide.Move
		if !errors.As(err, &move) || move.Word != "reset" {
			return -1, err
		}
		anew, err := b.reset(ctx, move.Index)
		switch {
		case err != nil:
			return -1, err
		case anew && move.Index == i:
			b.student.BeginStep()
			b.dialogue.Redo(false)
		default:
			b.student.Rewind(false)
		}
	}
}

// reset has a challenge begin anew, after a question that says what is lost. It reports
// whether its set-up was played again; the error errGoneBack says that instead all machines
// are as they were before it.
func (b *board) reset(ctx context.Context, i int) (anew bool, err error) {
	d, step := b.dialogue, b.m.Declared().Steps[i]
	number, title := d.Number(i), d.StepTitle(i)
	if step.Setup == nil {
		return false, b.goBack(ctx, i, d.Phrase("sure reset whole", number, title, b.enteredAt(i)))
	}
	sure, err := d.Sure(ctx, d.Phrase("sure reset", number, title))
	if err != nil || !sure {
		return false, err
	}
	b.events.Emit(event.Helped{Word: "reset", With: title.String()})
	d.Unready([]int{i}, d.MachinesState()) // until it has come to its end
	if err := b.m.setUp(ctx, step, b.events); err != nil {
		if ctx.Err() != nil {
			return false, err
		}
		return false, b.goBack(ctx, i, d.Phrase("sure reset failed", number, plain(err), b.enteredAt(i)))
	}
	d.Reset(i, b.save(ctx))
	b.clean()
	return true, nil
}

// enteredAt says when a challenge's state before it was saved.
func (b *board) enteredAt(i int) string {
	record, _ := b.dialogue.Standing(i)
	if info, err := os.Stat(b.state(record.Before)); err == nil && record.Before > 0 {
		return info.ModTime().Format("15:04")
	}
	return ""
}

// goBack takes all machines back to before a challenge was entered, if the student says yes
// to the question. Then it is errGoneBack.
func (b *board) goBack(ctx context.Context, i int, question guide.Text) error {
	d := b.dialogue
	record, _ := d.Standing(i)
	if record.Before == 0 {
		d.Remark("cannot reset", d.Number(i))
		return nil
	}
	sure, err := d.Sure(ctx, question)
	if err != nil || !sure {
		return err
	}
	restored, err := b.saved.takeBack(ctx, b.state(record.Before))
	if err != nil {
		return err
	}
	if !restored {
		d.Remark("cannot reset", d.Number(i))
		return nil
	}
	b.events.Emit(event.Helped{Word: "reset", With: d.StepTitle(i).String()})
	var later []int // whose set-ups were played since
	for _, other := range d.Entered() {
		if r, _ := d.Standing(other); other == i || r.Before >= record.Before || r.Before == 0 {
			later = append(later, other)
		}
	}
	b.number, b.then = record.Before, b.seen()
	d.Unready(later, record.Before)
	b.clean()
	d.Remark("gone back", d.Number(i))
	return errGoneBack
}

// review makes the checks of the solved challenges again. Changed has those that do not hold
// any more, as indices of the steps.
func (b *board) review(ctx context.Context) (changed map[int]bool, solved int) {
	changed = map[int]bool{}
	for i := b.from; i < b.to; i++ {
		record, known := b.dialogue.Standing(i)
		if !known || record.State == guide.Begun {
			continue
		}
		solved++
		if b.m.review(ctx, b.m.Declared().Steps[i]).Changed {
			changed[i] = true
		}
	}
	return changed, solved
}

// review looks again at a challenge that was solved.
func (m *Mission) review(ctx context.Context, step builtins.Step) builtins.Review {
	ctx, cancel := context.WithTimeout(ctx, reviewTime)
	defer cancel()
	var r builtins.Review
	m.play(ctx, step, nil, &r) // how it ends says nothing: what was looked at by then counts
	return r
}

// comeBack brings the machines to where the student goes on at the board, and tells what they
// have solved of it.
func (b *board) comeBack(ctx context.Context, restored bool) error {
	d := b.dialogue
	if b.number = d.MachinesState(); b.number > 0 && restored {
		b.then = b.seen()
	} else {
		d.Unready(d.Entered(), 0)
	}
	for _, i := range d.Entered() {
		if record, _ := d.Standing(i); record.State == guide.Begun {
			continue
		}
		steps, started := b.m.Declared().Steps, time.Now()
		d.StepStarted(event.StepStarted{
			Index: i + 1, Total: len(steps), Replayed: true, Restored: restored,
			Challenge: i - b.from + 1, Challenges: b.to - b.from,
		})
		var err error
		if restored {
			d.Recall(i)
		} else {
			err = b.replay(ctx, i, steps[i])
		}
		b.end(ctx, event.StepEnded{Index: i + 1, Total: len(steps), Passed: true}, started, false, err)
		if err != nil {
			return err
		}
		if !restored {
			d.Visit(i)
			d.Ready(0, 0)
			d.Away(0)
		}
	}
	if d.MachinesState() == 0 {
		d.Saved(b.save(ctx))
		b.clean()
	}
	return nil
}

// keep is save for a student at the board: where no console has seen anything since the last
// time, the state that was saved then will do.
func (b *board) keep(ctx context.Context) int {
	if b.number > 0 && b.then == b.seen() && b.dialogue.MachinesState() == b.number {
		return b.number
	}
	return b.save(ctx)
}

// save keeps the machines as they are and returns the number of that state; 0 if it could not
// be saved.
func (b *board) save(ctx context.Context) int {
	number, then := b.newest()+1, b.seen()
	if !b.saved.saveAt(ctx, b.state(number)) {
		return 0
	}
	b.number, b.then = number, then
	return number
}

// goAway saves the machines for a student who quits, or whose run is stopped, while they are
// still on.
func (b *board) goAway(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leavingTime)
	defer cancel()
	state := b.keep(ctx)
	b.dialogue.Away(state)
	b.dialogue.Saved(state)
	b.clean()
}

// clean removes the states that nobody will need any more.
func (b *board) clean() {
	var needed []string
	for _, number := range b.dialogue.DropBefore(mostBefore) {
		needed = append(needed, b.state(number))
	}
	b.saved.keepOnly(needed...)
}

// newest is the highest number of a saved state.
func (b *board) newest() (highest int) {
	folders, _ := filepath.Glob(filepath.Join(b.saved.folder, "board-*"))
	for _, folder := range folders {
		if n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(folder), "board-")); err == nil {
			highest = max(highest, n)
		}
	}
	return highest
}

// seen tells two moments apart between which a key was typed at a console, or it printed
// anything.
func (b *board) seen() string {
	text := "seen"
	for _, station := range b.lab.Stations() {
		if c, err := station.Console(); err == nil {
			text += fmt.Sprintf(" %d %d", c.KeyMark(), c.LastByte().UnixNano())
		} else {
			text += " off"
		}
	}
	return text
}
