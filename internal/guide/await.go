package guide

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/markdown"
)

// Instruction is one thing that the student should do.
type Instruction struct {
	Verb    string // the builtin it comes from
	Words   string // what that asks for, for the records; empty: Verb says it
	Console string // the machine it is about; empty: none
	Text    string // what to type, if it is that
	Show    string // what to do, in words
	Goal    string // in Markdown, what Show announces; then Hints are Markdown, too
	Block   string // lines to be shown as they are, below it
	Hints   []string
	Delay   time.Duration // it is shown only if it is not done by then
	Known   bool          // it was shown before, as another instruction's part

	// What else the student may say.
	Answer func(line string) (done bool) // takes a line that is no word of the guide's
	Solve  bool                          // labrun can do it: the words do and skip
	Agree  bool                          // the word ok
	Leave  bool                          // the word next
	Check  func()                        // the word check; nil and not Again: shows the instruction again
	Again  bool                          // the word check ends the wait
	Over   bool                          // there is nothing left to do: only looking around, and quit
}

// Outcome is how an instruction ended.
type Outcome int

// The ways in which it can end.
const (
	ByStudent Outcome = iota
	ByLabrun          // it is not done: the student wants labrun to do it
	Agreed            // the student says that it is done
)

// reminder is after how long without a word the student is told what is possible.
const reminder = 90 * time.Second

// Await shows an instruction and waits until watch returns, answering the
// student meanwhile. Watch's error ends the wait and is returned; its context ends
// when the wait does, and it must then return soon. What a student decides
// otherwise is an Outcome, or one of ErrQuit, ErrRedo, ErrRetry and ErrLeave.
func (g *Guide) Await(ctx context.Context, i Instruction, watch func(context.Context) error) (Outcome, error) {
	if g.taking && i.Solve {
		return ByLabrun, nil
	}
	w := &wait{Guide: g, Instruction: i, ctx: ctx, done: make(chan struct{})}
	watching, cancel := context.WithCancel(ctx)
	go func() {
		defer close(w.done)
		w.err = watch(watching)
	}()
	outcome, err := w.serve()
	cancel()
	<-w.done
	return outcome, err
}

// wait is one Await under way.
type wait struct {
	*Guide
	Instruction
	ctx   context.Context
	done  chan struct{} // closed when watch has returned
	err   error         // watch's; set before done is closed
	shown bool
	level int // hints given

	over    bool
	outcome Outcome
	failure error
}

func (w *wait) serve() (Outcome, error) {
	show, remind := time.NewTimer(w.Delay), time.NewTimer(w.Delay+reminder)
	defer show.Stop()
	defer remind.Stop()
	for !w.over {
		// What was said while nobody listened comes first, but what is done
		// already need not be asked for.
		select {
		case <-w.done:
			return ByStudent, w.ended()
		default:
		}
		if line, ok := w.input.line(); ok {
			w.hear(line)
			continue
		}
		select {
		case <-w.done:
			return ByStudent, w.ended()
		case <-w.ctx.Done():
			return ByStudent, context.Cause(w.ctx)
		case chunk, ok := <-w.input.chunks:
			if !ok {
				w.say("terminal lost")
				return ByStudent, ErrQuit
			}
			w.input.pending = append(w.input.pending, chunk...)
			remind.Reset(reminder)
		case <-show.C:
			if w.Known {
				continue
			}
			w.show()
			w.options.Events.Emit(event.Instructed{Console: w.Console, Verb: w.Verb, Words: w.Words, Text: w.Text})
		case <-remind.C:
			if !w.Over {
				w.say("still")
			}
		}
	}
	return w.outcome, w.failure
}

func (w *wait) ended() error {
	if w.err != nil && w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	return w.err
}

func (w *wait) end(outcome Outcome, err error) { w.over, w.outcome, w.failure = true, outcome, err }

func (w *wait) show() {
	if w.Show == "" {
		return
	}
	w.shown = true
	w.blank()
	if w.Goal == "" {
		w.Note("> " + w.Show)
	} else {
		w.screen.write("> " + markdown.Terminal(labelled(w.Show, w.Goal), w.width()-2, w.options.Color) + "\n")
	}
	if w.Block != "" {
		w.block(w.Block)
	}
	if w.Console != "" && !w.options.Panes && w.Verb != "boot" && w.options.Machines.Viewers(w.Console) == 0 {
		w.say("no console", w.Console, w.Console, w.Console)
	}
}

