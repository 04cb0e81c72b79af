package guide

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/event"
)

// What a student can make of a step besides doing it. Await returns these.
var (
	ErrQuit  = errors.New("the student has quit")
	ErrRedo  = errors.New("the student begins the step again")
	ErrRetry = errors.New("the student has it tried again")
	ErrLeave = errors.New("the student leaves the step undone")

	// ErrEdited is nobody's decision: the mission was edited, and what is asked is asked anew.
	ErrEdited = errors.New("the mission was edited")
)

// Instruction is one thing that the student should do.
type Instruction struct {
	Verb    string // the builtin it comes from
	Words   string // what that asks for, for the records; empty: Verb says it
	Console string // the machine it is about; empty: none
	Text    string // what to type, if it is that; the question, as it was asked at first
	Keys    bool   // without Enter
	Press   string // what a terminal sends for the key that is to be pressed, if it is that
	Show    Text   // what to do, in words
	Goal    Text   // in Markdown, what Show announces; then Hints are Markdown, too
	Block   string // lines to be shown as they are, below it
	Hints   []Text
	Delay   time.Duration // it is shown only if it is not done by then
	Known   bool          // it was shown before, as another instruction's part

	// What else the student may say.
	Question *Question // an answer
	Solve    bool      // labrun can do it: the words do and skip
	Agree    bool      // the word ok
	Leave    bool      // the word next
	Check    func()    // the word check: it is looked at again
	Again    bool      // the word check ends the wait
	Board    bool      // a challenge is chosen
	Sure     bool      // the words yes and no
	Over     bool      // there is nothing left to do: only looking around, and quit
}

// Outcome is how an instruction ended.
type Outcome int

// The ways in which it can end.
const (
	ByStudent Outcome = iota
	ByLabrun          // it is not done: the student wants labrun to do it
	Agreed            // the student says that it is done
)

// wait is one Await under way.
type wait struct {
	Instruction
	dialogue *Dialogue
	ctx      context.Context
	number   int
	board    boards // where the student is while it is asked
	level    int    // hints given; under the dialogue's lock

	told  bool // as an event; under the dialogue's speech, as shown is
	shown bool // so that the student sees it, which is no more Known

	acting  chan struct{} // holds a value while a command is carried out, and when Await ends; guards all below
	decided chan struct{} // closed when the student has decided; outcome and err say how
	over    bool
	outcome Outcome
	err     error
}

// Await has the student follow an instruction and waits until watch returns. Watch's
// error ends the wait and is returned; its context ends when the wait does, and it must
// then return soon. What a student decides otherwise is an Outcome, or one of ErrQuit,
// ErrRedo, ErrRetry and ErrLeave, or a *Move.
func (d *Dialogue) Await(ctx context.Context, i Instruction, watch func(context.Context) error) (Outcome, error) {
	if d.Taking() && i.Solve {
		return ByLabrun, nil
	}
	w := d.listen(ctx, i)
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	var watched error
	done := make(chan struct{})
	go func() {
		defer close(done)
		watched = watch(watching)
	}()
	show := time.NewTimer(i.Delay)
	defer show.Stop()
	for {
		select {
		case <-done:
			if watched != nil && ctx.Err() != nil {
				watched = context.Cause(ctx)
			}
			return w.end(watched)
		case <-w.decided:
			cancel()
			<-done
			return w.end(nil)
		case <-d.there.Done():
			cancel()
			<-done
			return w.end(ErrQuit)
		case <-ctx.Done():
			<-done
			return w.end(context.Cause(ctx))
		case <-show.C:
			w.acting <- struct{}{}
			w.tell()
			w.release()
		}
	}
}

// listen makes an instruction the one that commands are about.
func (d *Dialogue) listen(ctx context.Context, i Instruction) *wait {
	if i.Question != nil {
		i.Hints = i.Question.hints(d)
	}
	d.speech.Lock()
	defer d.speech.Unlock()
	d.why = nil
	d.mu.Lock()
	defer d.mu.Unlock()
	d.number++
	w := &wait{
		Instruction: i, dialogue: d, ctx: ctx, number: d.number, acting: make(chan struct{}, 1),
		decided: make(chan struct{}), board: d.board,
	}
	d.turn(w)
	return w
}

// turn makes w the present wait; nil: there is none. The lock is held.
func (d *Dialogue) turn(w *wait) {
	d.waiting = w
	close(d.changed)
	d.changed = make(chan struct{})
}

