package guide

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/markdown"
)

// Machines is what the guide can do to the machines at a student's word.
type Machines interface {
	// Names are the machines, in the order of the mission.
	Names() []string
	// Viewers tells how many consoles of a machine are open.
	Viewers(machine string) int
	// Open shows a machine's console in the guide's own terminal until the
	// student leaves it; keys are what is typed. It fails with ErrNoTerminal if
	// there is none. Done is closed when what is asked for now was done; note is
	// then shown there.
	Open(ctx context.Context, machine string, keys io.Reader, done <-chan struct{}, note string) error
	// Restart switches a machine off and on.
	Restart(ctx context.Context, machine string) error
}

// ErrNoTerminal says that a console cannot be opened here.
var ErrNoTerminal = errors.New("no terminal")

// What a student can make of a step besides doing it. Await returns these.
var (
	ErrQuit  = errors.New("the student has quit")
	ErrRedo  = errors.New("the student begins the step again")
	ErrRetry = errors.New("the student has it tried again")
	ErrLeave = errors.New("the student leaves the step undone")
)

// Options are what a guide needs.
type Options struct {
	In       io.Reader
	Out      io.Writer
	Width    func() int // of Out, in columns
	Color    bool
	Language string // of the guide's own words; one that it does not know is English
	Command  string // how the mission is named after `labrun --guide`
	Panes    bool   // each console has a pane beside the guide (tmux)
	Events   *event.Log
	Progress *Progress
	Machines Machines
}

// Step is a step of the mission as the guide shows it.
type Step struct {
	Name      string // of its function
	Title     string
	Narration string // Markdown
}

// Guide leads one student through one mission. Its methods are for the goroutine
// that runs the mission, except Missed and Note, which are safe for concurrent use.
type Guide struct {
	options Options
	input   *input
	screen  screen
	steps   []Step

	at     int // index of the present step
	record Record
	began  time.Time
	taking bool // labrun does the rest of the present step
	tries  int  // looks at checks that the student had a part in
	silent bool // what the script says is not shown: a step is played again

	mu   sync.Mutex // guards miss
	miss string     // the key of the last one
}

// New returns a guide through steps.
func New(options Options, steps []Step) *Guide {
	return &Guide{options: options, input: newInput(options.In), screen: screen{out: options.Out}, steps: steps}
}

// screen is the guide's terminal. While a console is shown there, the guide's
// words are kept until it is left.
type screen struct {
	mu   sync.Mutex
	out  io.Writer
	held bool
	kept bytes.Buffer

	writes int
}

func (s *screen) write(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.held {
		s.kept.WriteString(text)
		return
	}
	io.WriteString(s.out, text) // a terminal that is gone shows at the next read
}

func (s *screen) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
}

func (s *screen) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	s.out.Write(s.kept.Bytes())
	s.kept.Reset()
}

// width is how wide the guide writes: lines longer than 100 columns are hard to
// read, however wide the terminal is.
func (g *Guide) width() int { return min(max(g.options.Width(), 20), 100) }

// Note shows a paragraph, wrapped to the terminal.
func (g *Guide) Note(text string) { g.screen.write(markdown.Wrap(text, g.width()) + "\n") }

// block shows lines as they are, set in.
func (g *Guide) block(text string) {
	g.screen.write("    " + strings.ReplaceAll(strings.TrimRight(markdown.Clean(text), "\n"), "\n", "\n    ") + "\n")
}

func (g *Guide) blank() { g.screen.write("\n") }

// say shows a phrase as a paragraph.
func (g *Guide) say(name string, args ...any) { g.Note(g.Say(name, args...)) }

// Welcome opens the dialogue.
func (g *Guide) Welcome(title string, minutes int) {
	g.screen.write(markdown.Terminal("# "+title, g.width(), g.options.Color) + "\n")
	if len(g.steps) == 1 {
		g.say("welcome one")
	} else {
		g.say("welcome", len(g.steps))
	}
	if minutes > 0 {
		g.say("minutes", minutes)
	}
	g.say("words")
	if aside := g.options.Progress.Damaged; aside != "" {
		g.say("damaged", aside)
	}
}

// Resume decides where to begin and says why: at the first step, or where the
// student has stopped.
func (g *Guide) Resume() (from int) {
	p := g.options.Progress
	var names []string
	for _, s := range g.steps {
		names = append(names, s.Name)
	}
	next, known := p.Next(names)
	switch {
	case !known:
		g.say("changed")
		p.Begin()
	case next == len(names):
		g.say("finished once", p.Finished.Format(time.DateOnly))
		p.Begin()
		next = 0
	case next > 0:
		g.say("resume", next+1, len(names))
		g.say("resume fresh", g.options.Command)
	}
	g.at = next
	return next
}

// Replaying and Replayed bracket a step before the one that the student goes on at.
func (g *Guide) Replaying(index int) {
	g.taking, g.silent = true, true
	g.say("replaying", index+1, g.steps[index].Title)
	g.Recall(index)
}

