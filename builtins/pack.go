package builtins

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/internal/pack"
)

func packs() []Entry {
	return []Entry{{
		Name:    "pack",
		Group:   "Declaring",
		Phase:   Declaring,
		Effect:  Declares,
		call:    declarePack,
		Result:  Texts,
		Returns: "list of strings: the names of the challenges",
		Params: []Param{
			{Name: "folder", Kind: Text, Doc: "beside the script, such as `\"./lab\"`"},
			{Name: "on", Kind: Entrance, Doc: "where the student sits: a machine, or one of its consoles"},
		},
		Summary: "make a folder of scripts the mission's next challenges",
		Detail: "The folder stays as its author wrote it: a folder for each challenge, with `check.sh`, `setup.sh`, `README.md`, `hints.md`, `answer.sh` and `wrong-*.sh`; " +
			"a scenario of Killercoda (`index.json`); or a track of Instruqt (`track.yml`), whose steps come in their order. " +
			"Its scripts run in the machine as root, and nothing of them is there while a student types. [packs.md](packs.md) tells what is read, and how.",
		Example: `pack("./lab", on = debian)`,
	}}
}

// Fault is something wrong with what a mission consists of besides its scripts, or worth
// knowing, and its place.
type Fault struct {
	Position syntax.Position
	Message  string
}

// FaultsError says what is wrong with files that a declaration reads.
type FaultsError struct{ Faults []Fault }

func (e *FaultsError) Error() string {
	var lines []string
	for _, f := range e.Faults {
		lines = append(lines, fmt.Sprintf("%s: %s", f.Position, f.Message))
	}
	return strings.Join(lines, "\n")
}

// packed is a pack that is being made steps of.
type packed struct {
	*Session
	on     talker
	in     *machine
	shown  string          // the mission's folder, as messages call it
	at     syntax.Position // of the call of pack
	folder string
	there  map[string]bool // folders in the machine that scripts were left in
}

func declarePack(c *call) (starlark.Value, error) {
	folder := c.text("folder")
	name := path.Clean(folder)
	if !strings.HasPrefix(folder, "./") {
		return nil, fmt.Errorf("pack: folder = %q: write it relative to the script: \"./%s\"", folder, path.Base(folder))
	}
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("pack: folder = %q: it is outside the mission's folder", folder)
	}
	in, err := machineOf(c.talker("on"))
	if err != nil {
		return nil, err
	}
	if c.Session.folder.Files == nil {
		return nil, errors.New("pack: this script is in no folder")
	}
	p := &packed{
		Session: c.Session, on: c.talker("on"), in: in, at: c.position(), folder: name,
		shown: path.Dir(c.position().Filename()),
	}
	read, err := pack.Read(c.Session.folder.Files, name)
	var wrong *pack.Error
	switch {
	case errors.As(err, &wrong):
		e := &FaultsError{}
		for _, f := range wrong.Faults {
			e.Faults = append(e.Faults, Fault{p.place(f.Place), f.Message})
		}
		return nil, e
	case err != nil:
		return nil, err
	}
	for _, n := range read.Notes {
		c.declared.Notes = append(c.declared.Notes, Fault{p.place(n.Place), n.Message})
	}
	return stringList(p.declare(read)), nil
}

// machineOf is the machine that a console belongs to.
func machineOf(t talker) (*machine, error) {
	switch t := t.(type) {
	case *machine:
		return t, nil
	case *seat:
		return t.of, nil
	}
	return nil, fmt.Errorf("pack: on = %s: want a machine, or one of its consoles", t)
}

// place is a place of the pack's as messages show it.
func (p *packed) place(at pack.Place) syntax.Position {
	file := path.Join(p.shown, at.File)
	column := 0
	if at.Line > 0 {
		column = 1
	}
	return syntax.MakePosition(&file, int32(at.Line), int32(column))
}