// end is the end of a wait that the student has not decided, or has. A command that is
// being carried out comes to its end first, and may still decide.
func (w *wait) end(err error) (Outcome, error) {
	w.acting <- struct{}{}
	defer w.release()
	d := w.dialogue
	d.speech.Lock()
	defer d.speech.Unlock()
	d.mu.Lock()
	d.turn(nil)
	d.mu.Unlock()
	outcome := ByStudent
	if w.over {
		outcome, err = w.outcome, w.err
	}
	w.over = true
	if w.shown {
		by := "student"
		switch {
		case err != nil:
			by = "nobody"
		case outcome == ByLabrun:
			by = "labrun"
		}
		d.emit(event.Fulfilled{Number: w.number, By: by})
	}
	return outcome, err
}

func (w *wait) release() { <-w.acting }

// decide is what the student makes of it. The wait's acting lock is held.
func (w *wait) decide(outcome Outcome, err error) {
	w.over, w.outcome, w.err = true, outcome, err
	close(w.decided)
}

// asked is the instruction as data, in the present language.
func (w *wait) asked() event.Instructed {
	e := event.Instructed{
		Number: w.number, Console: w.Console, Verb: w.Verb, Words: w.Words, Text: w.Text, Keys: w.Keys, Press: w.Press,
		Say: w.Show.String(), Goal: w.Goal.String(), Block: w.Block, Hints: len(w.Hints), Known: w.Known,
	}
	if q := w.Question; q != nil {
		e.Question, e.Text, e.Choices = true, q.Text.String(), said(q.Choices)
	}
	for _, word := range Words {
		if w.may(word) {
			e.May = append(e.May, word)
		}
	}
	return e
}

// tell tells the views, once. What comes of an earlier instruction is waited for again and
// again, and told when it is another.
func (w *wait) tell() {
	d := w.dialogue
	d.speech.Lock()
	defer d.speech.Unlock()
	if w.told {
		return
	}
	e := w.asked()
	if same := d.asks(e); w.Known && same {
		return
	}
	w.told, w.shown = true, !w.Known
	d.emit(e)
}

// asks notes what is asked, and reports whether it is the same as the time before. The lock
// speech is held.
func (d *Dialogue) asks(e event.Instructed) (same bool) {
	e.Number = 0
	same = reflect.DeepEqual(e, d.known)
	d.known = e
	return same
}

// Forever is a watch for what only the student's word ends.
func Forever(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Trouble tells the student what has gone wrong and waits for what they say to do:
// nil to try again, or one of Await's errors. Leave offers to go on without.
func (d *Dialogue) Trouble(ctx context.Context, text Text, leave bool) error {
	d.setTaking(false)
	show := text
	if leave {
		show = func() string { return d.Sentences(text.String(), d.Say("next hint")) }
	}
	_, err := d.Await(ctx, Instruction{Verb: "trouble", Show: show, Leave: leave, Again: true}, Forever)
	return err
}

// Stay leaves the machines to the student, who looks around until they say that they are
// done.
func (d *Dialogue) Stay(ctx context.Context) {
	i := Instruction{
		Verb: "stay", Show: d.Phrase("stay", strings.Join(d.options.Machines.Names(), ", ")), Known: true, Over: true,
	}
	for err := ErrRetry; errors.Is(err, ErrRetry); { // a machine was started anew
		_, err = d.Await(ctx, i, Forever)
	}
}

// NotYet tells the student why a check does not hold, and waits until watch
// returns or the student asks, which means that it is worth another look. Watch
// reports whether the student did anything; then the reason is told anew.
func (d *Dialogue) NotYet(
	ctx context.Context, reason Text, watch func(context.Context) (active bool, err error),
) (active bool, err error) {
	if reason.String() != d.before.String() {
		d.reason++
	}
	d.before = reason
	d.Missed(fmt.Sprintf("try %d: reason %d", d.tries, d.reason), reason, false)
	i := Instruction{
		Verb: "check", Text: reason.String(), Show: d.Phrase("not yet", reason), Known: true, Leave: true, Again: true,
		Hints: []Text{d.Phrase("hint text"), reason},
	}
	watched := false
	_, err = d.Await(ctx, i, func(ctx context.Context) (err error) {
		active, err = watch(ctx)
		watched = err == nil
		return err
	})
	if active = active || !watched; active {
		d.tries++
	}
	return active, err
}
