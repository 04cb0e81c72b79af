// Package terminal shows a dialogue with a student (package guide) in a terminal, and
// takes the student's words there. It owns how that looks: wrapping, colours, the words
// that are typed, and sitting at a machine's console in the same terminal.
//
// Output is append-only lines: nothing is redrawn, and nothing is told by colour alone,
// so that a screen reader, a pipe and a small terminal show the same.
package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/markdown"
)

// Machines is what the terminal needs of a lab.
type Machines interface {
	// Consoles are the names of the machines' consoles, in the order of the mission: a
	// machine's own has its name.
	Consoles() []string
	// Viewers tells how many sit at a console.
	Viewers(console string) int
	// Open shows a console in this terminal until the student leaves it;
	// keys are what is typed. It fails with ErrNone if there is no terminal. Done is
	// closed when what was asked for was done; note is then shown there.
	Open(ctx context.Context, console string, keys io.Reader, done <-chan struct{}, note string) error
}

// ErrNone says that there is no terminal in which a console could be shown.
var ErrNone = errors.New("no terminal")

// Options are what a terminal view needs.
type Options struct {
	In       io.Reader
	Out      io.Writer
	Width    func() int // of Out, in columns
	Color    bool
	Panes    bool // each console has a pane beside the guide (tmux)
	Machines Machines
}

// View is a dialogue in a terminal. Record is its sink of events, Run its ear.
type View struct {
	options  Options
	dialogue *guide.Dialogue
	screen   screen
	input    *input

	mu       sync.Mutex
	step     event.StepStarted // the present one
	board    *event.Board      // what is before the student instead of a step; nil: nothing
	asked    *event.Instructed // what the student is asked to do; nil: nothing
	hinted   *event.Hinted     // the last hint given for it
	at       int               // how much was written when something was last missed
	done     chan struct{}     // closed when what was asked for is done
	reminder *time.Timer
}

// remindAfter is how long a student may say nothing before they are told what they can
// say.
const remindAfter = 90 * time.Second

// New returns a view of a dialogue. Its Record has to be attached to the run's events
// before the dialogue begins.
func New(options Options, dialogue *guide.Dialogue) *View {
	v := &View{options: options, dialogue: dialogue, screen: screen{out: options.Out}, input: newInput(options.In)}
	v.reminder = time.AfterFunc(remindAfter, v.remind)
	v.reminder.Stop()
	return v
}

// width is how wide the view writes: lines longer than 100 columns are hard to read,
// however wide the terminal is.
func (v *View) width() int { return min(max(v.options.Width(), 20), 100) }

// say shows a phrase as a paragraph, wrapped to the terminal.
func (v *View) say(name string, args ...any) { v.paragraph(v.dialogue.Say(name, args...)) }

func (v *View) paragraph(text string) { v.screen.write(markdown.Wrap(text, v.width()) + "\n") }

// markdown shows a text of the mission's.
func (v *View) markdown(text string) {
	v.screen.write(markdown.Terminal(text, v.width(), v.options.Color) + "\n")
}

// block shows lines as they are, set in.
func (v *View) block(text string) {
	lines := strings.TrimRight(markdown.Clean(text), "\n")
	v.screen.write("    " + strings.ReplaceAll(lines, "\n", "\n    ") + "\n")
}

func (v *View) blank() { v.screen.write("\n") }

