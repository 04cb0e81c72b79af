package guide

import (
	"slices"
	"strconv"

	"github.com/labrun/labrun/internal/event"
)

// leap takes an author's word that goes to any step, by its number in the mission.
func (w *wait) leap(c Command) error {
	d := w.dialogue
	d.mu.Lock()
	at, count, inside := d.at, len(d.steps), w.board.to == 0 || w.board.inside
	d.mu.Unlock()
	n, err := strconv.Atoi(c.Text)
	switch {
	case err != nil || n < 1 || n > count:
		return &Refusal{d.Say("no such step", c.Text, count)}
	case inside && n-1 == at:
		return &Refusal{d.Say("here step", n)}
	case n > w.board.from && n <= w.board.to:
		w.decide(ByStudent, &Move{Word: "goto", Index: n - 1})
	default:
		w.decide(ByStudent, &Move{Word: "step", Index: n - 1})
	}
	return nil
}

// Leap goes to a step, as an author does: those before it count as done by labrun, unless
// they are behind the student, and those from it on as not begun.
func (d *Dialogue) Leap(index int) {
	d.mu.Lock()
	p := d.options.Progress
	p.Board, d.board = nil, boards{}
	p.Steps = slices.Clip(p.Steps[:min(len(p.Steps), index)])
	for _, step := range d.steps[len(p.Steps):index] {
		p.Steps = append(p.Steps, Record{Step: step.Name, State: Skipped})
	}
	d.at = index
	err := p.Save()
	d.mu.Unlock()
	d.emit(event.Helped{Word: "goto", With: strconv.Itoa(index + 1)})
	if err != nil {
		d.Remark("fail progress", err)
	}
}

// Author reports whether the student is one who may go to any step.
func (d *Dialogue) Author() bool { return d.options.Author }
