package builtins

import (
	"context"
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
		Name: "say", Group: group, Phase: Acting, call: say, lead: leadSay,
		Params:  []Param{{Name: "text", Kind: Text, Doc: "a word in between"}},
		Summary: "tell the reader something",
		Example: `say("Debian is at " + address(debian))`,
	}, {
		Name: "ask", Group: group, Phase: Acting, call: ask, lead: leadAsk, verify: (*call).answerIsAChoice, Result: Text, Returns: "string: the answer",
		Params: []Param{
			{Name: "question", Kind: Text, Doc: "something to think about"},
			{Name: "choices", Kind: Texts, Default: "[]", Doc: "possible answers; none: an open question"},
			{Name: "answer", Kind: Text, Default: `""`, Doc: "the right choice, or an answer to compare one's own with"}},
		Summary: "ask the reader a question",
		Detail:  "When labrun plays the mission itself, the answer is given and shown.",
		Example: `ask("Who gave Debian its address?", choices = ["Debian", "the router"], answer = "the router")`,
	}}
}

func say(c *call) (starlark.Value, error) {
	c.thread.Print(c.thread, c.text("text")) // it counts as printed, and is limited like that
	return nil, nil
}

func ask(c *call) (starlark.Value, error) {
	if err := c.answerIsAChoice(); err != nil {
		return nil, err
	}
	choices, answer := c.texts("choices"), c.text("answer")
	c.events.Emit(event.Asked{Question: c.text("question"), Choices: choices, Answer: answer})
	return starlark.String(answer), nil
}

func (c *call) answerIsAChoice() error {
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
		c.led.guide.Tell(c.text("text"))
	}
	return say(c)
}

func leadAsk(c *call) (starlark.Value, error) {
	question, choices, answer := c.text("question"), c.texts("choices"), c.text("answer")
	if len(choices) > 0 && !slices.Contains(choices, answer) {
		return ask(c) // which refuses that
	}
	if !c.student() {
		c.led.guide.Tell(c.say("do ask", question))
		if answer != "" {
			c.led.guide.Tell(c.say("the answer", answer))
		}
		return ask(c)
	}
	c.events.Emit(event.Asked{Question: question, Choices: choices})
	i := guide.Instruction{Text: question, Show: c.say("do ask", question), Solve: true}
	given := answer
	if len(choices) > 0 {
		i.Block, i.Hints, i.Answer = c.choose(choices, answer)
	} else {
		i.Block = c.say("do open")
		i.Answer = func(line string) bool {
			given = line
			if line != "" {
				c.led.guide.Answered(question, line, "open")
				c.led.guide.Note(c.say("noted"))
			}
			return true
		}
		if answer != "" {
			i.Hints = []string{c.say("one answer", answer)}
		}
	}
	done, err := c.instruct(i, func(ctx context.Context) error { <-ctx.Done(); return nil })
	if err != nil {
		return nil, err
	}
	switch {
	case !done && answer != "":
		c.led.guide.Tell(c.say("the answer", answer))
	case len(choices) == 0 && answer != "":
		c.led.guide.Tell(c.say("one answer", answer))
	}
	if !done || len(choices) > 0 {
		given = answer
	}
	return starlark.String(given), nil
}

// choose is how a question with choices is shown and answered: by number, or in
// words. Each hint rules one wrong choice out.
func (c *call) choose(choices []string, answer string) (block string, hints []string, take func(string) bool) {
	var lines []string
	for n, choice := range choices {
		lines = append(lines, fmt.Sprintf("%d. %s", n+1, choice))
		if choice != answer && len(choices) > 2 {
			hints = append(hints, c.say("hint not", choice))
		}
	}
	hints = append(hints[:max(0, len(hints)-1)], c.say("hint answer", answer))
	lines = append(lines, c.say("do choose"))
	return strings.Join(lines, "\n"), hints, func(line string) bool {
		given := line
		if n, err := strconv.Atoi(strings.TrimRight(line, ".)")); err == nil && n >= 1 && n <= len(choices) {
			given = choices[n-1]
		}
		known := slices.IndexFunc(choices, func(choice string) bool { return strings.EqualFold(choice, given) })
		if known < 0 {
			c.led.guide.Note(c.say("no such choice", len(choices)))
			return false
		}
		if choices[known] != answer {
			c.led.guide.Answered(c.text("question"), choices[known], "wrong")
			c.led.guide.Note(c.say("wrong"))
			return false
		}
		c.led.guide.Answered(c.text("question"), answer, "right")
		c.led.guide.Note(c.say("right"))
		return true
	}
}
