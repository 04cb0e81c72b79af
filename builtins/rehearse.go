package builtins

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/lab"
)

// A Rehearsal is the actor of one playing of a step for `labrun test`: as labrun plays it,
// but perhaps with one instruction done in another way. The step is only played up to
// where that has shown its effect.
type Rehearsal struct {
	// Target is the instruction that is done otherwise, counted from 0 in the order
	// in which the step comes to them; negative: none.
	Target int
	// Lines are typed for it. None: Enter is pressed.
	Lines []string
	// Wrong is which of a task's wrong answers is done instead of typing lines, counted from 1;
	// 0: none. Where it is a function, each lab has its own.
	Wrong int
	// Reason is why a wrong answer must fail; empty: for any reason.
	Reason string
	// Solves says that the lines are to solve a task, which may take a moment.
	Solves bool
	// Until is the check whose outcome is asked for, by its place in the target's
	// Checks; negative: any that fails, up to the next send to the same console. A
	// task has one check of its own.
	Until int
	// Patience bounds each wait once the target was done otherwise; 0: as the step
	// says.
	Patience time.Duration

	// From is what an earlier playing of the step did before the state that the lab is in now;
	// nil: it is the state in which the step begins.
	From *Passed
	// Save is called when the step has come to a task, and not only begun, and a later playing
	// can go on from there, if it keeps the lab as it is. It may be nil.
	Save func(*Passed, Instruction) error

	// Idle reports whether nothing runs on the machines that could still change what a check
	// looks at, so that one look at a wrong answer is enough. It may be nil: that is not known.
	Idle func(context.Context) bool

	Instructions []Instruction // those that the step came to, up to its end

	journal []recorded
	bound   bool           // what the step knows holds in this lab alone: see hostKept
	last    map[string]int // the last instruction at each console
	altered bool
	typed   *console.Console // where the target's lines were typed; nil: they were not
	heard   []string         // what the console said to each of them but the last
	mark    console.Mark     // if a function did it instead: where the console's text ended before
}

// Instruction is a send or a task that a step came to.
type Instruction struct {
	Task     bool // with a goal; else it is a line to type
	Position syntax.Position
	Console  string
	Text     string // the line, or the task's goal
	Checks   []RehearsedCheck
	Solved   bool          // a task's goal was reached before anything was done for it; looked at where nothing is done otherwise
	Solution string        // a task's, if it is typed
	Hints    []string      // a task's
	Wrong    []WrongAnswer // a task's
}

// Typed is what labrun types for it by itself.
func (i Instruction) Typed() string {
	if i.Task {
		return i.Solution
	}
	return i.Text
}

// RehearsedCheck is a check of what an instruction led to. It belongs to the last
// instruction at its console; if it is about a value, to the last one at all.
type RehearsedCheck struct {
	Builtin  string
	Position syntax.Position
	Console  string // empty: it is about a value
	Hint     string
}

// Rehearsed is the error with which a rehearsal's step ends once its target has
// shown its effect.
type Rehearsed struct {
	Held    bool     // what was looked at held
	Refusal *Refusal // if it did not: by which check
	Hint    string   // and what the student is told; empty: nothing of the lab's own
	Stated  bool     // it was refused for the reason that the answer has, if it has one
	Ending  Ending   // of a wrong answer: how far it came by then
	Asked   string   // by what is asking
}

// Ending is how what was typed at a console came to its end.
type Ending int

// The endings.
const (
	Ended   Ending = iota // a prompt is back
	Asking                // it asks something, and nobody answers
	Working               // it is still at work, after all the time that there was
)

func (e *Rehearsed) Error() string { return "rehearsed" }

// Reached reports whether the step came to the target.
func (r *Rehearsal) Reached() bool { return r.altered }

// Said is what the console has said since the target's lines were typed, without them, its
// prompts and its noise.
func (r *Rehearsal) Said() string {
	if r.typed == nil {
		return ""
	}
	if r.mark > 0 {
		return strings.Trim(r.typed.Since(r.mark), "\n")
	}
	var said []string
	for _, text := range append(slices.Clone(r.heard), r.typed.Output()) {
		if text = strings.Trim(text, "\n"); strings.TrimSpace(text) != "" {
			said = append(said, text)
		}
	}
	return strings.Join(said, "\n")
}

// do plays what a step does: an instruction in its own way, a check so that the trial
// learns of it, and everything else as always.
func (r *Rehearsal) do(c *call) (value starlark.Value, err error) {
	if value, known, err := r.recall(c.entry); known || err != nil {
		return value, err
	}
	c.rehearsal = r
	switch {
	case c.played(): // no student does it, or does it in another way
	case c.entry.try != nil:
		value, err = c.entry.try(c)
	case c.checksWhatWasTyped():
		value, err = c.tryCheck()
	default:
		value, err = c.entry.call(c)
	}
	if err == nil {
		r.journal = append(r.journal, recorded{name: c.entry.Name, value: duplicate(value)})
		r.bound = r.bound || c.entry.hostKept()
	}
	return value, err
}

