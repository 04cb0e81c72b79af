package guide

import (
	"context"

	"github.com/labrun/labrun/internal/event"
)

// Interrupt has what is asked now be asked anew, of a mission that was edited: its Await ends
// with ErrEdited. What is about no step, a board or whether the student is sure, goes on.
func (d *Dialogue) Interrupt(ctx context.Context) {
	d.mu.Lock()
	w := d.waiting
	d.mu.Unlock()
	if w == nil || w.Board || w.Sure || w.Over {
		return // the next look is at the new one anyway
	}
	select {
	case w.acting <- struct{}{}:
	case <-ctx.Done():
		return
	}
	defer w.release()
	if !w.over {
		w.decide(ByStudent, ErrEdited)
	}
}

// Edited tells anew what the student has before their eyes, where another edition of the
// mission says it in other words. It has as many steps, of the same names.
func (d *Dialogue) Edited() {
	d.speech.Lock()
	defer d.speech.Unlock()
	steps := d.options.Mission.GuideSteps()
	d.mu.Lock()
	before := d.steps
	d.steps = steps
	d.mu.Unlock()
	changed := false
	e := event.Translated{Language: d.language.Load().Tag(), Title: d.options.Mission.Title(), At: d.begun, Edited: true}
	for i, step := range steps {
		e.Titles = append(e.Titles, step.Title)
		changed = changed || step.Title != before[i].Title || i == d.begun-1 && step.Narration != before[i].Narration
	}
	if !changed {
		return
	}
	if d.begun > 0 {
		e.Narration = steps[d.begun-1].Narration
	}
	d.emit(e)
}
