package builtins

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/guide"
)

// soon is how long the guide keeps an instruction to itself that may be fulfilled
// already, or fulfil itself.
const soon = 700 * time.Millisecond

func leadBoot(c *call) (starlark.Value, error) {
	if !c.boolean("student") {
		for _, v := range c.list("machines") {
			c.lab.Permit(c.lab.Machine(v.(*machine).config.Name))
		}
		return boot(c)
	}
	for _, v := range c.list("machines") {
		m := c.lab.Machine(v.(*machine).config.Name)
		if m.Running() {
			continue
		}
		c.lab.Permit(m)
		done, err := c.instruct(guide.Instruction{
			Console: m.Name(), Show: c.phrase("do boot", m.Name()),
			Hints: []guide.Text{c.phrase("hint boot", m.Name())}, Solve: true,
		}, m.AwaitRunning)
		if err != nil {
			return nil, err
		}
		if !done {
			return boot(c) // all that are left: nobody wants to be asked for each
		}
		c.acted(m.Name(), "")
		c.led.dialogue.Remark("runs", m.Name())
	}
	return nil, nil
}

func leadSend(c *call) (starlark.Value, error) {
	name, text, enter := c.talker("on").name(), c.text("text"), c.boolean("enter")
	terminal, err := c.settled(c.talker("on"))
	if err != nil {
		return nil, err
	}
	// A prompt may be on its way: which one it is decides what is asked for.
	arriving, cancel := context.WithTimeout(c.ctx, glance)
	terminal.Finished(arriving)
	cancel()
	at, after, mark := terminal.Waiting(), c.led.used[terminal], terminal.KeyMark()
	i := guide.Instruction{
		Console: name, Text: text, Show: c.phrase("do send", name), Block: text,
		Hints: []guide.Text{c.phrase("hint send", name, text)}, Solve: true,
	}
	switch {
	case !enter:
		i.Show, i.Keys = c.phrase("do send keys", name), true
	case at == console.PasswordPrompt:
		i.Show, i.Block = c.phrase("do send secret", name, text), ""
	}
	var entered console.Line
	done, err := c.instruct(i, func(ctx context.Context) error {
		if !enter {
			return terminal.AwaitKey(ctx, []byte(strings.Join(lines(text), "\r")), mark)
		}
		var err error
		entered, err = awaitText(ctx, terminal, text, at, after)
		return err
	})
	if err != nil {
		return nil, err
	}
	if done {
		c.acted(name, text)
	} else {
		if _, err := send(c); err != nil {
			return nil, err
		}
		entered = terminal.LastLine()
		entered.Text = text
	}
	if enter {
		c.led.used[terminal] = entered.Number
		c.led.pending[terminal] = &typedFor{want: text, line: entered}
	}
	return nil, nil
}

// awaitText waits until a student has entered the lines of a text, or others in their
// place, and returns them as the last one. They have one output.
func awaitText(
	ctx context.Context, terminal *console.Console, text string, at console.PromptKind, after int,
) (entered console.Line, err error) {
	var typed []string
	for i, want := range lines(strings.TrimRight(text, "\r\n")) {
		for counted := false; !counted; counted = counts(entered, at, want) {
			if entered, err = terminal.AwaitLine(ctx, after); err != nil {
				return entered, err
			}
			after = entered.Number
			if i > 0 {
				terminal.Join()
			}
		}
		typed = append(typed, entered.Text)
	}
	entered.Text = strings.Join(typed, "\n")
	return entered, nil
}

// typeFor types lines for the student.
func (c *call) typeFor(terminal *console.Console, text string) error {
	err := c.typeText(terminal, text, true)
	c.led.used[terminal] = terminal.LastLine().Number
	return err
}

func leadSendKey(c *call) (starlark.Value, error) {
	name := c.talker("on").name()
	code, err := c.key()
	if err != nil {
		return nil, err
	}
	terminal, err := c.talker("on").console(c.Session)
	if err != nil {
		return nil, err
	}
	mark, key := terminal.KeyMark(), keyLabel(c.text("key"))
	done, err := c.instruct(guide.Instruction{
		Console: name, Text: c.text("key"), Press: string(code), Show: c.phrase("do key", name, key),
		Hints: []guide.Text{c.phrase("hint key", name, key)}, Solve: true,
	}, func(ctx context.Context) error { return terminal.AwaitKey(ctx, code, mark) })
	if err != nil {
		return nil, err
	}
	if !done {
		return sendKey(c)
	}
	c.acted(name, c.text("key"))
	return nil, nil
}