// Record shows an event. It is a sink of the run's events.
func (v *View) Record(r event.Record) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e := r.Event.(type) {
	case event.Welcomed:
		v.welcome(e)
	case event.StepStarted:
		v.step, v.board = e, nil
		switch {
		case e.Restored:
		case e.Replayed:
			v.say(v.worded("replaying"), v.number(), e.Title)
		default:
			v.narrate()
		}
	case event.Translated:
		v.translated(e)
	case event.Invited:
		if e.On {
			v.say("class invited")
		} else {
			v.say("class alone")
		}
	case event.StepEnded:
		v.stepEnded(e)
	case event.Returned:
		if e.Board {
			v.say("returned board", e.Seconds)
		} else {
			v.say("returned", e.Seconds)
		}
	case event.Redone:
		switch {
		case v.step.Challenge > 0:
			v.say("reset done")
		case e.Restored:
			v.say("redoing restored")
		default:
			v.say("redoing")
		}
		v.narrate()
	case event.Instructed:
		v.instructed(e)
	case event.Fulfilled:
		v.asked = nil
		v.reminder.Stop()
		v.news()
	case event.Hinted:
		v.hinted = &e
		v.tellHint(e)
	case event.Helped:
		v.helped(e)
	case event.Answered:
		if name := map[string]string{"right": "right", "wrong": "wrong", "open": "noted"}[e.Verdict]; name != "" {
			v.say(name)
		}
	case event.Missed:
		v.missed(e)
	case event.Told:
		if e.Markdown {
			v.markdown(e.Text)
		} else {
			v.paragraph(e.Text)
		}
	case event.Board:
		v.showBoard(e)
	case event.Completed:
		v.completed(e)
	case event.Paused:
		if e.Board {
			v.say("kept board", v.dialogue.Mission())
		} else {
			v.say("kept", v.dialogue.Mission(), e.At)
		}
	}
}

func (v *View) welcome(e event.Welcomed) {
	v.markdown("# " + e.Title)
	if e.Steps == 1 {
		v.say("welcome one")
	} else {
		v.say("welcome", e.Steps)
	}
	if e.Minutes > 0 {
		v.say("minutes", e.Minutes)
	}
	v.say("words")
	if e.Class {
		v.say("class told")
	}
	if e.Damaged != "" {
		v.say("damaged", e.Damaged)
	}
	switch e.Why {
	case "changed":
		v.say("changed")
	case "finished":
		v.say("finished once", e.Finished)
	case "resumed":
		if e.Challenges > 0 {
			v.say("resume board", e.Solved, e.Challenges)
		} else {
			v.say("resume", e.From, e.Steps)
		}
		v.say("resume fresh", v.dialogue.Mission())
	}
}

// translated goes on in other words.
func (v *View) translated(e event.Translated) {
	if !e.Edited {
		v.blank()
		v.say("language is")
	}
	if e.At == 0 {
		return
	}
	v.step.Title, v.step.Narration = e.Titles[e.At-1], e.Narration
	if !v.step.Replayed {
		v.narrate()
	}
}

// worded is the name of a phrase about the present step, or of its twin about a challenge.
func (v *View) worded(name string) string {
	if v.step.Challenge > 0 {
		return name + " challenge"
	}
	return name
}

// number is what the present step is called: a challenge has a number on its board.
func (v *View) number() int {
	if v.step.Challenge > 0 {
		return v.step.Challenge
	}
	return v.step.Index
}

// narrate shows the present step's text, or the board.
func (v *View) narrate() {
	title := v.dialogue.Say("step", v.step.Index, v.step.Total, v.step.Title)
	switch {
	case v.board != nil:
		v.showBoard(*v.board)
		return
	case v.step.Index == 0:
		return
	case v.step.Challenge > 0:
		title = v.dialogue.Say("challenge", v.step.Challenge, v.step.Challenges, v.step.Title)
	}
	v.blank()
	v.markdown("## " + title + "\n\n" + v.step.Narration)
}

func (v *View) stepEnded(e event.StepEnded) {
	v.asked = nil
	v.reminder.Stop()
	v.news()
	name := "step done"
	switch {
	case e.Error != "" || v.step.Restored || e.Away:
		return // who ends the run tells what went wrong, and the board where they are now
	case v.step.Replayed:
		v.say(v.worded("replayed"), v.number(), e.Seconds)
		return
	case !e.Passed:
		name = "step left"
	case e.Skipped:
		name = "step skipped"
	}
	v.blank()
	v.say(v.worded(name), v.number())
}

// news tells a student who sits at a console in this terminal that there is something
// new.
func (v *View) news() {
	if v.done != nil {
		close(v.done)
		v.done = nil
	}
}

func (v *View) instructed(e event.Instructed) {
	v.asked, v.hinted = &e, nil
	v.reminder.Reset(remindAfter)
	if e.Known && e.Verb != stay {
		return
	}
	if !e.Retold {
		v.news()
	}
	v.show(e)
}

// stay is what is asked for when all is done: nothing.
const stay = "stay"

