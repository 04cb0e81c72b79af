package builtins

import (
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/event"
)

func dialogue() []Entry {
	const group = "Talking to the reader"
	return []Entry{{
		Name: "say", Group: group, Phase: Acting, call: say,
		Params:  []Param{{Name: "text", Kind: Text, Doc: "a word in between"}},
		Summary: "tell the reader something",
		Example: `say("Debian is at " + address(debian))`,
	}, {
		Name: "ask", Group: group, Phase: Acting, call: ask, Returns: "string: the answer",
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
	choices, answer := c.texts("choices"), c.text("answer")
	if len(choices) > 0 && !slices.Contains(choices, answer) {
		return nil, fmt.Errorf("ask: answer %q is not one of the choices: %s", answer, strings.Join(choices, ", "))
	}
	c.events.Emit(event.Asked{Question: c.text("question"), Choices: choices, Answer: answer})
	return starlark.String(answer), nil
}