// declare makes steps of what was read, and returns the names of the challenges.
func (p *packed) declare(read *pack.Pack) (names []string) {
	first := len(p.declared.Steps) == 0
	if first || read.Intro.Narration != "" {
		p.page("beginning", read.Intro, func(thread *starlark.Thread) error {
			if err := p.do(thread, "boot", starlark.Tuple{p.in}); err != nil {
				return err
			}
			return p.do(thread, "login", starlark.Tuple{p.on})
		})
	}
	for _, c := range read.Challenges {
		names = append(names, c.Name)
		step := p.step(c.Text)
		step.Digest, step.Words = c.Digest, c.Words
		play := func(thread *starlark.Thread) error { return p.task(thread, c) }
		setup := func(thread *starlark.Thread) error { return p.setUp(thread, c) }
		if read.Ordered {
			step.Function = p.function(c.Name, c.At, func(thread *starlark.Thread) error {
				if err := setup(thread); err != nil {
					return err
				}
				return play(thread)
			})
		} else {
			step.Challenge = true
			step.Function = p.function(c.Name, c.At, play)
			if len(c.Setup) > 0 || c.Cleanup != nil {
				step.Setup = p.function("setup of "+c.Name, c.At, setup)
			}
		}
		p.declared.Steps = append(p.declared.Steps, step)
	}
	if read.Finish.Narration != "" {
		p.page("end", read.Finish, func(*starlark.Thread) error { return nil })
	}
	return names
}

// page declares a step whose text is all that there is to it, but for what is done first.
func (p *packed) page(name string, text pack.Text, do func(*starlark.Thread) error) {
	if text.Title == "" {
		text.Title = p.declared.Title
	}
	step := p.step(text)
	step.Digest = name // its text is in the declaration
	step.Function = p.function(name, pack.Place{File: p.folder}, do)
	p.declared.Steps = append(p.declared.Steps, step)
}

// step begins a step whose text comes from the pack.
func (p *packed) step(text pack.Text) Step {
	step := Step{Title: text.Title, Narration: text.Narration, Position: p.at, Told: map[string]Telling{}}
	for tag, t := range text.Told {
		step.Told[tag] = Telling{Title: t.Title, Narration: t.Narration}
	}
	return step
}

// A native is a function that no script has written.
type native struct {
	name string
	at   syntax.Position
	call func(*starlark.Thread) error
}

var _ starlark.Callable = (*native)(nil)

func (f *native) String() string            { return fmt.Sprintf("<function %s>", f.name) }
func (f *native) Type() string              { return "function" }
func (f *native) Freeze()                   {}
func (f *native) Truth() starlark.Bool      { return true }
func (f *native) Hash() (uint32, error)     { return starlark.String(f.name).Hash() }
func (f *native) Name() string              { return f.name }
func (f *native) Position() syntax.Position { return f.at }

// CallInternal implements starlark.Callable.
func (f *native) CallInternal(thread *starlark.Thread, _ starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	return starlark.None, f.call(thread)
}

// function makes a function that stands at a place of the pack's.
func (p *packed) function(name string, at pack.Place, do func(*starlark.Thread) error) *native {
	return &native{path.Base(p.folder) + "/" + name, p.place(at), do}
}

// do calls a builtin as a script does: whoever carries out what the thread says does it.
func (p *packed) do(thread *starlark.Thread, builtin string, args starlark.Tuple, named ...starlark.Tuple) error {
	i := slices.IndexFunc(Table(), func(e Entry) bool { return e.Name == builtin })
	return p.enter(thread, &Table()[i], args, named...)
}

// enter calls an entry, be it one that scripts know or one of the pack's own.
func (p *packed) enter(thread *starlark.Thread, e *Entry, args starlark.Tuple, named ...starlark.Tuple) error {
	_, err := starlark.Call(thread, starlark.NewBuiltin(e.Name, func(
		thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple,
	) (starlark.Value, error) {
		return p.invoke(thread, e, args, kwargs)
	}), args, named)
	return err
}

// How long a script of a pack's may take.
const (
	setUpTime  = 5 * time.Minute
	checkTime  = time.Minute
	answerTime = 2 * time.Minute
)

// setUp runs a challenge's set-up.
func (p *packed) setUp(thread *starlark.Thread, c pack.Challenge) error {
	return p.enter(thread, &Entry{Name: "setup", Phase: Acting, Effect: Changes | Runs, call: func(call *call) (starlark.Value, error) {
		if c.Cleanup != nil {
			if _, err := p.run(call.ctx, *c.Cleanup, setUpTime, false); err != nil {
				return nil, err
			}
		}
		for _, script := range c.Setup {
			v, err := p.run(call.ctx, script, setUpTime, false)
			if err != nil {
				return nil, err
			}
			if !v.Passed && !script.MayFail {
				return nil, fmt.Errorf("%s failed%s", script.Name, saying(v))
			}
		}
		return nil, nil
	}}, nil)
}