// Trouble tells the student what has gone wrong and waits for what they say to do:
// nil to try again, or one of Await's errors. Leave offers to go on without.
func (g *Guide) Trouble(ctx context.Context, text string, leave bool) error {
	g.taking = false
	if leave {
		text = g.sentences(text, g.Say("next hint"))
	}
	_, err := g.Await(ctx, Instruction{Verb: "trouble", Show: text, Leave: leave, Again: true}, func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	})
	return err
}

// Stay leaves the machines to the student, who looks around until they say that they are
// done.
func (g *Guide) Stay(ctx context.Context) {
	i := Instruction{Verb: "stay", Show: g.Say("stay", strings.Join(g.options.Machines.Names(), ", ")), Known: true, Over: true}
	g.blank()
	g.Note("> " + i.Show)
	for err := ErrRetry; errors.Is(err, ErrRetry); { // a machine was started anew
		_, err = g.Await(ctx, i, func(ctx context.Context) error { <-ctx.Done(); return nil })
	}
}

// NotYet tells the student why a check does not hold, and waits until watch
// returns or the student asks, which means that it is worth another look. Watch
// reports whether the student did anything; then the reason is told anew.
func (g *Guide) NotYet(ctx context.Context, reason string, watch func(context.Context) (active bool, err error)) (active bool, err error) {
	g.Missed(fmt.Sprintf("try %d: %s", g.tries, reason), reason)
	i := Instruction{Verb: "check", Text: reason, Show: g.Say("not yet", reason), Known: true, Leave: true, Again: true, Hints: []string{g.Say("hint text"), reason}}
	watched := false
	_, err = g.Await(ctx, i, func(ctx context.Context) (err error) {
		active, err = watch(ctx)
		watched = err == nil
		return err
	})
	if active = active || !watched; active {
		g.tries++
	}
	return active, err
}

// words are what the student can say, with their short forms and their Chinese ones.
var words = map[string][]string{
	"help": {"?", "求助", "說明"}, "hint": {"h", "提示"}, "do": {"d", "幫我做", "代做"}, "skip": {"s", "跳過"},
	"text": {"t", "說明文字", "課文"}, "check": {"c", "檢查", "retry"}, "redo": {"重做"}, "steps": {"步驟"},
	"console": {"attach", "主控台"}, "restart": {"重新啟動"}, "quit": {"q", "exit", "離開"}, "ok": {"好"}, "next": {"下一步"},
}

// word tells which word of the guide's a line is, and what follows it.
func word(line string) (name, rest string) {
	first, rest, _ := strings.Cut(line, " ")
	first, rest = strings.ToLower(first), strings.TrimSpace(rest)
	for name, others := range words {
		takesName := name == "console" || name == "restart"
		for _, spelling := range append([]string{name}, others...) {
			if first == spelling && (rest == "" || takesName) {
				return name, rest
			}
		}
	}
	return "", ""
}

// hear acts on a line that the student said.
func (w *wait) hear(line string) {
	name, rest := word(line)
	if name == "ok" && !w.Agree && w.Answer != nil {
		name = "" // it may well be an answer
	}
	if w.Answer != nil && (name == "" && line != "" || line == "" && w.shown) {
		if w.Answer(strings.TrimLeft(line, `"「`)) {
			w.end(ByStudent, nil)
		}
		return
	}
	if w.Over && slices.Contains([]string{"hint", "do", "skip", "check", "redo", "ok", "next"}, name) {
		w.show()
		return
	}
	switch name {
	case "help":
		w.screen.write(w.Say("help") + "\n")
	case "hint":
		w.hint()
	case "do", "skip":
		w.solve(name)
	case "text":
		w.ShowText()
		w.show()
	case "check":
		switch {
		case w.Again:
			w.end(ByStudent, nil)
		case w.Check != nil:
			w.Check()
		default:
			w.show()
		}
	case "redo":
		w.helped("redo", "")
		w.end(ByStudent, ErrRedo)
	case "steps":
		w.list()
	case "console":
		w.console(rest)
	case "restart":
		w.restart(rest)
	case "quit":
		w.end(ByStudent, ErrQuit)
	case "ok":
		if !w.Agree {
			w.say("nothing to say ok")
			break
		}
		w.end(Agreed, nil)
	case "next":
		if !w.Leave {
			w.say("unknown word", line)
			break
		}
		w.end(ByStudent, ErrLeave)
	default:
		if line != "" {
			w.say("unknown word", line)
			break
		}
		w.show()
	}
}

