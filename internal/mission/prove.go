package mission

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/lab"
)

// A Trial is one thing that Prove tries, and what came of it.
type Trial struct {
	As       string  `json:"as,omitempty"` // the imagined student who plays the whole mission; empty: it is a trial of a step
	Step     int     `json:"step"`         // counted from 1; of a whole mission the one that failed, or 0
	Title    string  `json:"title"`
	Name     string  `json:"trial"`               // such as solved, or fails without `ip a`
	Position string  `json:"position"`            // of what is tried: file:line:column
	Seconds  float64 `json:"seconds"`             // that it took
	Failure  string  `json:"failure,omitempty"`   // what is wrong with the lab; empty: nothing
	Remedy   string  `json:"remedy,omitempty"`    // how to mend it
	NotTried string  `json:"not_tried,omitempty"` // why it could not be tried; empty: it was

	// What the console said since what is tried was typed there, without prompts; and the check
	// that did not hold then, nil if all did. Of a wrong answer also what a student who gives
	// it is told, which is empty for no more than that it will not do.
	Screen  string            `json:"screen,omitempty"`
	Refused *builtins.Refusal `json:"refused,omitempty"`
	Told    string            `json:"told,omitempty"`
}

// Proof says how a mission is proved, and who hears of it. The functions are called one at
// a time.
type Proof struct {
	Start  Start                       // Start.From: the one step to prove; 0: all of them
	Begins func(trial Trial, more int) // with how many more of its step are known to come
	Tell   func(Trial)                 // as it ends, in the order of the script

	// Jobs is in how many labs trials are made side by side; at most one: in the given one.
	Jobs int
	// Beside has one more lab used, which it opens, with the mission loaded anew, and takes
	// down when use returns. It is nil if there are no more.
	Beside func(ctx context.Context, use func(context.Context, *Mission, *lab.Lab, *event.Log) error) error
}

// Prove plays every step on the given lab, and then, from the state in which the step or one
// of its tasks began, tries what students do: each line and each task left out, wrong
// answers, the hints. It returns an *Error only where it could not go on: the computer, or
// the user, ended it. A step that its own solution does not solve is a failed trial, and the
// last one; a challenge that is not solved is no reason to leave out the others of its board.
// It is run once.
//
// Where the proof is of one step, the machines are brought there as Run brings them, or to
// where that step's board begins.
func (m *Mission) Prove(ctx context.Context, l *lab.Lab, events *event.Log, proof Proof) error {
	m.session.Act(l, events)
	steps, only := m.Declared().Steps, proof.Start.From
	from, until := 0, len(steps)
	if only > 0 {
		from, until = boardOf(steps, only-1), only
	}
	saved := &checkpoints{lab: l, folder: proof.Start.Checkpoints, events: events, shared: m.digestBefore}
	first, err := saved.reach(ctx, from)
	if err != nil {
		return Classify(ctx, err)
	}
	for i := first; i < from; i++ {
		if err := m.perform(ctx, steps[i], events, nil); err != nil {
			return err
		}
	}
	if first < from {
		saved.save(ctx, from)
	}
	c := newCrew(ctx, proof)
	p := &prover{crew: c, lead: &bench{m: m, lab: l, events: events}, steps: steps, proof: proof, until: until}
	if err := p.prove(from); err != nil {
		c.fail(err)
	}
	if err := c.close(); err != nil {
		return Classify(ctx, err)
	}
	return nil
}

// boardOf returns where the board begins that a challenge is of; a step is alone.
func boardOf(steps []builtins.Step, index int) int {
	for steps[index].Challenge && index > 0 && steps[index-1].Challenge {
		index--
	}
	return index
}

// prover tries the steps of one mission.
type prover struct {
	crew  *crew
	lead  *bench // plays the steps, one after the other
	steps []builtins.Step
	proof Proof
	until int // the step that is not tried any more

	saving time.Duration // that the last saving of the lab has taken
	shells string        // what stood on the consoles when the present board began

	running map[string]bool // what ran on the machines then; nil: it could not be had
}

// bench is a lab in which trials are made, and the mission as it is played there.
type bench struct {
	m      *Mission
	lab    *lab.Lab
	events *event.Log
}

// play plays a step from its beginning as an actor does; nil: as a run does.
func (b *bench) play(ctx context.Context, step int, by builtins.Actor) error {
	return b.m.perform(ctx, b.m.Declared().Steps[step], b.events, by)
}

// fatal reports whether a trial's error says nothing about the lab.
func fatal(ctx context.Context, err error) bool {
	var failed *Error
	return ctx.Err() != nil || errors.As(err, &failed) && (failed.Kind == Environment || failed.Kind == Interrupted)
}