// saying is what a script printed, for an error.
func saying(v pack.Verdict) string {
	lines := append(v.Failing(), v.Said...)
	if len(lines) == 0 {
		return " and printed nothing"
	}
	return ":\n    " + strings.Join(lines, "\n    ")
}

// task has the challenge solved.
func (p *packed) task(thread *starlark.Thread, c pack.Challenge) error {
	if c.Check == nil {
		return nil // it is only read
	}
	goal := c.Goal
	if goal == "" {
		goal = c.Title
	}
	hints := c.Hints
	if _, trial := thread.Local(actorKey).(*Rehearsal); trial && !c.LastHintSolves() {
		hints = nil // nobody has said that what it shows is to be typed
	}
	var wrong []starlark.Value
	for _, w := range c.Wrong {
		typed := starlark.String(p.expand(typedAs(w.Lines)))
		if w.Printed {
			wrong = append(wrong, starlark.Tuple{typed, starlark.String(w.Why)})
		} else {
			wrong = append(wrong, typed)
		}
	}
	return p.do(thread, "task", nil,
		starlark.Tuple{starlark.String("on"), p.console(c)},
		starlark.Tuple{starlark.String("prompt"), starlark.String(goal)},
		starlark.Tuple{starlark.String("solution"), p.solution(c)},
		starlark.Tuple{starlark.String("check"), p.function("check of "+c.Name, pack.Place{File: c.Check.Name, Line: 1},
			func(thread *starlark.Thread) error { return p.check(thread, *c.Check) })},
		starlark.Tuple{starlark.String("hints"), stringList(hints)},
		starlark.Tuple{starlark.String("wrong"), starlark.NewList(wrong)},
		starlark.Tuple{starlark.String("timeout"), starlark.MakeInt(int(answerTime / time.Second))},
	)
}

// console is where a challenge is played: where its answer begins.
func (p *packed) console(c pack.Challenge) talker {
	if c.Answer == nil || len(c.Answer.Lines) == 0 {
		return p.on
	}
	return p.named(c.Answer.Lines[0].Console)
}

// named is the console of the machine that has a name; that of the pack if none has.
func (p *packed) named(name string) talker {
	for _, m := range p.declared.Machines {
		if m.Name != p.in.config.Name {
			continue
		}
		for _, config := range m.Consoles {
			if config.Name == name {
				return &seat{of: p.in, config: config}
			}
		}
	}
	return p.on
}

func typedAs(lines []pack.Line) string {
	var texts []string
	for _, l := range lines {
		texts = append(texts, l.Text)
	}
	return strings.Join(texts, "\n")
}

// solution is the challenge's answer as a task takes it.
func (p *packed) solution(c pack.Challenge) starlark.Value {
	switch a := c.Answer; {
	case a == nil:
		return p.function("answer of "+c.Name, c.At, func(*starlark.Thread) error {
			return fmt.Errorf("%s has no answer, so labrun cannot solve it", c.Name)
		})
	case a.Run != nil:
		return p.function("answer of "+c.Name, pack.Place{File: a.Name, Line: 1}, func(thread *starlark.Thread) error {
			return p.enter(thread, &Entry{Name: "answer", Phase: Acting, Effect: Changes | Runs, call: func(call *call) (starlark.Value, error) {
				_, err := p.run(call.ctx, *a.Run, answerTime, false) // whether it has done it, the check says
				return nil, err
			}}, nil)
		})
	case p.several(a.Lines):
		return p.function("answer of "+c.Name, pack.Place{File: a.Name, Line: 1}, func(thread *starlark.Thread) error {
			return p.enter(thread, &Entry{Name: "answer", Phase: Acting, Effect: Talks, call: func(call *call) (starlark.Value, error) {
				return nil, call.typeAt(p, a.Lines)
			}}, nil)
		})
	default:
		return starlark.String(p.expand(typedAs(a.Lines)))
	}
}

