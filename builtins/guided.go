package builtins

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/guide"
)

// A Student is the actor that does what the script says, led by a guide.
//
// A check that fails in guided mode does not end the step: the student tries
// again. A script cannot be stopped in its middle and resumed there, so the
// step's function is called once more from its beginning, and the journal
// answers all calls up to the last instruction as they were answered before:
// scripts are deterministic, so they arrive at the same place. From there on the
// calls are made anew, on what there is then. What passed stays passed: a check
// of a console that has held once is latched and does not ask the student for
// the same output again.
type Student struct {
	session  *Session
	dialogue *guide.Dialogue
	journal  []recorded
	calls    int // of the present run of the step's function

	latched map[int]string                 // by call: the output with which a console's check held
	checked map[int]bool                   // by call: how a check ended last
	said    map[int]bool                   // by call: what the script said already
	used    map[*console.Console]int       // the last line that an instruction or check has used
	pending map[*console.Console]*typedFor // the last send, as long as nothing has checked it
	seen    map[*console.Console]int       // the last line that Activity has told of
}

// recorded is a call that was answered.
type recorded struct {
	name        string
	value       starlark.Value
	instruction bool // the student did something for it
}

// typedFor is a line that a student entered at an instruction.
type typedFor struct {
	want string // as the script has it
	line console.Line
}

// Lead returns a student who acts in the session, led by a dialogue.
func (s *Session) Lead(d *guide.Dialogue) *Student {
	l := &Student{session: s, dialogue: d}
	l.BeginStep()
	return l
}

// do has the student do what is theirs to do. What is not, labrun does, once the
// student's own commands have ended.
func (l *Student) do(c *call) (starlark.Value, error) {
	if value, ok := l.replay(c.entry); ok {
		return value, nil
	}
	c.led = l
	answer := c.entry.lead
	if answer == nil || c.played() {
		c.letFinish()
		answer = c.entry.call
	}
	value, err := answer(c)
	if err == nil {
		l.keep(c.entry, value)
	}
	return value, err
}

// Renew has the student go on with the same mission in another session: its script was edited.
func (l *Student) Renew(s *Session) { l.session = s }

// BeginStep forgets what was answered to the step before, or to an earlier try of
// this one: lines that were entered until now do not count any more.
func (l *Student) BeginStep() {
	l.journal, l.calls = nil, 0
	l.latched, l.checked, l.said = map[int]string{}, map[int]bool{}, map[int]bool{}
	l.used, l.seen, l.pending = map[*console.Console]int{}, map[*console.Console]int{}, map[*console.Console]*typedFor{}
	for _, s := range l.session.lab.Stations() {
		if c, err := s.Console(); err == nil {
			l.used[c], l.seen[c] = c.LastLine().Number, c.LastLine().Number
		}
	}
}

// Rewind prepares for the step's function to be called once more: calls up to the
// last instruction are answered as before. Give makes that instruction anew, too:
// its machine has been started again.
func (l *Student) Rewind(give bool) {
	l.calls = 0
	kept := len(l.journal)
	for kept > 0 && !l.journal[kept-1].instruction {
		kept--
	}
	if give && kept > 0 {
		kept--
	}
	l.journal = l.journal[:kept]
}

// replay answers a call from the journal.
func (l *Student) replay(e *Entry) (starlark.Value, bool) {
	index := l.calls
	l.calls++
	if index >= len(l.journal) {
		return nil, false
	}
	if l.journal[index].name != e.Name { // the script took another way, which depends on time or chance
		l.journal = l.journal[:index]
		return nil, false
	}
	return duplicate(l.journal[index].value), true
}

// keep records how a call was answered.
func (l *Student) keep(e *Entry, value starlark.Value) {
	l.journal = append(l.journal, recorded{e.Name, duplicate(value), e.lead != nil})
}

// duplicate copies what a script could change.
func duplicate(v starlark.Value) starlark.Value {
	switch v := v.(type) {
	case *starlark.List:
		items := make([]starlark.Value, v.Len())
		for i := range items {
			items[i] = duplicate(v.Index(i))
		}
		return starlark.NewList(items)
	case *starlark.Dict:
		copied := starlark.NewDict(v.Len())
		for _, item := range v.Items() {
			copied.SetKey(item[0], duplicate(item[1])) // it was a key before
		}
		return copied
	case *starlarkstruct.Struct:
		fields := starlark.StringDict{}
		v.ToStringDict(fields)
		for name, field := range fields {
			fields[name] = duplicate(field)
		}
		return starlarkstruct.FromStringDict(v.Constructor(), fields)
	}
	return v
}

// student reports whether a student is to do what this call says.
func (c *call) student() bool { return c.led != nil && !c.led.dialogue.Taking() }

// instruct has the student do something; watch returns when it is done. It
// returns false if labrun is to do it.
func (c *call) instruct(i guide.Instruction, watch func(context.Context) error) (done bool, err error) {
	i.Verb, i.Words = c.entry.Name, c.entry.asks
	outcome, err := c.led.dialogue.Await(c.ctx, i, watch)
	return outcome != guide.ByLabrun, err
}