// checksWhatWasTyped reports whether the call fails if what was typed before it was not
// right. What asks the reader looks at no console.
func (c *call) checksWhatWasTyped() bool {
	e := c.entry
	return e.Effect.Has(Checks) || e.Demands != "" && !e.Effect.Has(Tells) && c.given(e.Demands)
}

// came notes an instruction, and reports whether it is the one to do otherwise.
func (r *Rehearsal) came(i Instruction) (target bool, ended error) {
	if r.altered && r.Instructions[r.Target].Console == i.Console {
		return false, &Rehearsed{Held: true} // all checks up to here have passed
	}
	if r.last == nil {
		r.last = map[string]int{}
	}
	if i.Task && r.Save != nil && !r.bound && len(r.journal) > 0 {
		if err := r.Save(r.passed(), i); err != nil {
			return false, err
		}
	}
	r.last[i.Console] = len(r.Instructions)
	r.Instructions = append(r.Instructions, i)
	r.altered = r.altered || len(r.Instructions)-1 == r.Target
	return len(r.Instructions)-1 == r.Target, nil
}

// checked notes a check, and reports whether it is the one whose outcome is asked
// for.
func (r *Rehearsal) checked(check RehearsedCheck) (asked bool) {
	index, known := r.last[check.Console]
	if check.Console == "" {
		index, known = len(r.Instructions)-1, len(r.Instructions) > 0
	}
	if !known {
		return false
	}
	i := &r.Instructions[index]
	i.Checks = append(i.Checks, check)
	return r.altered && index == r.Target && r.Until == len(i.Checks)-1
}

// subject is the console that a check is about; empty if it is about a value.
func (c *call) subject() string {
	if t := c.about(); t != nil {
		return t.name()
	}
	return ""
}

// tryCheck plays a check of a step: its failure ends the step as always.
func (c *call) tryCheck() (starlark.Value, error) {
	asked := c.rehearsal.checked(
		RehearsedCheck{Builtin: c.entry.Name, Position: c.position(), Console: c.subject(), Hint: c.hint()},
	)
	value, err := c.entry.call(c)
	if asked && err == nil {
		return nil, &Rehearsed{Held: true}
	}
	return value, err
}

// position is where the script calls the builtin; none if it does not.
func (c *call) position() syntax.Position {
	if c.thread.CallStackDepth() < 2 {
		return syntax.Position{}
	}
	return c.thread.CallFrame(1).Pos
}

func trySend(c *call) (starlark.Value, error) {
	if !c.boolean("enter") {
		return send(c) // it is part of a line
	}
	on, r := c.talker("on"), c.rehearsal
	target, ended := r.came(Instruction{Position: c.position(), Console: on.name(), Text: c.text("text")})
	if ended != nil {
		return nil, ended
	}
	if !target {
		return send(c)
	}
	lines := r.Lines
	if len(lines) == 0 {
		lines = []string{""}
	}
	_, err := c.typeLines(c.ctx, on, lines)
	return nil, err
}

// lineTime is how long a command may take before the next line is typed all the
// same: a program may read without asking.
const lineTime = 5 * time.Second

// finish waits for what was typed last, within lineTime.
func (c *call) finish(ctx context.Context, terminal *console.Console) error {
	waiting, cancel := context.WithTimeout(ctx, lineTime)
	defer cancel()
	if err := terminal.Ready(waiting); err != nil && waiting.Err() == nil {
		return err // the machine is dead
	}
	return ctx.Err()
}

// typeLines types the target's lines as a student does: the next line when the console
// waits again, or has nothing more to say.
func (c *call) typeLines(ctx context.Context, on talker, lines []string) (*console.Console, error) {
	terminal, err := on.console(c.Session)
	if err != nil {
		return nil, err
	}
	for i, line := range lines {
		if i > 0 {
			if err := c.finish(ctx, terminal); err != nil {
				return nil, err
			}
			c.rehearsal.heard = append(c.rehearsal.heard, terminal.Output())
		}
		c.acted(on.name(), line)
		if err := terminal.Type(ctx, line+"\n"); err != nil {
			return nil, err
		}
		c.rehearsal.typed = terminal
	}
	return terminal, nil
}

// mistake is the wrong answer that is to be done, if it is a function.
func (c *call) mistake() starlark.Value {
	if n := c.rehearsal.Wrong; n > 0 {
		if function := c.answers("wrong")[n-1].Function; function != nil {
			return function
		}
	}
	return nil
}

const (
	// A wrong answer is looked at again: guided mode looks again and again, and what
	// holds later would have passed.
	secondLook = time.Second
	// What was typed may take so long before it shows on a console again; a question
	// that stands there for so long is one.
	slowEffect = 10 * time.Second
)

