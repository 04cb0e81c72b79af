package mission

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/lab"
)

// order is the order in which the steps are played, as indices: the challenges of each board
// as the seed has it, all else as the script has it. A seed of 0 leaves them, too.
func (m *Mission) order(seed uint64) (order []int) {
	for i := range m.Declared().Steps {
		order = append(order, i)
	}
	if seed == 0 {
		return order
	}
	for i := 0; i < len(order); i++ {
		end := m.boardEnd(i)
		board := order[i:max(end, i)]
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		random.Shuffle(len(board), func(a, b int) { board[a], board[b] = board[b], board[a] })
		i = max(end-1, i)
	}
	return order
}

// numbers names challenges by their numbers on their board.
func numbers(first int, indices []int) string {
	var all []string
	for _, i := range indices {
		all = append(all, fmt.Sprint(i-first+1))
	}
	return strings.Join(all, ", ")
}

// ProveOrders plays the mission, and each of its boards three times: in an order that the seed
// chooses, in the opposite one, so that of any two challenges each comes first once, and with
// all set-ups before the first solution, as for a student who looks at everything first. No
// challenge may spoil another: have its check hold before it is solved, keep it from being
// solved, or have the check of one that is solved not hold any more. What it finds are failed
// trials, which say which two. Its error is an *Error, as Prove's. It is run once.
func (m *Mission) ProveOrders(ctx context.Context, l *lab.Lab, events *event.Log, seed uint64, proof Proof) error {
	m.session.Act(l, events)
	o := &orders{m: m, ctx: ctx, lab: l, events: events, proof: proof}
	order := m.order(seed)
	for i := 0; i < len(order); {
		end := m.boardEnd(i)
		var err error
		if end == i {
			err = o.step(i)
			end++
		} else {
			err = o.board(i, order[i:end])
		}
		if err != nil || o.stuck {
			return Classify(ctx, err)
		}
		i = end
	}
	return nil
}

// orders plays one mission's boards in several orders.
type orders struct {
	m      *Mission
	ctx    context.Context
	lab    *lab.Lab
	events *event.Log
	proof  Proof

	stuck bool // a step between boards was not solved

	// Of the board that is played:
	first   int           // its first challenge
	begin   string        // the folder of the lab's state at its beginning
	told    map[pair]bool // what was found of two challenges
	entered []int         // whose set-ups were played, in this order
	solved  []int         // whose checks held when they were solved, and are to hold on
}

// pair is a challenge that spoils another, and how.
type pair struct {
	by, other int
	how       string
}

// step plays a step that is no challenge.
func (o *orders) step(i int) error {
	step := o.m.Declared().Steps[i]
	return o.trial(i, "solved", func(t *Trial) error {
		err := o.m.perform(o.ctx, step, o.events, nil)
		if err != nil && !fatal(o.ctx, err) {
			o.stuck, t.Failure = true, err.Error()
			t.Remedy = "see that `labrun test` without --shuffle passes first"
			return nil
		}
		return err
	})
}

// trial has one thing tried, and told.
func (o *orders) trial(i int, name string, try func(*Trial) error) error {
	step, began := o.m.Declared().Steps[i], time.Now()
	t := Trial{Step: i + 1, Title: step.Title, Name: name, Position: step.Position.String()}
	o.proof.Begins(t, 0)
	if err := try(&t); err != nil {
		return err
	}
	t.Seconds = time.Since(began).Round(time.Millisecond).Seconds()
	o.proof.Tell(t)
	return nil
}

