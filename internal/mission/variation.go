package mission

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/markdown"
)

// A variation is the step with one instruction done in another way.
type variation struct {
	name, position string
	rehearsal      builtins.Rehearsal
	notTried       string
	known          bool // how it ends is known: the solved step did the same
	wrong          bool // it is a wrong answer of a task
	judge          func(t *Trial, held bool, reason string)
}

// enterPatience bounds each wait of a trial that is to fail: nothing is on its way.
const enterPatience = 4 * time.Second

// trial is what is tried, with the rest that is known of it.
func (v variation) trial(t Trial) Trial {
	t.Position, t.NotTried = v.position, v.notTried
	return t
}

// idle reports whether nothing is to be done for it.
func (v variation) idle() bool { return v.notTried != "" || v.known }

// try plays the variation, where the lab is as it was when a step began, or had passed some
// of its tasks, and says what came of it. Its error ends the proof.
func (v variation) try(ctx context.Context, b *bench, step int, from *builtins.Passed, t *Trial) error {
	r := v.rehearsal
	r.From = from
	err := b.play(ctx, step, &r)
	if err != nil && fatal(ctx, err) {
		return err
	}
	v.conclude(t, &r, err)
	return nil
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
func variations(instructions []builtins.Instruction) []variation {
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
			rehearsal: builtins.Rehearsal{
				Target: target, Until: -1, Lines: []string{wrong.String()}, Wrong: n + 1, Reason: wrong.Reason,
			},
			wrong: true,
			judge: func(t *Trial, held bool, _ string) {
				if held {
					t.Failure = "the check accepts " + ticked(wrong.String())
					t.Remedy = "make the check stricter, or take this answer out of wrong"
				}
			},
		})
	}
	if len(i.Hints) > 0 {
		v := hintVariation(i.Hints[len(i.Hints)-1], "task", i.Position.String())
		v.name = task + v.name
		v.rehearsal.Target, v.rehearsal.Solves = target, true
		v.known = v.notTried == "" && strings.Join(v.rehearsal.Lines, "\n") == strings.TrimSpace(i.Solution)
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

// conclude says what the playing of a variation, which ended with err, tells.
func (v variation) conclude(t *Trial, r *builtins.Rehearsal, err error) {
	var rehearsed *builtins.Rehearsed
	var failed *Error
	t.Screen = lastLines(r.Said())
	switch {
	case errors.As(err, &rehearsed):
		reason := ""
		if t.Refused = rehearsed.Refusal; t.Refused != nil {
			reason = t.Refused.Message
		}
		v.judge(t, rehearsed.Held, reason)
		if asked := rehearsed.Asked; !strings.HasSuffix(strings.TrimSpace(t.Screen), asked) {
			t.Screen = strings.TrimLeft(t.Screen+"\n"+asked, "\n")
		}
		if v.wrong && !rehearsed.Held {
			t.Told = rehearsed.Hint
			judgeRefusal(t, r, rehearsed)
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
		var check *builtins.CheckError
		if errors.As(err, &check) {
			t.Refused = check.Refusal()
		}
		v.judge(t, false, failed.Error())
	default:
		t.Failure = "the script breaks when a student types something else: " + err.Error()
		t.Remedy = "check an output before the script takes it apart"
	}
}

// judgeRefusal fails the trial of a wrong answer that was refused, if that says nothing about
// it: the answer did not come to its end, or failed for another reason than the stated one,
// as one with a slip of the pen does.
func judgeRefusal(t *Trial, r *builtins.Rehearsal, how *builtins.Rehearsed) {
	answer := ticked(r.Lines...)
	switch {
	case how.Ending == builtins.Asking:
		t.Failure = fmt.Sprintf("%s is not judged: the console asks %q, and there is no answer", answer, how.Asked)
		t.Remedy = "let the answer's next line be what is typed there, or leave out what asks"
		t.Told = ""
	case how.Ending == builtins.Working:
		t.Failure = answer + " is not judged: it is still at work when the task's time is up"
		t.Remedy = "let the answer come to an end (`timeout 5` before a command, `&` behind it)," +
			" or give the task a longer timeout"
		t.Told = ""
	case !how.Stated:
		t.Failure = fmt.Sprintf("%s is refused, but not because of %q: %s", answer, r.Reason, how.Refusal.Message)
		t.Remedy = "see what the console said to it: mend the answer, or the check, or say the reason" +
			" in words of the check's hint or message"
	}
}

// mostLines of what a console said are told of a trial.
const mostLines = 20

// lastLines are the last lines of a text, and how many there were before.
func lastLines(text string) string {
	lines := strings.Split(text, "\n")
	if before := len(lines) - mostLines; before > 0 {
		lines = append([]string{fmt.Sprintf("(%d lines before)", before)}, lines[before:]...)
	}
	return strings.Join(lines, "\n")
}
