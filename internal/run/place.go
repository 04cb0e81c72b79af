package run

import (
	"fmt"
	"sync/atomic"

	"github.com/labrun/labrun/internal/event"
)

// place is where a run is, as a fold of its events, for who asks from another terminal.
type place struct{ words atomic.Pointer[string] }

// String is empty before the first step.
func (p *place) String() string {
	if words := p.words.Load(); words != nil {
		return *words
	}
	return ""
}

// record is a sink of the run's events.
func (p *place) record(r event.Record) {
	words := ""
	switch e := r.Event.(type) {
	case event.StepStarted:
		words = fmt.Sprintf("step %d of %d", e.Index, e.Total)
		if e.Challenge > 0 {
			words = fmt.Sprintf("challenge %d of %d", e.Challenge, e.Challenges)
		}
	case event.Board:
		words = fmt.Sprintf("%d of %d solved", e.Solved, len(e.Challenges))
	case event.Completed:
		words = "at the end"
	default:
		return
	}
	p.words.Store(&words)
}
