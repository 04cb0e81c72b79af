package mission

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/markdown"
)

// A Trial is one thing that Prove tries, and what came of it.
type Trial struct {
	Step     int     `json:"step"` // counted from 1
	Title    string  `json:"title"`
	Name     string  `json:"trial"`               // such as solved, or fails without `ip a`
	Position string  `json:"position"`            // of what is tried: file:line:column
	Seconds  float64 `json:"seconds"`             // that it took
	Failure  string  `json:"failure,omitempty"`   // what is wrong with the lab; empty: nothing
	Remedy   string  `json:"remedy,omitempty"`    // how to mend it
	NotTried string  `json:"not_tried,omitempty"` // why it could not be tried; empty: it was

	// Of a wrong answer: what a student who gives it is told, which is empty for no more
	// than that it will not do; and the last line that the console showed to it.
	Told   string `json:"told,omitempty"`
	Screen string `json:"screen,omitempty"`
}

// enterPatience bounds each wait of a trial that is to fail: nothing is on its way.
const enterPatience = 4 * time.Second

// Prove plays every step on the given lab, and then, from the state in which the
// step began, tries what students do: each line and each task left out, wrong
// answers, the hints. It tells each trial as it ends, and as it begins how many more
// of its step are known to come; it returns an *Error only where it could not go on:
// the computer, or the user, ended it. A step that its own solution does not solve is
// a failed trial, and the last one. It is run once.
//
// Where start says a step, that is the one to prove: the machines are brought there as
// Run brings them.
func (m *Mission) Prove(
	ctx context.Context, l *lab.Lab, events *event.Log, start Start,
	begins func(trial Trial, more int), tell func(Trial),
) error {
	m.session.Act(l, events)
	p := &prover{m: m, ctx: ctx, lab: l, events: events, begins: begins, tell: tell}
	steps, only := m.Declared().Steps, start.From
	saved := &checkpoints{lab: l, folder: start.Checkpoints, events: events, shared: m.digestBefore}
	first, err := saved.reach(ctx, max(only-1, 0))
	if err != nil {
		return Classify(ctx, err)
	}
	for i, step := range steps[first:] {
		i += first
		p.index, p.step = i, step
		if i+1 < only {
			if err := p.play(nil); err != nil {
				return err
			}
			continue
		}
		if i+1 == only && first < i {
			saved.save(ctx, i)
		}
		solved, err := p.prove(i+1 == len(steps) || i+1 == only)
		if err != nil {
			return Classify(ctx, err)
		}
		if i+1 == only {
			break
		}
		if !solved {
			for k, left := range steps[i+1:] {
				tell(Trial{
					Step: i + 2 + k, Title: left.Title, Name: "solved", Position: left.Position.String(),
					NotTried: "an earlier step is not solved",
				})
			}
			break
		}
	}
	return nil
}

// prover tries the steps of one mission.
type prover struct {
	m      *Mission
	ctx    context.Context
	lab    *lab.Lab
	events *event.Log
	begins func(Trial, int)
	tell   func(Trial)

	more  int // trials of the step that are known to come
	index int
	step  builtins.Step
}

// play plays the step as an actor does; nil: as a run does.
func (p *prover) play(by builtins.Actor) error {
	return p.m.perform(p.ctx, p.step, p.events, by)
}

// fatal reports whether a trial's error says nothing about the lab.
func (p *prover) fatal(err error) bool {
	var failed *Error
	return p.ctx.Err() != nil || errors.As(err, &failed) && (failed.Kind == Environment || failed.Kind == Interrupted)
}

// at begins a trial.
func (p *prover) at(name, position string) (t Trial, done func(Trial)) {
	began := time.Now()
	t = Trial{Step: p.index + 1, Title: p.step.Title, Name: name, Position: position}
	p.begins(t, p.more)
	return t, func(t Trial) {
		t.Seconds = time.Since(began).Round(time.Millisecond).Seconds()
		p.tell(t)
	}
}

// state is the folder of the lab's state at the beginning of a step.
func (p *prover) state(step int) string {
	return filepath.Join(p.lab.Session(), fmt.Sprintf("step-%d", step+1))
}

func (p *prover) save(step int) error {
	if _, err := os.Stat(p.state(step)); err == nil {
		return nil // the end of the step before
	}
	return p.lab.Checkpoint(p.ctx, p.state(step))
}