// prove tries the steps from one on.
func (p *prover) prove(from int) error {
	for i := from; i < p.until; {
		end := i + 1
		for p.steps[i].Challenge && end < len(p.steps) && p.steps[end].Challenge {
			end++
		}
		var solved bool
		var err error
		if p.steps[i].Challenge {
			solved, err = p.board(i, end)
		} else {
			solved, err = p.step(i)
		}
		if err != nil {
			return err
		}
		if i = end; solved {
			continue
		}
		for ; i < p.until; i++ {
			left, group := p.trial(i, "solved"), p.crew.group()
			left.NotTried = "an earlier step is not solved"
			group.tell(left)
			group.close()
		}
	}
	return nil
}

// trial is one of a step's, named.
func (p *prover) trial(step int, name string) Trial {
	s := p.steps[step]
	return Trial{Step: step + 1, Title: s.Title, Name: name, Position: s.Position.String()}
}

// A state is one of the lab that trials begin from.
type state struct {
	folder string
	passed *builtins.Passed // of the step's tasks; nil: it begins there
}

// save keeps the lab as it is. What is there already is the end of the step before.
func (p *prover) save(name string) (state, error) {
	s := state{folder: filepath.Join(p.lead.lab.Session(), name)}
	if _, err := os.Stat(s.folder); err == nil {
		return s, nil
	}
	began := time.Now()
	err := p.lead.lab.Checkpoint(p.crew.ctx, s.folder)
	p.saving = time.Since(began)
	return s, err
}

func beginning(step int) string { return fmt.Sprintf("step-%d", step+1) }

// step tries one step. What comes after the last one needs no lab.
func (p *prover) step(index int) (solved bool, err error) {
	ctx, last, group := p.crew.ctx, index+1 == p.until, p.crew.group()
	first, err := p.save(beginning(index))
	if err != nil {
		return false, err
	}
	states := []state{first}
	defer func() {
		for _, s := range states {
			os.RemoveAll(s.folder)
		}
	}()
	since := time.Now() // the last state
	seen := &builtins.Rehearsal{Target: -1, Until: -1, Save: func(passed *builtins.Passed, i builtins.Instruction) error {
		// Saving a state takes some time as well, so it has to spare the task's trials more.
		if trials := len(i.Wrong) + min(len(i.Hints), 1); time.Since(since)*time.Duration(trials) < p.saving {
			return nil
		}
		s, err := p.save(fmt.Sprintf("%s-%d", beginning(index), passed.Next))
		if err != nil {
			return err
		}
		s.passed = passed
		states, since = append(states, s), time.Now()
		return nil
	}}
	if solved, err := p.solve(p.lead, index, group, seen); !solved || err != nil {
		return false, err
	}
	if !last {
		if _, err := p.save(beginning(index + 1)); err != nil {
			return false, err
		}
	}
	again := group.add(p.trial(index, "twice"))
	for _, v := range variations(seen.Instructions) {
		t := v.trial(p.trial(index, v.name))
		if v.idle() {
			group.tell(t)
			continue
		}
		slot := group.add(t)
		from := states[0]
		for _, s := range states[1:] {
			if s.passed.Next <= v.rehearsal.Target {
				from = s
			}
		}
		p.crew.do(func(b *bench) error {
			t := slot.begin()
			if err := b.lab.Restore(ctx, from.folder); err != nil {
				return err
			}
			if err := v.try(ctx, b, index, from.passed, &t); err != nil {
				return err
			}
			slot.end(t)
			return nil
		})
	}
	group.close()
	twice := again.begin()
	if err := p.lead.play(ctx, index, nil); err != nil {
		if fatal(ctx, err) {
			return false, err
		}
		twice.Failure = "the step passes, and played once more at once it does not: " + err.Error()
		twice.Remedy = "let the step begin from what it may have left behind: remove it first"
	}
	again.end(twice)
	if err := p.crew.finish(p.lead); err != nil || last {
		return true, err
	}
	return true, p.lead.lab.Restore(ctx, filepath.Join(p.lead.lab.Session(), beginning(index+1)))
}

// solve plays a step as labrun does, and tells whether it is solved, and whether its tasks
// were not solved before. Its error ends the proof.
func (p *prover) solve(b *bench, index int, group *group, seen *builtins.Rehearsal) (solved bool, err error) {
	slot := group.add(p.trial(index, "solved"))
	t := slot.begin()
	if err = b.play(p.crew.ctx, index, seen); err != nil {
		if fatal(p.crew.ctx, err) {
			return false, err
		}
		t.Failure = err.Error()
		t.Remedy = fmt.Sprintf("labrun itself cannot do this step: `labrun %s` shows it as it happens", b.m.File)
		slot.end(t)
		group.close()
		return false, nil
	}
	slot.end(t)
	tasks := taskNames(seen.Instructions)
	for target, i := range seen.Instructions {
		if !i.Task {
			continue
		}
		before := p.trial(index, tasks[target]+"not solved before")
		before.Position = i.Position.String()
		if i.Solved {
			before.Failure = "its check holds before anything was done for it"
			before.Remedy = "check what only the task leads to"
		}
		group.tell(before)
	}
	return true, nil
}
