package guide

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/labrun/labrun/internal/event"
)

// Board is how far a student is with the challenges of the board that they are at.
type Board struct {
	Entered []Record `json:"entered"` // in the order in which they were entered first

	// State numbers the newest saved state of the machines: what is kept here holds in it.
	// 0: there is none, so who goes on has to be brought there in another way.
	State int `json:"state,omitempty"`
}

// entered finds what is kept of a challenge.
func (b *Board) entered(name string) *Record {
	if b == nil {
		return nil
	}
	for i := range b.Entered {
		if b.Entered[i].Step == name {
			return &b.Entered[i]
		}
	}
	return nil
}

// Move is where a student wants to go on a board, or what they want to have done there.
// It is an error of [Dialogue.Await].
type Move struct {
	Word  string // goto, leave or reset
	Index int    // the challenge that goto and reset name, as an index of the steps
}

func (m *Move) Error() string { return "the student says " + m.Word }

// boards says where on a board the student is.
type boards struct {
	from, to int // the challenges of the present board, as indices of the steps; to is 0: at none
	inside   bool
	shown    *event.Board // as it was told last, while the student chooses; nil: they do not
}

// OpenBoard begins the board of the steps from up to to, without to, counted from 0. What the
// student has done of it before stays.
func (d *Dialogue) OpenBoard(from, to int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.board = boards{from: from, to: to}
	p := d.options.Progress
	if p.Board == nil {
		p.Board = &Board{}
	}
}

// CloseBoard leaves the board behind the student: what was not solved is left undone.
func (d *Dialogue) CloseBoard() {
	d.commit(func(p *Progress) {
		for _, step := range d.steps[d.board.from:d.board.to] {
			record := Record{Step: step.Name, State: Left}
			if kept := p.Board.entered(step.Name); kept != nil {
				record = *kept
				record.Ready, record.Before = false, 0
			}
			if record.State == Begun {
				record.State = Left
			}
			p.Steps = append(p.Steps, record)
		}
		p.Board, d.board = nil, boards{}
		if len(p.Steps) == len(d.steps) {
			p.Finished = time.Now()
		}
	})
}

// commit changes the progress and saves it.
func (d *Dialogue) commit(change func(*Progress)) {
	d.mu.Lock()
	change(d.options.Progress)
	err := d.options.Progress.Save()
	d.mu.Unlock()
	if err != nil {
		d.Remark("fail progress", err)
	}
}

// Standing is what is kept of a challenge of the present board; false: it was never entered.
func (d *Dialogue) Standing(index int) (Record, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.options.Progress.Board.entered(d.steps[index].Name); r != nil {
		return *r, true
	}
	return Record{}, false
}

// Entered are the challenges of the present board that were entered, in that order, as
// indices of the steps.
func (d *Dialogue) Entered() (all []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.options.Progress.Board.Entered {
		for i := d.board.from; i < d.board.to; i++ {
			if d.steps[i].Name == r.Step {
				all = append(all, i)
			}
		}
	}
	return all
}

// MachinesState numbers the newest saved state of the machines at the present board.
func (d *Dialogue) MachinesState() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b := d.options.Progress.Board; b != nil {
		return b.State
	}
	return 0
}

