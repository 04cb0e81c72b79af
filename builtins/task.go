package builtins

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/control"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/lab"
)

func tasks() []Entry {
	return []Entry{{
		Name:   "task",
		Group:  "Tasks",
		Phase:  Acting,
		Effect: Talks | Checks,
		call:   doTask,
		lead:   leadTask,
		asks:   "find a way:",
		try:    tryTask,
		Params: []Param{on,
			{Name: "prompt", Kind: Text, For: ForReader, Doc: "the goal, in Markdown"},
			{
				Name:    "solution",
				Kind:    Solution,
				Keyword: true,
				For:     ForSolution,
				Doc: "one way to it: lines to type on that console, each when it waits for input, be it at a prompt " +
					"or at a question such as `(yes/no)?`; or a function that does it",
			},
			{
				Name:    "check",
				Kind:    Function,
				Keyword: true,
				For:     ForCheck,
				Doc: "a function without parameters that looks whether the goal is reached: it returns True or None " +
					"if so, and False, or fails a check, if not",
			},
			{
				Name:    "hints",
				Kind:    Texts,
				Default: "[]",
				Keyword: true,
				For:     ForHint,
				Doc:     "in Markdown, from a nudge to nearly the answer; the solution itself is the last one",
			},
			{
				Name:    "wrong",
				Kind:    Answers,
				Default: "[]",
				Keyword: true,
				For:     ForMistakes,
				Doc: "answers that must not do, each like a solution, lines or a function, or with why it must fail: `(\"chmod 644 note\", \"others can read\")`; " +
					"`labrun test` tries them, and finds those words in what the student is told, or in what the check says",
			},
			timeout("60")},
		Summary: "a goal that any right way leads to",
		Detail: "labrun types the solution itself and then checks. A student is shown the goal and finds a way of their own: the check is made again and again until it holds, " +
			"so it may only look: what it may call says so here, and `labrun check` and the run refuse all else. The time-out is for labrun's own solution.",
		Example: `def quotes_are_kept():
    assert_contains(read_file(debian, "/root/notes"), "\"hello\"", hint = "Put single quotes around it.")

def write_a_note():
    """Write a note"""
    task(
        debian,
        "Write a file /root/notes that has the word \"hello\" with its quotation marks.",
        solution = "echo '\"hello\"' > /root/notes",
        check = quotes_are_kept,
        hints = ["echo prints, and > sends it into a file."],
        wrong = [("echo \"hello\" > /root/notes", "single quotes"), "echo hello"],
    )`,
	}}
}

// pollTask is the pause between two looks at a task's goal; a line that the
// student enters ends it.
const pollTask = 2 * time.Second

func doTask(c *call) (starlark.Value, error) {
	ctx, cancel := c.within()
	defer cancel()
	if err := c.solve(ctx); err != nil {
		return nil, err
	}
	if err := c.renewed(ctx); err != nil {
		return nil, err
	}
	var before *CheckError
	for {
		failure, found, err := c.look(ctx)
		if err != nil {
			return nil, err
		}
		if failure == nil {
			return nil, c.check(true, c.text("prompt"), "", "")
		}
		if ctx.Err() != nil && before != nil {
			failure = before // this look was cut short: the one before it tells more
		}
		before = failure
		// What the solution started may take a moment.
		if host.Sleep(ctx, 250*time.Millisecond) != nil {
			failure.Message = "its solution does not reach the goal: " + failure.Message + c.circumstances(found)
			c.events.Emit(event.Checked{Builtin: c.entry.Name, What: c.text("prompt"), Hint: failure.Hint})
			return nil, failure
		}
	}
}

// circumstances are what an author needs to see where a solution does not do: what the
// check found, and what the console shows.
func (c *call) circumstances(found string) string {
	text := ""
	if found != "" {
		text += "\n  its check ran " + found
	}
	if terminal, err := c.talker("on").console(c.Session); err == nil {
		if tail := strings.TrimSpace(terminal.Tail(4)); tail != "" {
			text += fmt.Sprintf(
				"\n  %s's console ends in:\n    %s", c.talker("on").name(), strings.ReplaceAll(tail, "\n", "\n    "),
			)
		}
	}
	return text
}

// solve does what the author says is one way to the goal.
func (c *call) solve(ctx context.Context) error {
	on := c.talker("on")
	terminal, err := on.console(c.Session)
	if err != nil {
		return err
	}
	solution, _ := c.value("solution")
	if function, ok := solution.(starlark.Callable); ok {
		_, err := c.aside(c.ctx, labrun{}, function) // no student's, and no trial's
		return err
	}
	if _, err := on.waitPrompt(ctx, c.Session); err != nil && !errors.Is(err, lab.ErrNoPrompts) {
		return err
	}
	for line := range strings.Lines(string(solution.(starlark.String))) {
		if err := terminal.Ready(ctx); err != nil {
			return err
		}
		line = strings.TrimRight(line, "\r\n")
		c.acted(on.name(), line)
		if err := terminal.Type(ctx, line+"\n"); err != nil {
			return err
		}
	}
	return terminal.Finished(ctx)
}

