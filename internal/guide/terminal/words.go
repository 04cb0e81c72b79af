package terminal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/markdown"
	"github.com/labrun/labrun/internal/phrase"
)

// Run takes the student's words until ctx ends or the terminal is gone, which is a word
// as well: quit.
func (v *View) Run(ctx context.Context) {
	ahead := true  // what comes next was said before what went before it was heard
	quits := false // the last word was quit, which may be under way yet
	for {
		if line, ok := v.input.line(); ok {
			name, _ := word(line)
			if quits = name == "quit"; quits && !ahead {
				v.dialogue.Command(ctx, guide.Command{Word: name}) // whatever labrun is at
			} else {
				v.hear(ctx, line)
			}
			ahead = true
			if ctx.Err() != nil {
				return
			}
			continue
		}
		select {
		case chunk, ok := <-v.input.chunks:
			if !ok {
				if _, err := v.dialogue.Asked(ctx); err == nil && !quits {
					v.say("terminal lost")
					v.dialogue.Command(ctx, guide.Command{Word: "quit"}) // which is taken everywhere
				}
				return
			}
			ahead = len(v.input.pending) > 0
			v.input.pending = append(v.input.pending, chunk...)
			v.heard()
		case <-ctx.Done():
			return
		}
	}
}

// heard begins the wait for a reminder anew.
func (v *View) heard() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.asked != nil {
		v.reminder.Reset(remindAfter)
	}
}

// named are the words that have a name behind them.
var named = []string{"console", "restart", "language", "goto", "reset"}

// placed are the words that are words only where they are taken: elsewhere they are whatever
// else a line may be.
var placed = []string{"next", "goto", "leave", "board", "reset", "yes", "no", "invite", "alone"}

// word tells which word a line is. What has more behind it than a word takes is none, and
// may well be an answer.
func word(line string) (name, rest string) {
	name, rest = phrase.Word(line)
	if rest != "" && !slices.Contains(named, name) || strings.Contains(rest, " ") {
		return "", ""
	}
	return name, rest
}

// toStep reports whether a word goes to a step by its number, which is refused with who may.
func toStep(name, rest string) bool {
	_, err := strconv.Atoi(rest)
	return name == "goto" && err == nil
}

// hear acts on a line that the student said. What it means depends on what is asked, so
// a line that was typed while labrun was at work waits until something is. So does a quit
// with other lines before it, as in a file: it is for when they have been heard.
func (v *View) hear(ctx context.Context, line string) {
	name, rest := word(line)
	if v.local(ctx, name, rest) {
		return
	}
	asked, err := v.dialogue.Asked(ctx)
	if err != nil {
		return
	}
	if slices.Contains(placed, name) && !slices.Contains(asked.May, name) && (asked.Question || !toStep(name, rest)) {
		name = ""
	}
	command := guide.Command{Word: name, Text: rest, For: asked.Number}
	switch {
	case asked.Question && (name == "" && line != "" || line == "" || name == "ok"): // "ok" may well be an answer
		command.Word, command.Text = "answer", strings.TrimLeft(line, `"「`)
	case line == "":
		v.again(asked)
		return
	case name == "":
		v.say("unknown word", line)
		return
	case !slices.Contains(asked.May, name) && (name == "check" || asked.Verb == stay):
		v.again(asked)
		return
	}
	var refused *guide.Refusal
	switch err := v.dialogue.Command(ctx, command); {
	case errors.Is(err, guide.ErrOver): // something else is asked by now
		v.hear(ctx, line)
	case errors.As(err, &refused):
		v.refused(command.Word, refused)
	}
}

// local answers words that are the terminal's own.
func (v *View) local(ctx context.Context, name, rest string) bool {
	switch name {
	case "help":
		v.screen.write(v.dialogue.Say("help") + "\n")
	case "text":
		v.mu.Lock()
		v.narrate()
		v.mu.Unlock()
		if asked := v.dialogue.Snapshot().Asked; asked != nil {
			v.again(*asked)
		}
	case "steps":
		for n, step := range v.dialogue.Snapshot().Steps {
			state := v.dialogue.Say("state " + string(step.State))
			v.paragraph(fmt.Sprintf("%2d. %s (%s)", n+1, step.Title, state))
		}
	case "console":
		v.console(ctx, rest)
	case "language":
		v.language(ctx, rest)
	default:
		return false
	}
	return true
}

// language has all told in another language, which need not wait until something is asked.
func (v *View) language(ctx context.Context, tag string) {
	var refused *guide.Refusal
	if errors.As(v.dialogue.Command(ctx, guide.Command{Word: "language", Text: tag}), &refused) {
		v.paragraph(refused.Text)
	}
}

// again shows what is asked for once more.
func (v *View) again(asked event.Instructed) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.show(asked)
}

func (v *View) refused(word string, r *guide.Refusal) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if word == "hint" && v.hinted != nil { // it was the last one: here it is again
		v.tellHint(*v.hinted)
	}
	v.paragraph(r.Text)
}

// machine finds the console that is meant; where there is only one it need not be
// named, nor where what is asked for is about one.
func (v *View) machine(name string) (string, bool) {
	names := v.options.Machines.Consoles()
	v.mu.Lock()
	if name == "" && v.asked != nil {
		name = v.asked.Console
	}
	v.mu.Unlock()
	switch {
	case len(names) == 0:
		v.say("cannot do")
	case name == "" && len(names) == 1:
		return names[0], true
	case name == "":
		v.say("console what", names[0])
	case slices.Contains(names, name):
		return name, true
	default:
		v.say("unknown machine", name, strings.Join(names, ", "))
	}
	return "", false
}

// console sits the student at a machine's console in this terminal.
func (v *View) console(ctx context.Context, name string) {
	name, ok := v.machine(name)
	if !ok {
		return
	}
	v.mu.Lock()
	before, done := v.asked, make(chan struct{})
	v.done = done
	v.mu.Unlock()
	keys := v.input.keys()
	v.screen.hold()
	err := v.options.Machines.Open(ctx, name, keys, done, v.dialogue.Say("console note"))
	keys.finish()
	if err == nil {
		v.screen.first(markdown.Wrap(v.dialogue.Say("console back"), v.width()) + "\n")
	}
	v.screen.release()
	v.mu.Lock()
	v.done = nil
	news := v.asked != before
	v.mu.Unlock()
	switch {
	case errors.Is(err, ErrNone):
		v.say("console pipe", name)
	case err != nil && ctx.Err() == nil:
		v.say("fail console", err, name)
	case err == nil && !news: // what is new was shown just now
		if asked := v.dialogue.Snapshot().Asked; asked != nil {
			v.again(*asked)
		}
	}
}