// several reports whether lines are typed at more than one console.
func (p *packed) several(lines []pack.Line) bool {
	return slices.ContainsFunc(lines, func(l pack.Line) bool { return p.named(l.Console).name() != p.named(lines[0].Console).name() })
}

// typeAt types lines, each at its console when that waits for input.
func (c *call) typeAt(p *packed, lines []pack.Line) error {
	for _, line := range lines {
		on := p.named(line.Console)
		terminal, err := on.console(c.Session)
		if err != nil {
			return err
		}
		if err := terminal.Ready(c.ctx); err != nil {
			return err
		}
		text := c.expand(line.Text)
		c.acted(on.name(), text)
		if err := terminal.Type(c.ctx, text+"\n"); err != nil {
			return err
		}
		if err := terminal.Finished(c.ctx); err != nil {
			return err
		}
	}
	return nil
}

// check runs a challenge's check and says what it found.
func (p *packed) check(thread *starlark.Thread, script pack.Script) error {
	return p.enter(thread, &Entry{Name: "check", Phase: Acting, Effect: Looks | Runs, call: func(call *call) (starlark.Value, error) {
		v, err := p.run(call.ctx, script, checkTime, true)
		switch {
		case err != nil:
			return nil, err
		case v.Passed:
			return nil, nil
		case v.Broken != "":
			return nil, fmt.Errorf("%s does not work: %s", script.Name, v.Broken)
		}
		failure := &CheckError{Builtin: script.Name, Message: "it ended as failed and printed nothing", Position: call.position()}
		told := v.Failing()
		if len(told) == 0 && !script.Quiet {
			told = v.Said
		}
		if len(told) > 0 {
			failure.Message = strings.Join(told, "; ")
		}
		for i, text := range told {
			told[i] = p.translate(text)
		}
		if failure.Hint = strings.Join(told, "; "); failure.Hint != "" {
			failure.told = func() string { return p.tell(v) }
		}
		return nil, failure
	}}, nil)
}

// tell is what a student is told of a check that failed, in their language: its parts, each
// in a line of its own, or else what it printed.
func (p *packed) tell(v pack.Verdict) string {
	if failing := v.Failing(); len(v.Parts) == 1 && len(failing) == 1 {
		return p.translate(failing[0])
	}
	if len(v.Failing()) == 0 {
		var lines []string
		for _, line := range v.Said {
			lines = append(lines, p.translate(line))
		}
		return strings.Join(lines, "\n")
	}
	text := ""
	for _, part := range v.Parts {
		mark := "✗"
		if part.Holds {
			mark = "✓"
		}
		text += "\n" + mark + " " + p.translate(part.Text)
	}
	return text
}

// run carries a script into the machine, runs it there, and takes it away again. One that is
// run again and again may stay, in a folder of root's, where nobody but labrun plays: carrying
// costs a machine without KVM as much as a short script does.
func (p *packed) run(ctx context.Context, script pack.Script, limit time.Duration, stays bool) (pack.Verdict, error) {
	guest := p.lab.Machine(p.in.config.Name)
	stays = stays && !p.lab.Interactive()
	box := fmt.Sprintf("/run/labrun-%d", time.Now().UnixNano())
	if stays {
		box = "/run/labrun-" + script.Digest()
	}
	errand := script.Carry(box, stays, p.variables()...)
	ctx, cancel := p.lab.Within(ctx, limit, overtime(limit))
	defer cancel()
	if stays && p.there[box] {
		result, err := guest.Run(ctx, errand.Again, limit)
		if err != nil {
			return pack.Verdict{}, fmt.Errorf("%s: %w", script.Name, err)
		}
		if result.Stdout != pack.Gone { // else the machine was started again, or restored
			return pack.Judge(result.Status, result.Stdout), nil
		}
	}
	if errand.Archive != nil {
		if err := guest.WriteFile(ctx, box+".tar", errand.Archive, 0o600); err != nil {
			return pack.Verdict{}, err
		}
	}
	result, err := guest.Run(ctx, errand.Command, limit)
	if err != nil {
		return pack.Verdict{}, fmt.Errorf("%s: %w", script.Name, err)
	}
	if p.there == nil {
		p.there = map[string]bool{}
	}
	p.there[box] = true
	return pack.Judge(result.Status, result.Stdout), nil
}
