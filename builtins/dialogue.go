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
	q := &guide.Question{Text: c.translate(c.text("question")), Answer: c.translate(c.text("answer"))}
	for _, choice := range c.texts("choices") {
		q.Choices = append(q.Choices, c.translate(choice))
	}
	return q, nil
}

func ask(c *call) (starlark.Value, error) {
	q, err := c.question()
	if err != nil {
		return nil, err
	}
	c.events.Emit(event.Asked{Question: q.Text, Choices: q.Choices, Answer: q.Answer})
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
		c.led.dialogue.Tell(c.translate(c.text("text")))
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
		d.Tell(c.say("do ask", q.Text))
		c.tellAnswer(q)
		return ask(c)
	}
	c.events.Emit(event.Asked{Question: q.Text, Choices: q.Choices})
	done, err := c.instruct(guide.Instruction{
		Text: q.Text, Show: c.say("do ask", q.Text), Question: q, Solve: true,
	}, guide.Forever)
	switch {
	case err != nil:
		return nil, err
	case !done:
		c.tellAnswer(q)
		return starlark.String(c.text("answer")), nil
	case open && q.Answer != "":
		d.Tell(c.say("one answer", q.Answer))
	}
	c.explain()
	if open {
		return starlark.String(q.Given), nil
	}
	return starlark.String(c.text("answer")), nil // a choice as the script has it, and not its translation
}

// tellAnswer tells a student what the answer is, and why.
func (c *call) tellAnswer(q *guide.Question) {
	if q.Answer != "" {
		c.led.dialogue.Tell(c.say("the answer", q.Answer))
	}
	c.explain()
}

func (c *call) explain() {
	if why := c.translate(c.text("explain")); why != "" {
		c.led.dialogue.Tell(why)
	}
}
