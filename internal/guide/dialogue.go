package guide

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/phrase"
)

// Machines is what the dialogue can do to the machines at a student's word.
type Machines interface {
	// Names are the machines, in the order of the mission.
	Names() []string
	// Restart switches a machine off and on.
	Restart(ctx context.Context, machine string) error
}

// Mission is what the student is led through, told in one language at a time. Its methods
// are safe for concurrent use.
type Mission interface {
	// Title is the mission's.
	Title() string
	// GuideSteps are its steps, as many and in the same order whatever the language.
	GuideSteps() []Step
	// Languages are the tags of those that it can be told in.
	Languages() []string
	// TellIn has it told, from now on, in the language of its own that a reader of tag
	// understands; false: there is none, or it cannot be had, and it stays as it is.
	TellIn(tag string) (ok bool, err error)
	// Forms are a text of the mission's in all languages that it was told in.
	Forms(text string) []string
}

// Options are what a dialogue needs.
type Options struct {
	Language *phrase.Language // of labrun's own words, at first
	Mission  Mission
	Minutes  int    // what its author expects it to take; 0: they do not say
	Command  string // how it is named after `labrun --guide`
	Events   *event.Log
	Progress *Progress
	Machines Machines
	Author   bool // the word goto goes to any step
	Class    bool // the run reports to a class, whose teacher the student can let type
}

// Step is a step of the mission as a student sees it.
type Step struct {
	Name      string // of its function
	Title     string
	Narration string // Markdown
	Challenge bool
}

// Dialogue leads one student through one mission. The methods that lead are for the
// goroutine that runs the mission; Snapshot, Asked, Command, Say, Phrase, Missed and Tell
// are safe for concurrent use.
type Dialogue struct {
	options  Options
	language atomic.Pointer[phrase.Language]
	invited  atomic.Bool // the teacher may type

	there context.Context // ends with ErrQuit when the student quits
	quit  context.CancelCauseFunc

	began  time.Time // the present step
	silent bool      // what the script says is not shown: a step is played again
	tries  int       // looks at checks that the student had a part in
	before Text      // the last reason of NotYet
	reason int       // how many of them were other than the one before

	// speech is held while a text is put into words and told, so that nothing comes in the
	// old language after the switch to another. It is taken before mu, and after a wait's acting.
	speech sync.Mutex
	begun  int  // the present step as it was told, counted from 1; 0: none
	why    Text // the last Missed, while what it is about is asked

	mu      sync.Mutex
	steps   []Step // in the present language
	at      int    // index of the present step
	record  Record // of the present step
	taking  bool   // labrun does the rest of the present step
	missed  string // the key of the last Missed
	waiting *wait  // the Await under way
	known   event.Instructed
	changed chan struct{} // closed when waiting is another one
	number  int           // of the last instruction
	board   boards
}

// New returns a dialogue about a mission.
func New(options Options) *Dialogue {
	d := &Dialogue{options: options, steps: options.Mission.GuideSteps(), changed: make(chan struct{})}
	d.there, d.quit = context.WithCancelCause(context.Background())
	d.language.Store(options.Language)
	return d
}

// Leading returns a context for what is done while the student is there: it ends with
// parent, and with ErrQuit when they quit, whatever labrun is at then. Cancel releases it.
func (d *Dialogue) Leading(parent context.Context) (ctx context.Context, cancel context.CancelFunc) {
	ctx, end := context.WithCancelCause(parent)
	relayed := context.AfterFunc(d.there, func() { end(ErrQuit) })
	return ctx, func() {
		relayed()
		end(nil)
	}
}

// StepState is how a step stands.
type StepState struct {
	Step
	State State // Ahead, Here, or how it ended
}

// Snapshot is the dialogue at one moment.
type Snapshot struct {
	Steps []StepState
	At    int               // index of the present step
	Asked *event.Instructed // what the student is asked to do; nil: nothing, labrun is at work
	Hints []string          // those that were given for it
}

// Snapshot returns how the dialogue stands.
func (d *Dialogue) Snapshot() Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := Snapshot{At: d.at}
	for i, step := range d.steps {
		state := Ahead
		switch past := d.options.Progress.Steps; {
		case i == d.at && (d.board.to == 0 || d.board.inside):
			state = Here
		case i < len(past):
			state = past[i].State
		default:
			if r := d.options.Progress.Board.entered(step.Name); r != nil {
				state = r.State
			}
		}
		s.Steps = append(s.Steps, StepState{step, state})
	}
	if w := d.waiting; w != nil {
		asked := w.asked()
		s.Asked, s.Hints = &asked, said(w.Hints[:w.level])
	}
	return s
}

// Mission is how the mission is named after `labrun --guide`.
func (d *Dialogue) Mission() string { return d.options.Command }

func (d *Dialogue) emit(e event.Event) { d.options.Events.Emit(e) }

