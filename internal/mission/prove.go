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
	Step     int     `json:"step"` // counted from 1
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

// enterPatience bounds each wait of a trial that is to fail: nothing is on its way.
const enterPatience = 4 * time.Second

// Prove plays every step on the given lab, and then, from the state in which the
// step began, tries what students do: each line and each task left out, wrong
// answers, the hints. It tells each trial as it ends, and as it begins how many more
// of its step are known to come; it returns an *Error only where it could not go on:
// the computer, or the user, ended it. A step that its own solution does not solve is
// a failed trial, and the last one. It is run once.
//
// Where start says a step, that is the one to prove: the machines are brought there as
// Run brings them.
func (m *Mission) Prove(
	ctx context.Context, l *lab.Lab, events *event.Log, start Start,
	begins func(trial Trial, more int), tell func(Trial),
) error {
	m.session.Act(l, events)
	p := &prover{m: m, ctx: ctx, lab: l, events: events, begins: begins, tell: tell}
	steps, only := m.Declared().Steps, start.From
	saved := &checkpoints{lab: l, folder: start.Checkpoints, events: events, shared: m.digestBefore}
	first, err := saved.reach(ctx, max(only-1, 0))
	if err != nil {
		return Classify(ctx, err)
	}
	for i, step := range steps[first:] {
		i += first
		p.index, p.step = i, step
		if i+1 < only {
			if err := p.play(nil); err != nil {
				return err
			}
			continue
		}
		if i+1 == only && first < i {
			saved.save(ctx, i)
		}
		solved, err := p.prove(i+1 == len(steps) || i+1 == only)
		if err != nil {
			return Classify(ctx, err)
		}
		if i+1 == only {
			break
		}
		if !solved {
			for k, left := range steps[i+1:] {
				tell(Trial{
					Step: i + 2 + k, Title: left.Title, Name: "solved", Position: left.Position.String(),
					NotTried: "an earlier step is not solved",
				})
			}
			break
		}
	}
	return nil
}

// prover tries the steps of one mission.
type prover struct {
	m      *Mission
	ctx    context.Context
	lab    *lab.Lab
	events *event.Log
	begins func(Trial, int)
	tell   func(Trial)

	more  int // trials of the step that are known to come
	index int
	step  builtins.Step
}

// play plays the step as an actor does; nil: as a run does.
func (p *prover) play(by builtins.Actor) error {
	return p.m.perform(p.ctx, p.step, p.events, by)
}

// fatal reports whether a trial's error says nothing about the lab.
func (p *prover) fatal(err error) bool {
	var failed *Error
	return p.ctx.Err() != nil || errors.As(err, &failed) && (failed.Kind == Environment || failed.Kind == Interrupted)
}

// at begins a trial.
func (p *prover) at(name, position string) (t Trial, done func(Trial)) {
	began := time.Now()
	t = Trial{Step: p.index + 1, Title: p.step.Title, Name: name, Position: position}
	p.begins(t, p.more)
	return t, func(t Trial) {
		t.Seconds = time.Since(began).Round(time.Millisecond).Seconds()
		p.tell(t)
	}
}

// state is the folder of the lab's state at the beginning of a step.
func (p *prover) state(step int) string {
	return filepath.Join(p.lab.Session(), fmt.Sprintf("step-%d", step+1))
}

func (p *prover) save(step int) error {
	if _, err := os.Stat(p.state(step)); err == nil {
		return nil // the end of the step before
	}
	return p.lab.Checkpoint(p.ctx, p.state(step))
}

// prove tries one step; what comes after the last one needs no lab.
func (p *prover) prove(last bool) (solved bool, err error) {
	if err := p.save(p.index); err != nil {
		return false, err
	}
	defer os.RemoveAll(p.state(p.index))
	here := p.step.Position.String()
	t, done := p.at("solved", here)
	seen := &builtins.Rehearsal{Target: -1, Until: -1}
	if err := p.play(seen); err != nil {
		if p.fatal(err) {
			return false, err
		}
		t.Failure = err.Error()
		t.Remedy = fmt.Sprintf("labrun itself cannot do this step: `labrun %s` shows it as it happens", p.m.File)
		done(t)
		return false, nil
	}
	done(t)
	tasks := taskNames(seen.Instructions)
	for target, i := range seen.Instructions {
		if i.Task {
			t, done := p.at(tasks[target]+"not solved before", i.Position.String())
			if i.Solved {
				t.Failure = "its check holds before anything was done for it"
				t.Remedy = "check what only the task leads to"
			}
			done(t)
		}
	}
	if !last {
		if err := p.save(p.index + 1); err != nil {
			return false, err
		}
	}
	t, done = p.at("twice", here)
	if err := p.play(nil); err != nil {
		if p.fatal(err) {
			return false, err
		}
		t.Failure = "the step passes, and played once more at once it does not: " + err.Error()
		t.Remedy = "let the step begin from what it may have left behind: remove it first"
	}
	done(t)
	variations := p.variations(seen.Instructions)
	for k, v := range variations {
		p.more = len(variations) - 1 - k
		if err := p.try(v); err != nil {
			return false, err
		}
	}
	if !last {
		return true, p.lab.Restore(p.ctx, p.state(p.index+1))
	}
	return true, nil
}

// try plays one variation from the step's beginning. Its error ends the proof.
func (p *prover) try(v variation) error {
	t, done := p.at(v.name, v.position)
	if t.NotTried = v.notTried; v.notTried != "" || v.known {
		done(t)
		return nil
	}
	if err := p.lab.Restore(p.ctx, p.state(p.index)); err != nil {
		return err
	}
	r := v.rehearsal
	err := p.play(&r)
	if err != nil && p.fatal(err) {
		return err
	}
	v.conclude(&t, &r, err)
	done(t)
	return nil
}