// keyLabel writes a key as keyboards do: Ctrl-C, Page-Up.
func keyLabel(key string) string {
	parts := strings.Split(key, "-")
	for i, part := range parts {
		parts[i] = capital(part)
	}
	return strings.Join(parts, "-")
}

func leadWaitPrompt(c *call) (starlark.Value, error) {
	on := c.talker("on")
	if _, err := c.settled(on); err != nil {
		return nil, err
	}
	var kind starlark.Value
	done, err := c.instruct(guide.Instruction{
		Console: on.name(), Show: c.phrase("do prompt", on.name()), Delay: soon, Solve: true,
		Hints: []guide.Text{c.phrase("hint prompt", on.name())},
	}, func(ctx context.Context) error {
		match, err := on.awaitPrompt(ctx, c.Session)
		kind = promptName(match.Prompt)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !done {
		return waitPrompt(c)
	}
	return kind, nil
}

// untilSeen is the instruction to wait for something at a machine: to do what leads to it, which is what was asked to be
// typed there, if nothing has checked that yet.
func (c *call) untilSeen(machine string, asked *typedFor) guide.Instruction {
	i := guide.Instruction{
		Console: machine, Show: c.phrase("do wait", machine), Delay: 2 * soon,
		Hints: []guide.Text{c.phrase("hint wait", machine)}, Solve: true,
	}
	if asked != nil {
		i.Show, i.Block, i.Known = c.phrase("do send", machine), asked.want, true
		i.Hints = []guide.Text{c.phrase("hint send", machine, asked.want)}
	}
	return i
}

func leadWaitFor(c *call) (starlark.Value, error) {
	condition, err := c.condition()
	if err != nil {
		return nil, err
	}
	name := c.talker("on").name()
	terminal, err := c.talker("on").console(c.Session)
	if err != nil {
		return nil, err
	}
	asked := c.led.pending[terminal]
	i := c.untilSeen(name, asked)
	var match console.Match
	used := c.led.used[terminal]
	done, err := c.instruct(i, func(ctx context.Context) error {
		for {
			// A shell or login that waits again has nothing more to say: what was
			// typed did not lead to what is awaited. What is typed next does, or a line that
			// was typed ahead.
			var err error
			match, err = terminal.Expect(ctx, condition, console.Prompt(console.ShellPrompt, console.LoginPrompt))
			line := terminal.LastLine()
			if err != nil || match.Prompt == console.NoPrompt {
				used = line.Number // it led here; what is entered from now on is for what comes next
				return err
			}
			if asked != nil {
				c.led.dialogue.Missed(missOf(terminal, line), c.phrase("no answer", line.Text, name), false)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	delete(c.led.pending, terminal)
	c.led.used[terminal] = used
	if !done {
		if asked != nil && terminal.Waiting() != console.NoPrompt {
			if err := c.typeFor(terminal, asked.want); err != nil {
				return nil, err
			}
		}
		return waitFor(c)
	}
	return matchValue(match), nil
}

func leadLogin(c *call) (starlark.Value, error) {
	at := c.station("machine")
	user, password := at.Credentials(c.text("user"), c.text("password"))
	terminal, err := at.Console()
	if err != nil {
		return nil, err
	}
	i := guide.Instruction{Console: at.Name(), Text: user, Show: c.phrase("do login", at.Name(), user, password),
		Delay: soon, Solve: true,
		Hints: []guide.Text{c.phrase("hint prompt", at.Name()), c.phrase("hint login", user, password)}}
	switch {
	case at.LetsIn(user) && !terminal.OtherUser(user):
		i.Show, i.Hints = c.phrase("do prompt", at.Name()), i.Hints[:1]
	case user == "":
		i.Show, i.Hints = c.phrase("do login self", at.Name()), i.Hints[:1]
	case terminal.OtherUser(user):
		i.Show = c.phrase("do login other", at.Name(), terminal.User(), user, password)
	}
	done, err := c.instruct(i, func(ctx context.Context) error {
		tried := terminal.LastLine().Number
		for {
			before := terminal.LastLine().Number
			match, err := at.AwaitPrompt(ctx, console.ShellPrompt, console.LoginPrompt)
			other := terminal.OtherUser(user)
			if err != nil || match.Prompt == console.ShellPrompt && !other {
				return err
			}
			line := terminal.LastLine()
			if line.Number > tried && match.Prompt == console.ShellPrompt {
				c.led.dialogue.Missed(missOf(terminal, line), c.phrase("other user", terminal.User(), at.Name(), user), false)
			} else if line.Number > tried && line.Prompt == console.PasswordPrompt {
				c.led.dialogue.Missed(missOf(terminal, line), c.phrase("refused", at.Name()), false)
			}
			if _, err := terminal.AwaitLine(ctx, before); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return nil, err
	}
	c.led.used[terminal] = terminal.LastLine().Number
	if !done {
		return login(c)
	}
	c.acted(at.Name(), user)
	return nil, nil
}

// leadOutput reads what the student's last command printed.
func leadOutput(c *call) (starlark.Value, error) {
	terminal, err := c.talker("on").console(c.Session)
	if err != nil {
		return nil, err
	}
	delete(c.led.pending, terminal) // the script looks at it itself
	return output(c)
}

// observeStudent waits until the output of a command that the student typed
// satisfies a check, however many it takes.
func (c *call) observeStudent(
	t talker, final bool, satisfied func(string) bool, reason func(string) guide.Text,
) (string, error) {
	terminal, err := t.console(c.Session)
	if err != nil {
		return "", err
	}
	asked := c.led.pending[terminal]
	delete(c.led.pending, terminal)
	index := c.led.calls
	if latched, ok := c.led.latched[index]; ok {
		if text := terminal.Output(); satisfied(text) {
			latched = text
		}
		return latched, nil
	}
	i := guide.Instruction{Console: t.name(), Known: true}
	if asked != nil {
		i.Text, i.Show, i.Block, i.Solve = asked.want, c.phrase("do send", t.name()), asked.want, true
		i.Hints = []guide.Text{c.phrase("hint send", t.name(), asked.want)}
	}
	if hint := c.hint(); hint != "" {
		i.Hints = slices.Insert(i.Hints, 0, c.translation(hint))
	}
	var text string
	done, err := c.instruct(i, func(ctx context.Context) error {
		for {
			line, keys, printed := terminal.LastLine(), terminal.KeyMark(), terminal.LastByte()
			var err error
			if text, err = c.settledOutput(ctx, t.name(), terminal, final, satisfied); err != nil || satisfied(text) {
				return err
			}
			if terminal.LastLine().Number == line.Number { // else it is not what that has printed
				c.led.dialogue.Missed(missOf(terminal, line), reason(text), false)
			}
			entered, err := anythingNew(ctx, terminal, line, keys, printed)
			if err != nil {
				return err
			}
			if entered && asked != nil && len(lines(asked.want)) > 1 {
				terminal.Join() // one of several lines is enough to put it right
			}
		}
	})
	if err != nil {
		return "", err
	}
	if !done {
		if err := c.typeFor(terminal, asked.want); err != nil {
			return "", err
		}
		ctx, cancel := c.within()
		defer cancel()
		terminal.Finished(ctx)
		text = terminal.Output()
	}
	c.led.used[terminal] = terminal.LastLine().Number
	if satisfied(text) {
		c.led.latched[index] = text
	}
	return text, nil
}

// anythingNew waits until another line was entered than the one that was judged, or the guest has
// printed more while nobody typed: of lines that are typed ahead, the last one's output comes
// after a prompt or two. What was typed and printed is as it was before the judgement.
func anythingNew(
	ctx context.Context, terminal *console.Console, line console.Line, keys console.Mark, printed time.Time,
) (entered bool, err error) {
	for {
		slice, cancel := context.WithTimeout(ctx, glance)
		_, err := terminal.AwaitLine(slice, line.Number)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return err == nil, err
		}
		if terminal.KeyMark() == keys && terminal.LastByte().After(printed) {
			return false, nil
		}
	}
}

const (
	// glance is how often the output of a command that still runs is looked at.
	glance = 200 * time.Millisecond
	// long is how long a command may run before the student is told how to end it.
	long = 20 * time.Second
)

// settledOutput returns the output of the last command once that has ended, or
// as soon as it satisfies: ping without a count never ends. A check that takes a
// value from the output (final) is only shown whole lines of it.
func (c *call) settledOutput(
	ctx context.Context, name string, terminal *console.Console, final bool, satisfied func(string) bool,
) (string, error) {
	told := 0
	for {
		slice, cancel := context.WithTimeout(ctx, glance)
		err := terminal.Finished(slice)
		cancel()
		text := terminal.Output()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return text, err // the prompt is back, the machine is dead, or nobody waits any more
		}
		if final {
			text = text[:strings.LastIndexByte(text, '\n')+1]
		}
		if satisfied(text) {
			return text, nil
		}
		if line := terminal.LastLine(); line.Number > told && time.Since(line.At) > long {
			told = line.Number
			c.led.dialogue.Remark("still running", name, line.Text)
		}
	}
}