// Recall notes in the run's records how the student did a step that is behind them.
func (g *Guide) Recall(index int) {
	before := g.options.Progress.Steps[index]
	recalled := event.Recalled{State: string(before.State), Seconds: before.Seconds, Hints: before.Hints, Helped: before.Helped}
	for _, a := range before.Answers {
		recalled.Answers = append(recalled.Answers, event.Answered{Question: a.Question, Answer: a.Answer})
	}
	g.options.Events.Emit(recalled)
}

// Replayed is the end of Replaying.
func (g *Guide) Replayed(index int, seconds float64, passed bool) {
	g.taking, g.silent = false, false
	if passed {
		g.say("replayed", index+1, seconds)
	}
}

// Returned says that the machines were brought to where the student goes on.
func (g *Guide) Returned(seconds float64) { g.say("returned", seconds) }

// Redoing says that the step begins again, and how the machines are.
func (g *Guide) Redoing(restored bool) {
	if restored {
		g.say("redoing restored")
		return
	}
	g.say("redoing")
}

// BeginStep shows a step's text.
func (g *Guide) BeginStep(index int) {
	g.at, g.began, g.taking = index, time.Now(), false
	g.record = Record{Step: g.steps[index].Name, State: Done}
	g.ShowText()
}

// ShowText shows the present step's text.
func (g *Guide) ShowText() {
	step := g.steps[g.at]
	g.blank()
	g.screen.write(markdown.Terminal("## "+g.Say("step", g.at+1, len(g.steps), step.Title)+"\n\n"+step.Narration, g.width(), g.options.Color) + "\n")
}

// EndStep keeps how the present step ended.
func (g *Guide) EndStep(state State) Record {
	if state == Done && g.taking {
		state = Skipped
	}
	g.taking = false
	g.record.State, g.record.Seconds = state, time.Since(g.began).Seconds()
	g.blank()
	g.say(map[State]string{Done: "step done", Skipped: "step skipped", Left: "step left"}[state], g.at+1)
	p := g.options.Progress
	p.Steps = append(p.Steps, g.record)
	if len(p.Steps) == len(g.steps) {
		p.Finished = time.Now()
	}
	if err := p.Save(); err != nil {
		g.say("fail progress", err)
	}
	return g.record
}

// Finish closes the dialogue after the last step and returns how many of the
// steps were done, by whomever.
func (g *Guide) Finish() (done int) {
	os.RemoveAll(g.options.Progress.Machines()) // nobody goes on from there
	var helped []string
	for i, r := range g.options.Progress.Steps {
		if r.State != Left {
			done++
		}
		if r.State == Skipped || r.Helped > 0 {
			helped = append(helped, fmt.Sprint(i+1))
		}
	}
	g.blank()
	switch {
	case done == 1 && len(g.steps) == 1:
		g.say("complete one")
	case done == len(g.steps):
		g.say("complete", done)
	default:
		g.say("complete some", done, len(g.steps))
	}
	switch len(helped) {
	case 0:
	case 1:
		g.say("complete help one", helped[0], g.options.Command)
	default:
		g.say("complete help", strings.Join(helped, ", "), g.options.Command)
	}
	return done
}

// Stopped says that the progress is kept, when a run ends before the last step.
func (g *Guide) Stopped() {
	if n := len(g.options.Progress.Steps); n < len(g.steps) {
		g.say("kept", g.options.Command, n+1)
	}
}

// Tell shows a word of the script's, in Markdown.
func (g *Guide) Tell(text string) {
	if !g.silent {
		g.screen.write(markdown.Terminal(text, g.width(), g.options.Color) + "\n")
	}
}

// Command is how the mission is named after `labrun --guide`.
func (g *Guide) Command() string { return g.options.Command }

// Panes reports whether each console has a pane beside the guide.
func (g *Guide) Panes() bool { return g.options.Panes }

// Taking reports whether labrun does the rest of the present step by itself.
func (g *Guide) Taking() bool { return g.taking }

// Answered keeps a student's answer.
func (g *Guide) Answered(question, answer, verdict string) {
	g.options.Events.Emit(event.Answered{Question: question, Answer: answer, Verdict: verdict})
	if verdict != "wrong" {
		g.record.Answers = append(g.record.Answers, Answer{question, answer})
	}
}

// Shown counts what was shown so far, so that who has said something knows whether it
// is the last that was said.
func (g *Guide) Shown() int {
	g.screen.mu.Lock()
	defer g.screen.mu.Unlock()
	return g.screen.writes
}

// Missed says why what is asked for is not done yet, once for each key.
func (g *Guide) Missed(key, reason string) {
	g.mu.Lock()
	news := g.miss != key
	g.miss = key
	g.mu.Unlock()
	if news {
		g.Note(g.sentences(g.Say("not yet", reason), g.Say("not yet hint")))
	}
}