func (w *wait) helped(word, with string) {
	w.record.Helped++
	w.options.Events.Emit(event.Helped{Word: word, With: with})
}

func (w *wait) solve(word string) {
	switch {
	case !w.Solve && word == "skip" && w.Leave:
		w.end(ByStudent, ErrLeave)
		return
	case !w.Solve:
		w.say("cannot do")
		return
	}
	w.helped(word, strings.TrimSpace(w.Verb+" "+w.Text))
	if word == "skip" {
		w.taking = true
		w.say("skipping")
	} else {
		w.say("doing")
	}
	w.end(ByLabrun, nil)
}

// hint gives the instruction's next hint; the last one is the whole answer.
func (w *wait) hint() {
	of := len(w.Hints)
	switch {
	case of == 0:
		w.say("no hint")
		return
	case w.level < of:
		w.level++
		w.tellHint(w.level)
		w.record.Hints++
		w.options.Events.Emit(event.Hinted{Level: w.level, Of: of, Text: w.Hints[w.level-1]})
		return
	}
	w.tellHint(of)
	w.say("last hint")
}

func (w *wait) tellHint(level int) {
	hint := w.Hints[level-1]
	if w.Goal == "" {
		w.say("hint", level, len(w.Hints), hint)
		return
	}
	label := strings.TrimSpace(w.Say("hint", level, len(w.Hints), ""))
	w.screen.write(markdown.Terminal(labelled(label, hint), w.width(), w.options.Color) + "\n")
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

// list shows all steps, and how they stand.
func (w *wait) list() {
	for n, step := range w.steps {
		state := "state ahead"
		if n < len(w.options.Progress.Steps) {
			state = "state " + string(w.options.Progress.Steps[n].State)
		}
		if n == w.at {
			state = "state here"
		}
		w.Note(fmt.Sprintf("%2d. %s (%s)", n+1, step.Title, w.Say(state)))
	}
}

// machine checks that a machine was named; with one machine it need not be.
func (w *wait) machine(name, ask string, args ...any) (string, bool) {
	names := w.options.Machines.Names()
	if name == "" && len(names) == 1 {
		return names[0], true
	}
	if name == "" && ask == "console what" && w.Console != "" {
		return w.Console, true
	}
	if name == "" {
		w.say(ask, args...)
		return "", false
	}
	if slices.Contains(names, name) {
		return name, true
	}
	w.say("unknown machine", name, strings.Join(names, ", "))
	return "", false
}

func (w *wait) console(name string) {
	names := w.options.Machines.Names()
	if len(names) == 0 {
		w.say("cannot do")
		return
	}
	name, ok := w.machine(name, "console what", names[0])
	if !ok {
		return
	}
	keys := w.input.keys()
	w.screen.hold()
	err := w.options.Machines.Open(w.ctx, name, keys, w.done, w.Say("console note"))
	keys.finish()
	w.screen.release()
	switch {
	case errors.Is(err, ErrNoTerminal):
		w.say("console pipe", name)
	case err != nil && w.ctx.Err() == nil:
		w.say("fail console", err, name)
	case err == nil:
		w.say("console back")
		w.show()
	}
}

func (w *wait) restart(name string) {
	name, ok := w.machine(name, "restart what", strings.Join(w.options.Machines.Names(), ", "))
	if !ok {
		return
	}
	w.helped("restart", name)
	w.say("restarting", name)
	if err := w.options.Machines.Restart(w.ctx, name); err != nil {
		w.say("fail restart", name, err, name)
		return
	}
	w.end(ByStudent, ErrRetry)
}