// prove tries one step; what comes after the last one needs no lab.
func (p *prover) prove(last bool) (solved bool, err error) {
	if err := p.save(p.index); err != nil {
		return false, err
	}
	defer os.RemoveAll(p.state(p.index))
	here := p.step.Position.String()
	t, done := p.at("solved", here)
	seen := &builtins.Rehearsal{Target: -1, Until: -1}
	if err := p.play(seen); err != nil {
		if p.fatal(err) {
			return false, err
		}
		t.Failure = err.Error()
		t.Remedy = fmt.Sprintf("labrun itself cannot do this step: `labrun %s` shows it as it happens", p.m.File)
		done(t)
		return false, nil
	}
	done(t)
	tasks := taskNames(seen.Instructions)
	for target, i := range seen.Instructions {
		if i.Task {
			t, done := p.at(tasks[target]+"not solved before", i.Position.String())
			if i.Solved {
				t.Failure = "its check holds before anything was done for it"
				t.Remedy = "check what only the task leads to"
			}
			done(t)
		}
	}
	if !last {
		if err := p.save(p.index + 1); err != nil {
			return false, err
		}
	}
	t, done = p.at("twice", here)
	if err := p.play(nil); err != nil {
		if p.fatal(err) {
			return false, err
		}
		t.Failure = "the step passes, and played once more at once it does not: " + err.Error()
		t.Remedy = "let the step begin from what it may have left behind: remove it first"
	}
	done(t)
	variations := p.variations(seen.Instructions)
	for k, v := range variations {
		p.more = len(variations) - 1 - k
		if err := p.try(v); err != nil {
			return false, err
		}
	}
	if !last {
		return true, p.lab.Restore(p.ctx, p.state(p.index+1))
	}
	return true, nil
}

// A variation is the step with one instruction done in another way.
type variation struct {
	name, position string
	rehearsal      builtins.Rehearsal
	notTried       string
	known          bool // how it ends is known: the solved step did the same
	wrong          bool // it is a wrong answer of a task
	judge          func(t *Trial, held bool, reason string)
}

// taskNames returns what the trials of tasks begin with, by their place among the
// instructions: nothing, where a step has no more than one.
func taskNames(instructions []builtins.Instruction) []string {
	names := make([]string, len(instructions))
	var tasks []int
	for target, i := range instructions {
		if i.Task {
			tasks = append(tasks, target)
		}
	}
	for n, target := range tasks {
		if len(tasks) > 1 {
			names[target] = fmt.Sprintf("task %d: ", n+1)
		}
	}
	return names
}

// variations lists what is to be tried with the instructions of a step.
func (p *prover) variations(instructions []builtins.Instruction) []variation {
	var all []variation
	var typed []string // by the step itself, so far
	tasks := taskNames(instructions)
	for target, i := range instructions {
		typed = append(typed, strings.Join(strings.Fields(i.Text), " "))
		if i.Task {
			all = append(all, taskVariations(target, tasks[target], i)...)
			continue
		}
		if len(i.Checks) == 0 || strings.TrimSpace(i.Text) == "" {
			continue // nothing looks at it: labrun check tells
		}
		all = append(all, variation{
			name: fmt.Sprintf("fails without %s at %s", ticked(i.Text), i.Console), position: i.Position.String(),
			rehearsal: builtins.Rehearsal{Target: target, Until: -1, Patience: enterPatience},
			judge: func(t *Trial, held bool, _ string) {
				if held {
					t.Failure = fmt.Sprintf("what is checked passes, though at %s only Enter was pressed", i.Console)
					t.Remedy = fmt.Sprintf("check what only %s leads to", ticked(i.Text))
				}
			},
		})
		var told []string
		for k, c := range i.Checks {
			if c.Hint == "" || slices.Contains(told, c.Hint) {
				continue
			}
			told = append(told, c.Hint)
			v := hintVariation(c.Hint, c.Builtin, c.Position.String())
			v.rehearsal = builtins.Rehearsal{Target: target, Until: k, Lines: v.rehearsal.Lines}
			v.known = v.notTried == "" && allTyped(v.rehearsal.Lines, typed)
			all = append(all, v)
		}
	}
	return all
}

// allTyped reports whether all lines are among those that were typed.
func allTyped(lines, typed []string) bool {
	return !slices.ContainsFunc(lines, func(line string) bool { return !slices.Contains(typed, line) })
}

func taskVariations(target int, task string, i builtins.Instruction) []variation {
	var all []variation
	for n, wrong := range i.Wrong {
		all = append(all, variation{
			name: fmt.Sprintf("%swrong answer %d fails", task, n+1), position: i.Position.String(),
			rehearsal: builtins.Rehearsal{Target: target, Until: -1, Lines: []string{wrong}}, wrong: true,
			judge: func(t *Trial, held bool, _ string) {
				if held {
					t.Failure = "the check accepts " + ticked(wrong)
					t.Remedy = "make the check stricter, or take this answer out of wrong"
				}
			},
		})
	}
	if len(i.Hints) > 0 {
		v := hintVariation(i.Hints[len(i.Hints)-1], "task", i.Position.String())
		v.name = task + v.name
		v.rehearsal.Target, v.rehearsal.Solves = target, true
		all = append(all, v)
	}
	return all
}

