package builtins

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
)

func dialogue() []Entry {
	const group = "Talking to the reader"
	return []Entry{{
		Name: "say", Group: group, Phase: Acting, Effect: Tells, call: say, lead: leadSay,
		Params:  []Param{{Name: "text", Kind: Text, For: ForReader, Doc: "a word in between"}},
		Summary: "tell the reader something",
		Example: `say("Debian is at " + address(debian))`,
	}, {
		Name: "tr", Group: group, Phase: Always, Effect: Knows, call: translated, Result: Text, Returns: "string",
		Params:  []Param{{Name: "text", Kind: Text, For: ForReader, Doc: "as it is in the translations"}},
		Summary: "a text in the reader's language",
		Detail:  "Titles, narrations, hints, questions, answers, tasks and what `say` says are translated by themselves. This is for texts that are put together.",
		Example: `say(tr("%s runs Linux %s") % (debian.name, kernel))`,
	}, {
		Name: "ask", Group: group, Phase: Acting, Effect: Tells, Demands: "choices", call: ask, lead: leadAsk, asks: "answer:", verify: (*call).answerIsAChoice, Result: Text, Returns: "string: the answer",
		Params: []Param{
			{Name: "question", Kind: Text, For: ForReader, Doc: "something to think about"},
			{Name: "choices", Kind: Texts, Default: "[]", For: ForReader, Doc: "possible answers; none: an open question"},
			{Name: "answer", Kind: Text, Default: `""`, For: ForReader, Doc: "the right choice, or an answer to compare one's own with"},
			{Name: "explain", Kind: Text, Default: `""`, Keyword: true, For: ForReader, Doc: "why that is so, for after the answer"}},
		Summary: "ask the reader a question",
		Detail:  "When labrun plays the mission itself, the answer is given and shown.",
		Example: `ask("Who gave Debian its address?", choices = ["Debian", "the router"], answer = "the router")`,
	}}
}

func translated(c *call) (starlark.Value, error) {
	return starlark.String(c.translate(c.text("text"))), nil
}

func say(c *call) (starlark.Value, error) {
	c.thread.Print(c.thread, c.translate(c.text("text"))) // it counts as printed, and is limited like that
	return nil, nil
}

// question is what ask asks, in the reader's language.
type question struct {
	text, answer, explain string
	choices               []string
	right                 int // which choice is the answer
}

func (c *call) question() (question, error) {
	choices, answer := c.texts("choices"), c.text("answer")
	q := question{text: c.translate(c.text("question")), answer: c.translate(answer), explain: c.translate(c.text("explain"))}
	q.right = slices.Index(choices, answer)
	if err := c.answerIsAChoice(); err != nil {
		return q, err
	}
	for _, choice := range choices {
		q.choices = append(q.choices, c.translate(choice))
	}
	return q, nil
}

func ask(c *call) (starlark.Value, error) {
	q, err := c.question()
	if err != nil {
		return nil, err
	}
	c.events.Emit(event.Asked{Question: q.text, Choices: q.choices, Answer: q.answer})
	return starlark.String(c.text("answer")), nil
}

func (c *call) answerIsAChoice() error {
	if choices, _ := elements(c.args["choices"]); len(choices) > 0 && !c.given("answer") { // whatever they are
		return errors.New(`ask: there are choices and no answer: write answer = "…", the one that is right`)
	}
	choices, answer := c.texts("choices"), c.text("answer")
	if len(choices) > 0 && !slices.Contains(choices, answer) {
		return fmt.Errorf("ask: answer %q is not one of the choices: %s", answer, strings.Join(choices, ", "))
	}
	return nil
}

// leadSay shows what the script says once, however often its step is tried.
func leadSay(c *call) (starlark.Value, error) {
	if !c.led.said[c.led.calls] {
		c.led.said[c.led.calls] = true
		c.led.guide.Tell(c.translate(c.text("text")))
	}
	return say(c)
}

func leadAsk(c *call) (starlark.Value, error) {
	q, err := c.question()
	if err != nil {
		return nil, err
	}
	given := c.text("answer")
	tell := c.led.guide.Tell
	if !c.student() {
		tell(c.say("do ask", q.text))
		q.tellAnswer(c)
		return ask(c)
	}
	c.events.Emit(event.Asked{Question: q.text, Choices: q.choices})
	i := guide.Instruction{Text: q.text, Show: c.say("do ask", q.text), Solve: true}
	if len(q.choices) > 0 {
		i.Block, i.Hints, i.Answer = c.choose(q)
	} else {
		i.Block = c.say("do open")
		i.Answer = func(line string) bool {
			given = line
			if line != "" {
				c.led.guide.Answered(q.text, line, "open")
				c.led.guide.Note(c.say("noted"))
			}
			return true
		}
		if q.answer != "" {
			i.Hints = []string{c.say("one answer", q.answer)}
		}
	}
	done, err := c.instruct(i, func(ctx context.Context) error { <-ctx.Done(); return nil })
	switch {
	case err != nil:
		return nil, err
	case !done:
		given = c.text("answer")
		q.tellAnswer(c)
	case len(q.choices) == 0 && q.answer != "":
		tell(c.say("one answer", q.answer))
		fallthrough
	default:
		if q.explain != "" {
			tell(q.explain)
		}
	}
	return starlark.String(given), nil
}

// tellAnswer gives the answer away.
func (q question) tellAnswer(c *call) {
	if q.answer != "" {
		c.led.guide.Tell(c.say("the answer", q.answer))
	}
	if q.explain != "" {
		c.led.guide.Tell(q.explain)
	}
}

// choose is how a question with choices is shown and answered: by number, or in
// words. Each hint but the last rules one wrong choice out.
func (c *call) choose(q question) (block string, hints []string, take func(string) bool) {
	var lines []string
	for n, choice := range q.choices {
		lines = append(lines, fmt.Sprintf("%d. %s", n+1, choice))
		if n != q.right {
			hints = append(hints, c.say("hint not", choice))
		}
	}
	// Where only one would be left, the answer itself is as good.
	hints = append(hints[:max(0, len(hints)-1)], c.say("hint answer", q.answer))
	lines = append(lines, c.say("do choose"))
	return strings.Join(lines, "\n"), hints, func(line string) bool {
		n, err := strconv.Atoi(strings.TrimRight(line, ".)"))
		if err != nil || n < 1 || n > len(q.choices) {
			n = 1 + slices.IndexFunc(q.choices, func(choice string) bool { return strings.EqualFold(choice, line) })
		}
		switch n - 1 {
		case -1:
			c.led.guide.Note(c.say("no such choice", len(q.choices)))
			return false
		case q.right:
			c.led.guide.Answered(q.text, q.answer, "right")
			c.led.guide.Note(c.say("right"))
			return true
		}
		c.led.guide.Answered(q.text, q.choices[n-1], "wrong")
		c.led.guide.Note(c.say("wrong"))
		return false
	}
}