// Visit has the student go to a challenge of the board, for the first time or again.
func (d *Dialogue) Visit(index int) {
	record, known := d.Standing(index)
	if !known {
		record.State = Begun
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at, d.taking, d.board.inside, d.board.shown = index, false, true, nil
	d.record = record
	d.record.Step = d.steps[index].Name
	d.began = time.Now().Add(-time.Duration(record.Seconds * float64(time.Second)))
}

// Ready keeps that what the present challenge needs is there, and which states of the machines
// were saved: before it, 0 for none, and since.
func (d *Dialogue) Ready(before, state int) {
	d.commit(func(p *Progress) {
		d.record.Ready = true
		if before > 0 {
			d.record.Before = before
		}
		d.keepRecord(p, state)
	})
}

// keepRecord keeps the present challenge's record. The lock is held.
func (d *Dialogue) keepRecord(p *Progress, state int) {
	d.record.Seconds = time.Since(d.began).Seconds()
	if kept := p.Board.entered(d.record.Step); kept != nil {
		*kept = d.record
	} else {
		p.Board.Entered = append(p.Board.Entered, d.record)
	}
	p.Board.State = state
}

// Solve keeps that the present challenge is solved, with the state of the machines that was
// saved then. When it was solved first, and by whom, stays.
func (d *Dialogue) Solve(state int) (record Record) {
	d.commit(func(p *Progress) {
		if d.record.State == Begun {
			d.record.State, d.record.Passed = Done, time.Now().Truncate(time.Second)
			if d.taking {
				d.record.State = Skipped
			}
		}
		d.taking, d.board.inside = false, false
		d.keepRecord(p, state)
		record = d.record
	})
	return record
}

// Away has the student back at the board, or gone, with the state of the machines that was
// saved then.
func (d *Dialogue) Away(state int) {
	d.commit(func(p *Progress) {
		d.taking, d.board.inside = false, false
		if p.Board.entered(d.record.Step) != nil { // else its set-up did not come to its end
			d.keepRecord(p, state)
		}
	})
}

// Saved keeps which state of the machines is the newest.
func (d *Dialogue) Saved(state int) { d.commit(func(p *Progress) { p.Board.State = state }) }

// Unready keeps that the machines have not what the set-ups of these challenges do, so that it
// is done again for who enters one, and which saved state is the newest.
func (d *Dialogue) Unready(indices []int, state int) {
	d.commit(func(p *Progress) {
		for _, index := range indices {
			if r := p.Board.entered(d.steps[index].Name); r != nil {
				r.Ready = false
			}
			if d.board.inside && d.at == index {
				d.record.Ready = false
			}
		}
		p.Board.State = state
	})
}

// Reset keeps that the set-up of a challenge was played again, with the state of the machines
// that was saved then.
func (d *Dialogue) Reset(index, state int) {
	d.commit(func(p *Progress) {
		if r := p.Board.entered(d.steps[index].Name); r != nil {
			r.Ready = true
		}
		if d.board.inside && d.at == index {
			d.record.Ready = true
		}
		p.Board.State = state
	})
}

// DropBefore forgets the states that were saved before challenges, but for the newest ones,
// and returns the numbers of all that are still needed.
func (d *Dialogue) DropBefore(most int) (needed []int) {
	d.commit(func(p *Progress) {
		if p.Board.State > 0 {
			needed = append(needed, p.Board.State)
		}
		for i := range p.Board.Entered {
			r := &p.Board.Entered[i]
			newer := 0
			for _, other := range p.Board.Entered {
				if other.Before > r.Before {
					newer++
				}
			}
			if newer >= most {
				r.Before = 0
			}
			if r.Before > 0 {
				needed = append(needed, r.Before)
			}
		}
	})
	return needed
}

// ShowBoard tells how the board stands. Changed are the solved challenges, as indices of the
// steps, whose checks do not hold any more.
func (d *Dialogue) ShowBoard(changed map[int]bool) {
	d.tell(func() event.Event {
		d.mu.Lock()
		defer d.mu.Unlock()
		e := event.Board{First: d.board.from + 1}
		for i := d.board.from; i < d.board.to; i++ {
			c := event.Challenge{Title: d.steps[i].Title, State: string(Ahead), Changed: changed[i]}
			if r := d.options.Progress.Board.entered(d.steps[i].Name); r != nil {
				c.State, c.Passed = string(r.State), r.Passed
				if r.State != Begun {
					e.Solved++
				}
			}
			e.Challenges = append(e.Challenges, c)
		}
		d.board.shown, d.begun, d.why = &e, 0, nil
		return e
	})
}

// retold is the board in another language, if the student has it before them. The locks are
// held.
func (d *Dialogue) retold() (e event.Board, shown bool) {
	if d.board.shown == nil {
		return e, false
	}
	for i := range d.board.shown.Challenges {
		d.board.shown.Challenges[i].Title = d.steps[d.board.from+i].Title
	}
	return *d.board.shown, true
}

// Choose has the student choose what to do at the board. Nil means that they want all looked
// at again; ErrLeave that they go on with what comes after the board; else it is a *Move, or
// another of Await's errors.
func (d *Dialogue) Choose(ctx context.Context) error {
	_, err := d.Await(ctx, Instruction{
		Verb: "board", Show: d.Phrase("do board"), Board: true, Leave: true, Again: true,
	}, Forever)
	return err
}

// Sure asks the student whether something that cannot be taken back is to be done.
func (d *Dialogue) Sure(ctx context.Context, question Text) (sure bool, err error) {
	for {
		outcome, err := d.Await(ctx, Instruction{Verb: "sure", Show: question, Sure: true}, Forever)
		if errors.Is(err, ErrRetry) { // a machine was started again meanwhile
			continue
		}
		return outcome == Agreed, err
	}
}

// move takes a word about the board.
func (w *wait) move(c Command) error {
	d, count := w.dialogue, w.board.to-w.board.from
	n, err := strconv.Atoi(c.Text)
	switch {
	case c.Text == "" && c.Word == "reset" && w.board.inside:
		d.mu.Lock()
		n = d.at - w.board.from + 1
		d.mu.Unlock()
	case c.Text == "":
		return &Refusal{d.Say("which challenge", c.Word)}
	case err != nil || n < 1 || n > count:
		return &Refusal{d.Say("no such challenge", c.Text, count)}
	}
	move := &Move{Word: c.Word, Index: w.board.from + n - 1}
	d.mu.Lock()
	here := w.board.inside && d.at == move.Index
	known := d.options.Progress.Board.entered(d.steps[move.Index].Name) != nil
	d.mu.Unlock()
	switch {
	case c.Word == "goto" && here:
		return &Refusal{d.Say("here already", n)}
	case c.Word == "reset" && !known:
		return &Refusal{d.Say("never entered", n)}
	}
	w.decide(ByStudent, move)
	return nil
}

// Number is what a challenge of the present board is called there: the first one is 1.
func (d *Dialogue) Number(index int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return index - d.board.from + 1
}

// StepTitle is a step's as a text, in the language of the moment.
func (d *Dialogue) StepTitle(index int) Text {
	return func() string { return d.options.Mission.GuideSteps()[index].Title }
}

// StateName is the folder of a numbered state of the machines.
func StateName(number int) string { return fmt.Sprintf("board-%d", number) }
