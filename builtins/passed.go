package builtins

import (
	"errors"
	"maps"
	"slices"

	"go.starlark.net/starlark"
)

// Passed is a playing of a step up to one of its tasks. Together with the lab's state then,
// a later playing begins there: a script cannot be started in its middle, so the step's
// function is called from its beginning, and the calls before the task are answered as they
// were, which brings a deterministic script, and its variables, to the same place.
type Passed struct {
	// Next is the place of the task among the step's instructions.
	Next int

	journal      []recorded
	instructions []Instruction
	last         map[string]int
}

// passed is the playing up to now.
func (r *Rehearsal) passed() *Passed {
	p := &Passed{Next: len(r.Instructions), journal: slices.Clone(r.journal), last: maps.Clone(r.last)}
	for _, i := range r.Instructions {
		i.Checks = slices.Clone(i.Checks)
		p.instructions = append(p.instructions, i)
	}
	return p
}

var errOtherWay = errors.New("the step does not do the same each time")

// recall answers a call as an earlier playing did, if that came before the state that this
// one has begun with.
func (r *Rehearsal) recall(e *Entry) (value starlark.Value, known bool, err error) {
	at := len(r.journal)
	if r.From == nil || at >= len(r.From.journal) {
		return nil, false, nil
	}
	before := r.From.journal[at]
	if before.name != e.Name {
		return nil, false, errOtherWay
	}
	r.journal = append(r.journal, before)
	if len(r.journal) == len(r.From.journal) {
		r.arrive()
	}
	return duplicate(before.value), true, nil
}

// arrive takes in what the earlier playing had come to.
func (r *Rehearsal) arrive() {
	r.last = maps.Clone(r.From.last)
	for _, i := range r.From.instructions {
		i.Checks = slices.Clone(i.Checks)
		r.Instructions = append(r.Instructions, i)
	}
}

// hostKept reports whether what a builtin answers depends on what labrun keeps of the lab
// besides its machines, which going back to a state does not bring back: a shell on the
// host, packets that have crossed a network, what a machine has cost. A step that has asked
// for such a thing is played from its beginning.
func (e *Entry) hostKept() bool {
	switch e.Result {
	case Packets, Terminal, Stats, Load:
		return true
	}
	return e.Effect.Has(Opens)
}
