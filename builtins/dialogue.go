package builtins

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
)

func dialogue() []Entry {
	const group = "Talking to the reader"
	return []Entry{{
		Name:    "say",
		Group:   group,
		Phase:   Acting,
		Effect:  Tells,
		call:    say,
		lead:    leadSay,
		Params:  []Param{{Name: "text", Kind: Text, For: ForReader, Doc: "a word in between"}},
		Summary: "tell the reader something",
		Example: `say("Debian is at " + address(debian))`,
	}, {
		Name:    "tr",
		Group:   group,
		Phase:   Always,
		Effect:  Knows,
		call:    translated,
		Result:  Text,
		Returns: "string",
		Params:  []Param{{Name: "text", Kind: Text, For: ForReader, Doc: "as it is in the translations"}},
		Summary: "a text in the reader's language",
		Detail: "Titles, narrations, hints, questions, answers, tasks and what `say` says are translated by " +
			"themselves. This is for texts that are put together.",
		Example: `say(tr("%s runs Linux %s") % (debian.name, kernel))`,
	}, {
		Name:    "ask",
		Group:   group,
		Phase:   Acting,
		Effect:  Tells,
		Demands: "choices",
		call:    ask,
		lead:    leadAsk,
		asks:    "answer:",
		verify:  (*call).answerIsAChoice,
		Result:  Text,
		Returns: "string: the answer",
		Params: []Param{
			{Name: "question", Kind: Text, For: ForReader, Doc: "something to think about"},
			{
				Name:    "choices",
				Kind:    Texts,
				Default: "[]",
				For:     ForReader,
				Doc:     "possible answers; none: an open question",
			},
			{
				Name:    "answer",
				Kind:    Text,
				Default: `""`,
				For:     ForReader,
				Doc:     "the right choice, or an answer to compare one's own with",
			},
			{
				Name:    "explain",
				Kind:    Text,
				Default: `""`,
				Keyword: true,
				For:     ForReader,
				Doc:     "why that is so, for after the answer",
			}},
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
func (c *call) question() (*guide.Question, error) {
	if err := c.answerIsAChoice(); err != nil {
		return nil, err
	}
	return &guide.Question{
		Text: c.told("question"), Choices: c.translations(c.texts("choices")), Answer: c.told("answer"),
	}, nil
}

// asked is a question as the records have it.
func asked(q *guide.Question) event.Asked {
	e := event.Asked{Question: q.Text.String()}
	for _, choice := range q.Choices {
		e.Choices = append(e.Choices, choice.String())
	}
	return e
}

func ask(c *call) (starlark.Value, error) {
	q, err := c.question()
	if err != nil {
		return nil, err
	}
	e := asked(q)
	e.Answer = c.veil(q.Answer.String())
	c.events.Emit(e)
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
		c.led.dialogue.Tell(c.told("text"))
	}
	return say(c)
}

func leadAsk(c *call) (starlark.Value, error) {
	q, err := c.question()
	if err != nil {
		return nil, err
	}
	d, open := c.led.dialogue, len(q.Choices) == 0 // the answer is in the student's own words
	if !c.student() {
		d.Tell(c.phrase("do ask", q.Text))
		c.tellAnswer(q)
		return ask(c)
	}
	e := asked(q)
	c.events.Emit(e)
	done, err := c.instruct(guide.Instruction{
		Text: e.Question, Show: c.phrase("do ask", q.Text), Question: q, Solve: true,
	}, guide.Forever)
	switch {
	case err != nil:
		return nil, err
	case !done:
		c.tellAnswer(q)
		return starlark.String(c.text("answer")), nil
	case open && c.text("answer") != "":
		d.Tell(c.phrase("one answer", q.Answer))
	}
	c.explain()
	if open {
		return starlark.String(q.Given), nil
	}
	return starlark.String(c.text("answer")), nil // a choice as the script has it, and not its translation
}

// tellAnswer tells a student what the answer is, and why.
func (c *call) tellAnswer(q *guide.Question) {
	if c.text("answer") != "" {
		c.led.dialogue.Tell(c.phrase("the answer", q.Answer))
	}
	c.explain()
}

func (c *call) explain() {
	if c.text("explain") != "" {
		c.led.dialogue.Tell(c.told("explain"))
	}
}