// show shows an instruction.
func (v *View) show(e event.Instructed) {
	if e.Say == "" {
		return
	}
	v.blank()
	say := e.Say
	if e.Verb == "boot" {
		how := "do boot how"
		if v.options.Panes {
			how = "do boot tmux"
		}
		say += " " + v.dialogue.Say(how, e.Console)
	}
	if e.Verb == "sure" {
		say = v.dialogue.Sentences(say, v.dialogue.Say("yes or no"))
	}
	if e.Goal == "" {
		v.paragraph("> " + say)
	} else {
		v.screen.write("> " + markdown.Terminal(labelled(say, e.Goal), v.width()-2, v.options.Color) + "\n")
	}
	if e.Block != "" {
		v.block(e.Block)
	}
	if e.Question {
		v.block(v.choices(e))
	}
	if e.Verb != "boot" { // which says how
		v.whereTo(e)
	}
}

// whereTo says how a console is opened that an instruction is about, if none is.
func (v *View) whereTo(e event.Instructed) {
	if e.Console != "" && !v.options.Panes && v.options.Machines.Viewers(e.Console) == 0 {
		v.say("no console", e.Console, e.Console, e.Console)
	}
}

// choices are how a question is answered.
func (v *View) choices(e event.Instructed) string {
	if len(e.Choices) == 0 {
		return v.dialogue.Say("do open")
	}
	var lines []string
	for n, choice := range e.Choices {
		lines = append(lines, fmt.Sprintf("%d. %s", n+1, choice))
	}
	return strings.Join(append(lines, v.dialogue.Say("do choose")), "\n")
}

func (v *View) tellHint(e event.Hinted) {
	if v.asked == nil || v.asked.Goal == "" {
		v.say("hint", e.Level, e.Of, e.Text)
		if v.asked != nil && !v.asked.Question {
			v.whereTo(*v.asked)
		}
		return
	}
	label := strings.TrimSpace(v.dialogue.Say("hint", e.Level, e.Of, ""))
	v.markdown(labelled(label, e.Text))
}

// blockMark is what a line begins with that is no paragraph's.
var blockMark = regexp.MustCompile("^(    |\t| {0,3}([-*+] |#+ |>|\\d+[.)] |```|~~~))")

// labelled is a label with Markdown after it: a paragraph goes on in its line, a list
// or code begins below.
func labelled(label, text string) string {
	if blockMark.MatchString(text) {
		return label + "\n\n" + text
	}
	return label + " " + text
}

func (v *View) helped(e event.Helped) {
	switch e.Word {
	case "do":
		v.say("doing")
	case "skip":
		v.say("skipping")
	case "restart":
		v.say("restarting", e.With)
	}
}

func (v *View) missed(e event.Missed) {
	d, reason := v.dialogue, e.Reason
	if e.Again && v.at == v.screen.count() { // it stands right above
		reason = d.Say("same")
	}
	if strings.Contains(reason, "\n") { // a check's parts, a line each
		v.paragraph(d.Say("not yet", reason))
		v.paragraph(d.Say("not yet hint"))
	} else {
		v.paragraph(d.Sentences(d.Say("not yet", reason), d.Say("not yet hint")))
	}
	v.at = v.screen.count()
}

func (v *View) completed(e event.Completed) {
	v.blank()
	switch {
	case e.Done == 1 && e.Of == 1:
		v.say("complete one")
	case e.Done == e.Of:
		v.say("complete", e.Done)
	default:
		v.say("complete some", e.Done, e.Of)
	}
	var helped []string
	for _, index := range e.Helped {
		helped = append(helped, fmt.Sprint(index))
	}
	switch len(helped) {
	case 0:
	case 1:
		v.say("complete help one", helped[0], v.dialogue.Mission())
	default:
		v.say("complete help", strings.Join(helped, ", "), v.dialogue.Mission())
	}
}

// remind tells a student who says nothing what they can say.
func (v *View) remind() {
	asked := v.dialogue.Snapshot().Asked
	v.mu.Lock()
	defer v.mu.Unlock()
	if asked != nil && asked.Verb != stay && asked.Verb != "board" && asked.Verb != "sure" {
		v.say("still")
	}
}