// phrase is one of labrun's phrases, in the student's language.
func (c *call) phrase(name string, args ...any) guide.Text {
	return c.led.dialogue.Phrase(name, args...)
}

// translation is a text of the script's, in the reader's language.
func (c *call) translation(text string) guide.Text {
	return func() string { return c.translate(text) }
}

func (c *call) translations(texts []string) (all []guide.Text) {
	for _, text := range texts {
		all = append(all, c.translation(text))
	}
	return all
}

// told is an argument that is told to the reader, in their language.
func (c *call) told(parameter string) guide.Text { return c.translation(c.text(parameter)) }

// commandTime is how long what a student has typed may take before labrun looks at
// its effects elsewhere than on its console.
const commandTime = 5 * time.Second

// letFinish waits for the commands that the student has just entered.
func (c *call) letFinish() {
	for terminal := range c.led.pending {
		ctx, cancel := context.WithTimeout(c.ctx, commandTime)
		terminal.Finished(ctx) // one that goes on is looked at as it is
		cancel()
	}
}

// counts reports whether a line answers an instruction that was given when the
// console was at a prompt of kind at: neither an empty line nor a login on the way
// does.
func counts(line console.Line, at console.PromptKind, want string) bool {
	if strings.TrimSpace(line.Text) == "" {
		return strings.TrimSpace(want) == ""
	}
	login := line.Prompt == console.LoginPrompt || line.Prompt == console.PasswordPrompt
	return !login || line.Prompt == at
}

// settle is called where nothing has checked what a student typed for a send:
// only the line itself can then tell whether it was right. Another way to do the
// same is for the student to judge.
func (c *call) settle(terminal *console.Console, name string) error {
	p := c.led.pending[terminal]
	if p == nil || !c.student() {
		return nil
	}
	delete(c.led.pending, terminal)
	if sameLine(p.want, p.line.Text) {
		return nil
	}
	i := guide.Instruction{
		Console: name, Text: p.want, Show: c.phrase("otherwise", p.line.Text, p.want), Agree: true, Solve: true,
		Hints: []guide.Text{c.phrase("hint send", name, p.want)},
	}
	if p.line.Prompt == console.PasswordPrompt {
		i.Show = c.phrase("otherwise password")
	}
	outcome, err := c.led.dialogue.Await(c.ctx, i, func(ctx context.Context) error {
		for line := p.line; !sameLine(p.want, line.Text); {
			var err error
			if line, err = awaitText(ctx, terminal, p.want, p.line.Prompt, line.Number); err != nil {
				return err
			}
		}
		return nil
	})
	c.led.used[terminal] = terminal.LastLine().Number
	if err == nil && outcome == guide.ByLabrun {
		return c.typeFor(terminal, p.want)
	}
	return err
}

// settled returns the console of an instruction, once what came before it there is
// settled.
func (c *call) settled(on talker) (*console.Console, error) {
	terminal, err := on.console(c.Session)
	if err != nil {
		return nil, err
	}
	return terminal, c.settle(terminal, on.name())
}

// sameLine compares what was typed with what the script says, as a reader would.
func sameLine(want, got string) bool {
	want, got = strings.Join(strings.Fields(want), " "), strings.Join(strings.Fields(got), " ")
	leaves := func(s string) bool { return s == "exit" || s == "logout" || s == "^D" }
	return want == got || leaves(want) && leaves(got)
}

// Settle is called at the end of a step: see settle.
func (l *Student) Settle(ctx context.Context) error {
	for _, s := range l.session.lab.Stations() {
		terminal, err := s.Console()
		if err != nil {
			continue
		}
		c := &call{Session: l.session, ctx: ctx, entry: &Entry{Name: "send"}, led: l}
		if err := c.settle(terminal, s.Name()); err != nil {
			return err
		}
	}
	return nil
}

// Activity returns when something has happened that may change the outcome of a
// check: a line was entered somewhere and what it started has ended, or the pause
// is over, because not everything is typed. It reports whether it was the former; a
// login counts when it has led to a shell.
// Lines that were entered since the last call count.
func (l *Student) Activity(ctx context.Context, pause time.Duration) (active bool, err error) {
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, pause)
	defer cancel()
	var moved atomic.Bool
	var watching sync.WaitGroup
	for _, s := range l.session.lab.Stations() {
		terminal, err := s.Console()
		if err != nil {
			continue
		}
		seen := l.seen[terminal]
		l.seen[terminal] = max(seen, terminal.LastLine().Number)
		watching.Go(func() {
			for {
				line, err := terminal.AwaitLine(ctx, seen)
				if err != nil {
					return
				}
				terminal.Finished(ctx) // if it does not end, the pause does
				if at := terminal.Waiting(); at == console.LoginPrompt || at == console.PasswordPrompt {
					seen = line.Number
					continue // a login is on its way
				}
				moved.Store(true)
				cancel()
				return
			}
		})
	}
	<-ctx.Done()
	watching.Wait()
	if whole.Err() != nil {
		return false, context.Cause(whole)
	}
	return moved.Load(), nil
}

// missOf tells what a student has tried from what they tried before.
func missOf(terminal *console.Console, line console.Line) string {
	return fmt.Sprintf("%p %d", terminal, line.Number)
}