// ending waits until what was typed last has come to its end, or cannot.
func (c *call) ending(ctx context.Context, terminal *console.Console) (Ending, error) {
	for {
		slice, cancel := context.WithTimeout(ctx, secondLook)
		err := terminal.Finished(slice)
		over := slice.Err() != nil
		cancel()
		switch {
		case err == nil && terminal.Waiting() == console.PasswordPrompt:
			return Asking, nil
		case err == nil:
			return Ended, nil
		case c.ctx.Err() != nil:
			return Ended, context.Cause(c.ctx)
		case !over:
			return Ended, err // the machine is dead
		case terminal.Asks() && (ctx.Err() != nil || time.Since(terminal.LastByte()) > slowEffect):
			return Asking, nil
		case ctx.Err() != nil:
			return Working, nil
		}
	}
}

func tryTask(c *call) (starlark.Value, error) {
	if m, ok := c.ownMachine(); ok {
		return tryKernelTask(c, m)
	}
	on, r := c.talker("on"), c.rehearsal
	i := Instruction{
		Task: true, Position: c.position(), Console: on.name(), Text: c.text("prompt"), Wrong: c.answers("wrong"),
	}
	for _, hint := range c.texts("hints") {
		i.Hints = append(i.Hints, c.translate(hint))
	}
	if solution, ok := c.args["solution"].(starlark.String); ok {
		i.Solution = string(solution)
	}
	if _, err := on.waitPrompt(c.ctx, c.Session); err != nil && !errors.Is(err, lab.ErrNoPrompts) {
		return nil, err
	}
	if r.Target < 0 { // else that is known
		before, _, err := c.look(c.ctx)
		if err != nil {
			return nil, err
		}
		i.Solved = before == nil
	}
	target, ended := r.came(i)
	if ended != nil {
		return nil, ended
	}
	if !target {
		return doTask(c)
	}
	ctx, cancel := c.within()
	defer cancel()
	var lines []string
	for _, answer := range r.Lines {
		for line := range strings.Lines(answer) {
			lines = append(lines, strings.TrimRight(line, "\r\n"))
		}
	}
	var terminal *console.Console
	var err error
	if mistake := c.mistake(); mistake != nil {
		if terminal, err = on.console(c.Session); err == nil {
			r.typed, r.mark = terminal, terminal.Mark()
			_, err = c.aside(ctx, labrun{}, mistake)
		}
	} else {
		terminal, err = c.typeLines(ctx, on, lines)
	}
	if err != nil {
		return nil, err
	}
	end := Ended
	if r.Solves { // it may well go on, if only it reaches the goal
		err = c.finish(ctx, terminal)
	} else if end, err = c.ending(ctx, terminal); end != Ended {
		ctx = c.ctx // its time is up, and it is looked at all the same
	}
	if err != nil {
		return nil, err
	}
	asked := ""
	if end == Asking { // its output leaves out a password's prompt, which is the question
		asked = terminal.Tail(1)
	}
	failure, err := c.lookAgain(ctx)
	switch {
	case err != nil:
		return nil, err
	case failure == nil:
		return nil, &Rehearsed{Held: true}
	}
	ended = c.refuse(failure, end)
	var refused *Rehearsed
	if errors.As(ended, &refused) {
		refused.Asked = strings.TrimSpace(asked)
	}
	return nil, ended
}

// lookAgain makes a task's check, and again while it might still come to hold: after a
// wrong answer for a moment, and after lines that are to solve the task until nothing
// happens on any console any more, at most for the task's time-out.
func (c *call) lookAgain(ctx context.Context) (failure *CheckError, err error) {
	patience := secondLook
	if c.rehearsal.Solves {
		patience = slowEffect
	}
	news := time.Now()
	for {
		began := time.Now()
		now, _, err := c.look(ctx)
		if err != nil || now == nil {
			return now, err
		}
		if failure == nil || ctx.Err() == nil { // else this look was cut short: the one before it tells more
			failure = now
		}
		switch printed := c.lastPrinted(); {
		case now.restarting:
			news = time.Now()
		case c.rehearsal.Solves && printed.After(news):
			news = printed
		}
		if r := c.rehearsal; !r.Solves && r.Idle != nil && r.Idle(ctx) {
			return failure, nil
		}
		if began.After(news.Add(patience)) || host.Sleep(ctx, secondLook) != nil {
			return failure, nil
		}
	}
}

// lastPrinted is when any console last printed anything.
func (c *call) lastPrinted() (last time.Time) {
	for _, s := range c.lab.Stations() {
		if terminal, err := s.Console(); err == nil && terminal.LastByte().After(last) {
			last = terminal.LastByte()
		}
	}
	return last
}