// look makes the task's check once. Failure is nil if the goal is reached; found is what
// the last command said that the check ran and that failed.
func (c *call) look(ctx context.Context) (failure *CheckError, found string, err error) {
	check, _ := c.value("check")
	by := &looker{}
	result, err := c.aside(ctx, by, check)
	failed := func(why string) *CheckError {
		failure := &CheckError{Builtin: c.entry.Name, Message: why}
		if function, ok := check.(*starlark.Function); ok {
			failure.Position = function.Position()
		}
		return failure
	}
	var own *CheckError
	var refused *control.GuestError // a file that it looks at is not there yet
	switch {
	case err == nil && (result == starlark.None || bool(result.Truth())):
	case err == nil:
		failure = failed("its check is not satisfied")
	case errors.As(err, &own):
		copied := *own
		failure = &copied
	case errors.Is(err, control.ErrRestarted):
		failure = failed(err.Error())
		failure.restarting = true
	case errors.As(err, &refused):
		failure = failed(refused.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		failure = failed(err.Error())
	default:
		return nil, "", err
	}
	return failure, by.found, nil
}

func leadTask(c *call) (starlark.Value, error) {
	if m, ok := c.ownMachine(); ok {
		return leadKernelTask(c, m)
	}
	on := c.talker("on")
	terminal, err := c.settled(on)
	if err != nil {
		return nil, err
	}
	i := guide.Instruction{
		Console: on.name(), Text: c.text("prompt"), Show: c.phrase("do task", on.name()),
		Goal: c.told("prompt"), Hints: c.translations(c.texts("hints")), Solve: true,
	}
	solution, _ := c.value("solution")
	if text, ok := solution.(starlark.String); ok {
		lines := "\n\n    " + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n    ")
		whereTo := c.phrase("hint solution", on.name())
		i.Hints = append(i.Hints, func() string { return whereTo.String() + lines })
	}
	again := make(chan struct{}, 1)
	i.Check = func() {
		select {
		case again <- struct{}{}:
		default:
		}
	}
	told := terminal.LastLine().Number // before the task is shown: every line after it is an attempt
	done, err := c.instruct(i, func(ctx context.Context) error { return c.awaitGoal(ctx, terminal, told, again) })
	if err != nil {
		return nil, err
	}
	c.led.used[terminal] = terminal.LastLine().Number
	if !done {
		return doTask(c)
	}
	return nil, c.check(true, c.text("prompt"), "", "")
}

// awaitGoal makes the task's check until it holds, and tells the student why it
// does not yet after each line they enter since the line told, or when they ask.
func (c *call) awaitGoal(ctx context.Context, terminal *console.Console, told int, again <-chan struct{}) error {
	before := guide.Text(nil)
	asked, answered := 0, 0 // how often the student asked
	for {
		// A line that is still at work, or that answers a program's question, is no
		// attempt yet.
		line, idle := terminal.LastLine(), atRest(terminal)
		failure, _, err := c.look(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case failure == nil:
			return nil
		}
		if line.Number > told && idle || asked > answered {
			reason := c.phrase("goal")
			switch {
			case failure.told != nil:
				reason = failure.told
			case failure.Hint != "":
				reason = c.translation(failure.Hint)
			}
			again := reason.String() == before.String() && asked == answered
			before, told, answered = reason, line.Number, asked
			c.led.dialogue.Missed(fmt.Sprintf("%s/%d", missOf(terminal, line), asked), reason, again)
		}
		if err := c.moved(ctx, again, &asked); err != nil {
			return err
		}
	}
}

// atRest reports whether what was typed last has shown what it does: a shell waits
// again, or it goes on and asks nothing.
func atRest(terminal *console.Console) bool {
	switch terminal.Waiting() {
	case console.ShellPrompt:
		return true
	case console.NoPrompt:
		return time.Since(terminal.LastLine().At) > commandTime && !terminal.Asks()
	}
	return false
}

// moved returns when a check may have another outcome: something was typed, the
// student asks, or some time has passed.
func (c *call) moved(ctx context.Context, again <-chan struct{}, asked *int) error {
	waiting, cancel := context.WithCancel(ctx)
	activity := make(chan error, 1)
	go func() {
		_, err := c.led.Activity(waiting, pollTask)
		activity <- err
	}()
	select {
	case <-again:
		*asked++
	case err := <-activity:
		cancel()
		return err
	case <-ctx.Done():
	}
	cancel()
	<-activity
	return ctx.Err()
}