// board plays a board in its orders.
func (o *orders) board(first int, order []int) error {
	o.first, o.told = first, map[pair]bool{}
	o.begin = filepath.Join(o.lab.Session(), "shuffled")
	if err := o.lab.Checkpoint(o.ctx, o.begin); err != nil {
		return err
	}
	defer os.RemoveAll(o.begin)
	back := slices.Clone(order)
	slices.Reverse(back)
	for _, pass := range []struct {
		name          string
		setUps, solve []int // where the two are one, each is solved at once
	}{
		{"in the order " + numbers(first, order), nil, order},
		{"in the order " + numbers(first, back), nil, back},
		{"in the order " + numbers(first, back) + ", all set up before", order, back},
	} {
		if o.entered != nil {
			if err := o.lab.Restore(o.ctx, o.begin); err != nil {
				return err
			}
		}
		o.entered, o.solved = nil, nil
		for _, i := range pass.setUps {
			if o.m.Declared().Steps[i].Setup == nil {
				o.entered = append(o.entered, i)
				continue
			}
			if err := o.trial(i, "set up, "+pass.name, func(t *Trial) error { return o.setUp(i, t) }); err != nil {
				return err
			}
		}
		for _, i := range pass.solve {
			err := o.trial(i, "solved, "+pass.name, func(t *Trial) error {
				if pass.setUps == nil {
					if err := o.setUp(i, t); err != nil || t.Failure != "" {
						return err
					}
				}
				return o.solve(i, t)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// setUp plays a challenge's set-up, and looks at what is solved.
func (o *orders) setUp(i int, t *Trial) error {
	err := o.m.setUp(o.ctx, o.m.Declared().Steps[i], o.events)
	if err != nil {
		if fatal(o.ctx, err) {
			return err
		}
		return o.blame(i, t, "its set-up fails after", err.Error())
	}
	o.entered = append(o.entered, i)
	return o.review(i, t, "the set-up of")
}

// solve plays a challenge as labrun does, and looks at all that is solved.
func (o *orders) solve(i int, t *Trial) error {
	already, err := o.play(i)
	switch {
	case err != nil && fatal(o.ctx, err):
		return err
	case err != nil:
		return o.blame(i, t, "it is not solved after", err.Error())
	case already:
		return o.blame(i, t, "its check holds before anything was done for it, after", "")
	}
	if err := o.review(i, t, "solving"); err != nil {
		return err
	}
	if !o.m.review(o.ctx, o.m.Declared().Steps[i]).Changed { // else its own tasks undo each other
		o.solved = append(o.solved, i)
	}
	return o.ctx.Err()
}

// play plays a challenge that is set up. Already says that the check of a task held before
// anything was done for it.
func (o *orders) play(i int) (already bool, err error) {
	seen := &builtins.Rehearsal{Target: -1, Until: -1}
	err = o.m.play(o.ctx, o.m.Declared().Steps[i], o.events, seen)
	return slices.ContainsFunc(seen.Instructions, func(i builtins.Instruction) bool { return i.Task && i.Solved }), err
}

// review looks whether all that is solved is so still, after what a challenge has done.
func (o *orders) review(by int, t *Trial, what string) error {
	o.solved = slices.DeleteFunc(o.solved, func(other int) bool {
		if other == by || !o.m.review(o.ctx, o.m.Declared().Steps[other]).Changed || o.ctx.Err() != nil {
			return false
		}
		found := pair{by, other, what}
		if !o.told[found] {
			o.told[found] = true
			o.fail(t, fmt.Sprintf("%s %s undoes %s, whose check held before", what, o.name(by), o.name(other)),
				"let each challenge have files, users and programs of its own")
		}
		return true
	})
	return o.ctx.Err()
}

// fail notes what is wrong, besides what was found before.
func (o *orders) fail(t *Trial, what, remedy string) {
	if t.Failure != "" {
		what = t.Failure + "; " + what
	}
	t.Failure, t.Remedy = what, remedy
}

// name is what a challenge is called.
func (o *orders) name(i int) string {
	return fmt.Sprintf("challenge %d «%s»", i-o.first+1, o.m.Declared().Steps[i].Title)
}

// blame finds which of the challenges before it does that to a challenge, alone: each is tried
// from the beginning of the board. The machines are then as they were.
func (o *orders) blame(i int, t *Trial, what, why string) (err error) {
	now := o.begin + "-now"
	if err := o.lab.Checkpoint(o.ctx, now); err != nil {
		return err
	}
	defer os.RemoveAll(now)
	defer func() { err = errors.Join(err, o.lab.Restore(o.ctx, now)) }()
	bad := func(before int) (bool, error) {
		if err := o.lab.Restore(o.ctx, o.begin); err != nil {
			return false, err
		}
		if before >= 0 {
			if err := o.alone(before); err != nil {
				return false, err
			}
		}
		failed := o.m.setUp(o.ctx, o.m.Declared().Steps[i], o.events)
		already := false
		if failed == nil {
			already, failed = o.play(i)
		}
		if failed != nil && fatal(o.ctx, failed) {
			return false, failed
		}
		return failed != nil || already, nil
	}
	if why != "" {
		why = ": " + why
	}
	if own, err := bad(-1); err != nil || own {
		o.fail(t, "it is the same when nothing else was played: "+strings.TrimSuffix(strings.TrimSuffix(what, " after"), ", after")+why,
			"see that `labrun test` without --shuffle passes first")
		return err
	}
	var before []int
	for _, other := range slices.Backward(o.entered) {
		if other == i || slices.Contains(before, other) {
			continue
		}
		before = append(before, other)
		guilty, err := bad(other)
		if err != nil {
			return err
		}
		if guilty {
			found := pair{other, i, what}
			if !o.told[found] {
				o.told[found] = true
				o.fail(t, fmt.Sprintf("%s spoils %s: %s it%s", o.name(other), o.name(i), what, why),
					"let each challenge have files, users and programs of its own, and its set-up begin with removing what may be there")
			}
			return nil
		}
	}
	slices.Reverse(before)
	o.fail(t, fmt.Sprintf("%s is spoilt by several others together: %s challenges %s%s", o.name(i), what, numbers(o.first, before), why),
		"let each challenge have files, users and programs of its own")
	return nil
}

// alone plays a challenge as far as it was played: its set-up, and its solution. What goes
// wrong with it is not the question here.
func (o *orders) alone(i int) error {
	err := o.m.perform(o.ctx, o.m.Declared().Steps[i], o.events, nil)
	if err != nil && fatal(o.ctx, err) {
		return err
	}
	return nil
}