// hintVariation types what a hint shows as code.
func hintVariation(hint, of, position string) variation {
	commands, why := commands(hint)
	v := variation{name: "the hint of " + of + " solves it", position: position, notTried: why}
	v.rehearsal = builtins.Rehearsal{Until: -1, Lines: commands}
	v.judge = func(t *Trial, held bool, reason string) {
		if !held {
			t.Failure = fmt.Sprintf("typing what the hint shows, %s, does not do: %s", ticked(commands...), reason)
			t.Remedy = "show in backquotes what solves it, and nothing else"
		}
	}
	return v
}

// blank is a place in a command that its reader is to fill in: kill PID, ssh
// root@ADDRESS, cat <file>.
var blank = regexp.MustCompile(`…|\.\.\.|<\w+>|(?:^|[\s@/])[A-Z]{3,}(?:[\s@/:]|$)`)

// hereDocument is what announces lines of input, up to the word that it names.
var hereDocument = regexp.MustCompile(`<<-?\s*['"]?(\w+)['"]?`)

// commands returns what a hint shows to be typed, or why that cannot be typed as it
// stands.
func commands(hint string) (lines []string, why string) {
	all := markdown.Code(hint)
	var ends []string // of here-documents, which are in capitals
	for _, code := range all {
		for _, here := range hereDocument.FindAllStringSubmatch(code, -1) {
			ends = append(ends, here[1])
		}
	}
	for _, code := range all {
		rest := hereDocument.ReplaceAllString(code, "")
		switch {
		case blank.MatchString(rest) && !slices.Contains(ends, code):
			return nil, fmt.Sprintf("%s has a place to fill in", ticked(code))
		case code == "Enter":
		case strings.HasPrefix(code, "Ctrl-"):
			return nil, fmt.Sprintf("%s is no line to type", ticked(code))
		default:
			lines = append(lines, code)
		}
	}
	if len(lines) == 0 {
		return nil, "the hint shows nothing in backquotes to type"
	}
	return lines, ""
}

func ticked(lines ...string) string {
	var all []string
	for _, line := range lines {
		all = append(all, "`"+strings.ReplaceAll(strings.TrimSpace(line), "\n", "; ")+"`")
	}
	return strings.Join(all, ", ")
}

// notJudged fails the trial of a wrong answer that did not come to its end: that the
// check does not hold then says nothing about it.
func notJudged(t *Trial, answer []string, how *builtins.Rehearsed) {
	if how.Held {
		return
	}
	switch how.Ending {
	case builtins.Asking:
		t.Failure = fmt.Sprintf("%s is not judged: the console asks %q, and there is no answer",
			ticked(answer...), how.Screen)
		t.Remedy = "let the answer's next line be what is typed there, or leave out what asks"
	case builtins.Working:
		t.Failure = fmt.Sprintf("%s is not judged: it is still at work when the task's time is up", ticked(answer...))
		t.Remedy = "let the answer come to an end (`timeout 5` before a command, `&` behind it)," +
			" or give the task a longer timeout"
	}
	if t.Failure != "" {
		t.Told = ""
	}
}

// try plays one variation from the step's beginning. Its error ends the proof.
func (p *prover) try(v variation) error {
	t, done := p.at(v.name, v.position)
	if t.NotTried = v.notTried; v.notTried != "" || v.known {
		done(t)
		return nil
	}
	if err := p.lab.Restore(p.ctx, p.state(p.index)); err != nil {
		return err
	}
	r := v.rehearsal
	err := p.play(&r)
	if err != nil && p.fatal(err) {
		return err
	}
	v.conclude(&t, &r, err)
	done(t)
	return nil
}

// conclude says what the playing of a variation, which ended with err, tells.
func (v variation) conclude(t *Trial, r *builtins.Rehearsal, err error) {
	var rehearsed *builtins.Rehearsed
	var failed *Error
	switch {
	case errors.As(err, &rehearsed):
		v.judge(t, rehearsed.Held, rehearsed.Reason)
		if v.wrong {
			t.Told, t.Screen = rehearsed.Hint, rehearsed.Screen
			notJudged(t, r.Lines, rehearsed)
		}
	case !r.Reached():
		t.Failure = "the step took another way than before"
		t.Remedy = "let a step do the same each time that it is played"
		if err != nil {
			t.Failure += ": " + err.Error()
		}
	case err == nil:
		v.judge(t, true, "")
	case errors.As(err, &failed) && (failed.Kind == Check || failed.Kind == Timeout):
		v.judge(t, false, failed.Error())
	default:
		t.Failure = "the script breaks when a student types something else: " + err.Error()
		t.Remedy = "check an output before the script takes it apart"
	}
}