// Begin opens the dialogue and returns the index of the step to begin at: the first one,
// or where the student has stopped. If anew, what they have done before is forgotten.
func (d *Dialogue) Begin(anew bool) (from int) {
	p := d.options.Progress
	var names []string
	for _, s := range d.options.Mission.GuideSteps() {
		names = append(names, s.Name)
	}
	d.mu.Lock() // there may be who looks on already
	next, known := p.Next(names)
	e := event.Welcomed{Steps: len(names), Minutes: d.options.Minutes, Damaged: p.Damaged, Class: d.options.Class}
	switch {
	case anew:
		p.Begin()
		next = 0
	case !known:
		e.Why = "changed"
		p.Begin()
	case next == len(names):
		e.Why, e.Finished = "finished", p.Finished.Format(time.DateOnly)
		p.Begin()
		next = 0
	case next > 0 || p.Board != nil && len(p.Board.Entered) > 0:
		e.Why = "resumed"
	}
	var challenges []string // of the board that comes next
	for _, s := range d.steps[next:] {
		if !s.Challenge {
			break
		}
		challenges = append(challenges, s.Name)
	}
	p.fitBoard(challenges)
	e.From, e.Challenges, e.Solved = next+1, len(challenges), p.Solved()
	d.at = next
	d.mu.Unlock()
	d.tell(func() event.Event {
		e.Title, e.Language = d.options.Mission.Title(), d.language.Load().Tag()
		return e
	})
	return next
}

// StepStarted tells that a step begins, with its title and its narration.
func (d *Dialogue) StepStarted(e event.StepStarted) {
	d.tell(func() event.Event {
		d.begun, d.why = e.Index, nil
		step := d.options.Mission.GuideSteps()[e.Index-1]
		e.Title, e.Narration = step.Title, step.Narration
		return e
	})
}

// Replaying says that labrun plays a step that the student has behind them; Replayed is
// its end.
func (d *Dialogue) Replaying(index int) {
	d.setTaking(true)
	d.silent = true
	d.Recall(index)
}

// Replayed is the end of Replaying.
func (d *Dialogue) Replayed() {
	d.setTaking(false)
	d.silent = false
}

// Recall notes in the run's records how the student did a step that is behind them, or a
// challenge.
func (d *Dialogue) Recall(index int) {
	before, known := d.Standing(index)
	if !known {
		before = d.options.Progress.Steps[index]
	}
	e := event.Recalled{
		State: string(before.State), Seconds: before.Seconds, Hints: before.Hints, Helped: before.Helped,
	}
	for _, a := range before.Answers {
		e.Answers = append(e.Answers, event.Answered{Question: a.Question, Answer: a.Answer})
	}
	d.emit(e)
}

// Returned says that the machines were brought to where the student goes on.
// Saved says that they are as they were saved last, at a board; else, as a step began.
func (d *Dialogue) Returned(took time.Duration, saved bool) {
	d.emit(event.Returned{Seconds: took.Seconds(), Board: saved})
}

// BeginStep begins a step.
func (d *Dialogue) BeginStep(index int) {
	d.began = time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at, d.taking = index, false
	d.record = Record{Step: d.steps[index].Name, State: Done}
}

// Redo begins the present step again, with the machines as they were when it began, if
// they were restored.
func (d *Dialogue) Redo(restored bool) {
	d.mu.Lock()
	index, challenge := d.at, d.board.inside
	d.taking = false
	d.mu.Unlock()
	if !challenge { // whose record goes on: it is the same attempt at it
		d.BeginStep(index)
	}
	d.emit(event.Redone{Restored: restored})
}

// EndStep keeps how the present step ended.
func (d *Dialogue) EndStep(state State) Record {
	d.mu.Lock()
	if state == Done && d.taking {
		state = Skipped
	}
	d.taking = false
	d.record.State, d.record.Seconds = state, time.Since(d.began).Seconds()
	record, p := d.record, d.options.Progress
	p.Steps = append(p.Steps, record)
	if len(p.Steps) == len(d.steps) {
		p.Finished = time.Now()
	}
	err := p.Save()
	d.mu.Unlock()
	if err != nil {
		d.Remark("fail progress", err)
	}
	return record
}

// Complete closes the dialogue after the last step and returns how many of the steps were
// done, by whomever.
func (d *Dialogue) Complete() (done int) {
	os.RemoveAll(d.options.Progress.Machines()) // nobody goes on from there
	e := event.Completed{Of: len(d.options.Mission.GuideSteps())}
	for i, r := range d.options.Progress.Steps {
		if r.State != Left {
			e.Done++
		}
		if r.State == Skipped || r.Helped > 0 {
			e.Helped = append(e.Helped, i+1)
		}
	}
	d.emit(e)
	return e.Done
}

// Pause says that the progress is kept, when a run ends before the last step.
func (d *Dialogue) Pause() {
	p, steps := d.options.Progress, d.options.Mission.GuideSteps()
	if n := len(p.Steps); n < len(steps) {
		d.emit(event.Paused{At: n + 1, Board: steps[n].Challenge, Solved: p.Solved()})
	}
}

// Tell shows the student a text of the script's, in Markdown; not while a step is
// replayed.
func (d *Dialogue) Tell(text Text) {
	if !d.silent {
		d.tell(func() event.Event { return event.Told{Text: text.String(), Markdown: true} })
	}
}

// Remark tells the student one of labrun's phrases.
func (d *Dialogue) Remark(name string, args ...any) {
	d.tell(func() event.Event { return event.Told{Text: d.Say(name, args...)} })
}

// Taking reports whether labrun does the rest of the present step by itself.
func (d *Dialogue) Taking() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.taking
}

func (d *Dialogue) setTaking(taking bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taking = taking
}

// Missed says why what is asked for is not done yet, once for each key. Again says that
// the reason is the one that was told the time before.
func (d *Dialogue) Missed(key string, reason Text, again bool) {
	d.mu.Lock()
	news := d.missed != key
	d.missed = key
	d.mu.Unlock()
	if news {
		d.tell(func() event.Event {
			d.why = reason
			return event.Missed{Reason: reason.String(), Again: again}
		})
	}
}
