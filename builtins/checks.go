package builtins

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/guide"
)

func checks() []Entry {
	const group = "Checks"
	subject := Param{
		Name: "subject",
		Kind: Subject,
		Doc:  "a machine, console or terminal, for its output since the last send; or a string",
	}
	const waits = "On a machine, the check waits until the command has finished, or until what it wants is there."
	return []Entry{{
		Name:   "assert_contains",
		Group:  group,
		Phase:  Acting,
		Effect: Checks,
		call:   assertContains,
		verify: (*call).someTexts,
		Params: []Param{subject, {
			Name:     "texts",
			Kind:     Text,
			Variadic: true,
			Doc:      "all of these must be in it",
		}, hint, timeout("60")},
		Summary: "check that texts are in an output or a string",
		Detail:  waits,
		Example: `send(router, "ip a")
assert_contains(router, "uplink0", "lan0", hint = "Try ip a once more.")`,
	}, {
		Name:    "assert_match",
		Group:   group,
		Phase:   Acting,
		Effect:  Checks,
		call:    assertMatch,
		Result:  Texts,
		Returns: "list of strings: the whole match and its groups",
		Params: []Param{subject, {
			Name: "pattern",
			Kind: Pattern,
			Doc:  "a regular expression (RE2)",
		}, hint, timeout("60")},
		Summary: "check that a regular expression matches, and return what it found",
		Detail:  waits,
		Example: `address = assert_match(debian, r"inet (10\.254\.0\.\d+)")[1]`,
	}, {
		Name:   "assert_equal",
		Group:  group,
		Phase:  Acting,
		Effect: Checks,
		call:   assertEqual,
		Params: []Param{
			{Name: "got", Kind: Anything, Doc: "what there is"},
			{Name: "want", Kind: Anything, Doc: "what there should be"}, hint},
		Summary: "check that two values are equal",
		Example: `assert_equal(run(debian, "hostname").stdout.strip(), "os25")`,
	}, {
		Name:   "assert_true",
		Group:  group,
		Phase:  Acting,
		Effect: Checks,
		call:   assertTrue,
		Params: []Param{
			{Name: "condition", Kind: Condition, Doc: "what must hold"},
			{Name: "message", Kind: Text, Default: `""`, Doc: "what it means if it does not"}, hint},
		Summary: "check that a condition holds",
		Example: `assert_true(len(leases) == 2, "two machines have a lease")`,
	}, {
		Name:    "fail",
		Group:   group,
		Phase:   Acting,
		Effect:  Checks,
		call:    failNow,
		Params:  []Param{{Name: "message", Kind: Text, Doc: "what is wrong"}, hint},
		Summary: "fail the step",
		Example: `fail("the router gave no lease")`,
	}}
}

// seen is what a check looks at: a string, or the output of a console, which may
// still be growing.
type seen struct {
	what string // for messages
	text string
}

// observe waits until enough of the subject is there: its command has finished,
// or satisfied says so. A time-out is no error here: the check then judges what
// there is.
//
// A student's command need not be the right one at once: final says that the check
// takes a value from the output, and reason what the student is told.
func (c *call) observe(
	final bool, satisfied func(text string) bool, reason func(t talker, text string) guide.Text,
) (seen, error) {
	v, _ := c.value("subject")
	if text, ok := v.(starlark.String); ok {
		return seen{what: "the text", text: string(text)}, nil
	}
	t := v.(talker)
	if c.student() && !t.played() {
		text, err := c.observeStudent(t, final, satisfied, func(text string) guide.Text { return reason(t, text) })
		return seen{what: t.name() + "'s output", text: text}, err
	}
	terminal, err := t.console(c.Session)
	if err != nil {
		return seen{}, err
	}
	if c.led != nil {
		delete(c.led.pending, terminal)
	}
	if c.looks != nil {
		return seen{what: t.name() + "'s output", text: terminal.Output()}, nil
	}
	ctx, cancel := c.within()
	defer cancel()
	err = terminal.Finished(ctx)
	s := seen{what: t.name() + "'s output", text: terminal.Output()}
	if err != nil && c.ctx.Err() != nil {
		return s, context.Cause(c.ctx)
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) && !satisfied(s.text) {
		return s, err // the machine is dead
	}
	return s, nil
}

// show quotes what a check looked at, for its message.
func (s seen) show() string {
	text := strings.TrimSpace(s.text)
	if text == "" {
		return s.what + " is empty"
	}
	const most = 20
	lines := strings.Split(text, "\n")
	if len(lines) > most {
		lines = append([]string{fmt.Sprintf("(%d lines before)", len(lines)-most)}, lines[len(lines)-most:]...)
	}
	return s.what + " is:\n    " + strings.Join(lines, "\n    ")
}

func (c *call) someTexts() error {
	if len(c.list("texts")) == 0 {
		return fmt.Errorf("assert_contains: no text to look for: %s", c.entry.Signature())
	}
	return nil
}

func assertContains(c *call) (starlark.Value, error) {
	if err := c.someTexts(); err != nil {
		return nil, err
	}
	wanted := c.texts("texts")
	missing := func(text string) []string {
		var missing []string
		for _, w := range wanted {
			if !strings.Contains(text, w) {
				missing = append(missing, fmt.Sprintf("%q", w))
			}
		}
		return missing
	}
	s, err := c.observe(false, func(text string) bool { return len(missing(text)) == 0 },
		func(t talker, text string) guide.Text {
			return c.phrase("lacks", t.name(), strings.Join(missing(text), ", "))
		})
	if err != nil {
		return nil, err
	}
	lacks := missing(s.text)
	return nil, c.check(
		len(lacks) == 0, strings.Join(wanted, ", "), strings.Join(lacks, " and ")+" not found: "+s.show(), "",
	)
}

func assertMatch(c *call) (starlark.Value, error) {
	pattern := c.pattern("pattern")
	s, err := c.observe(
		true, pattern.MatchString, func(t talker, _ string) guide.Text { return c.phrase("no match", t.name()) },
	)
	if err != nil {
		return nil, err
	}
	groups := pattern.FindStringSubmatch(s.text)
	if err := c.check(
		groups != nil, pattern.String(), fmt.Sprintf("nothing matches %q: %s", pattern, s.show()), "",
	); err != nil {
		return nil, err
	}
	return stringList(groups), nil
}

func assertEqual(c *call) (starlark.Value, error) {
	got, _ := c.value("got")
	want, _ := c.value("want")
	equal, err := starlark.Equal(got, want)
	if err != nil {
		return nil, err
	}
	return nil, c.check(equal, want.String(), fmt.Sprintf("got %s, want %s", got, want), "")
}

func assertTrue(c *call) (starlark.Value, error) {
	condition, _ := c.value("condition")
	message := c.text("message")
	if message == "" {
		message = "the condition"
	}
	return nil, c.check(bool(condition.Truth()), message, "does not hold: "+message, "")
}

func failNow(c *call) (starlark.Value, error) {
	return nil, c.check(false, c.text("message"), c.text("message"), "")
}
