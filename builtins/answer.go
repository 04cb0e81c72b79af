package builtins

import (
	"fmt"
	"strings"

	"go.starlark.net/starlark"
)

// WrongAnswer is an answer that must not do.
type WrongAnswer struct {
	Text     string             // what is typed, line by line
	Function *starlark.Function // what is done instead; nil: the text is typed
	// Reason is why it must fail: words that are, in the script's own language, in what a
	// student is told or in what the check says; empty: any refusal will do.
	Reason string
}

// String is the answer as its author knows it: what is typed, or the function's name.
func (w WrongAnswer) String() string {
	if w.Function != nil {
		return w.Function.Name()
	}
	return w.Text
}

// misfitAnswers says what is wrong with a value for a list of answers.
func misfitAnswers(v starlark.Value) string {
	const want = "want a list of answers, each a string or a function, or (that, why it must fail)"
	items, ok := elements(v)
	if !ok {
		return want + ", got " + described(v)
	}
	if pair, ok := v.(starlark.Tuple); ok && len(pair) == 2 && isText(pair[0]) && isText(pair[1]) {
		return "two strings in parentheses may be two answers, or one and its reason: write [a, b], or [(a, b)]"
	}
	for i, item := range items {
		if pair, ok := item.(starlark.Tuple); ok {
			switch {
			case len(pair) != 2 || Solution.misfit(pair[0]) != "" || !isText(pair[1]):
				return fmt.Sprintf("%s, and item %d is %s", want, i+1, described(item))
			case pair[1] == starlark.String(""):
				return fmt.Sprintf("%s, and the reason of item %d is empty", want, i+1)
			}
			continue
		}
		if some, ok := item.(Some); ok && Answers.holds(some) || Solution.misfit(item) == "" {
			continue
		}
		return fmt.Sprintf("%s, and item %d is %s", want, i+1, described(item))
	}
	return ""
}

// isText reports whether a value is a string, or may be one.
func isText(v starlark.Value) bool {
	if some, ok := v.(Some); ok {
		return Text.mismatch(some) == ""
	}
	_, ok := v.(starlark.String)
	return ok
}

// answers returns what is given for a list of answers.
func (c *call) answers(name string) (all []WrongAnswer) {
	for _, item := range c.list(name) {
		var answer WrongAnswer
		if pair, ok := item.(starlark.Tuple); ok { // of two: see misfitAnswers
			item = pair[0]
			answer.Reason, _ = starlark.AsString(pair[1])
		}
		answer.Text, _ = starlark.AsString(item)
		answer.Function, _ = item.(*starlark.Function)
		all = append(all, answer)
	}
	return all
}

// A Refusal is a check that did not hold.
type Refusal struct {
	Builtin  string `json:"builtin"`
	Position string `json:"position"` // file:line:column; of a function that returned False, where it begins
	Message  string `json:"message"`  // what it found
}

// Refusal tells which check failed, and where.
func (e *CheckError) Refusal() *Refusal {
	r := &Refusal{Builtin: e.Builtin, Message: e.Message}
	if e.Position.IsValid() {
		r.Position = e.Position.String()
	}
	return r
}

// gives reports whether the check failed for a reason: the words are in what the student is
// told, or in what the check found, whatever their case and the blanks between them.
func (e *CheckError) gives(reason string) bool {
	plain := func(s string) string { return strings.Join(strings.Fields(strings.ToLower(s)), " ") }
	return strings.Contains(plain(e.Hint), plain(reason)) || strings.Contains(plain(e.Message), plain(reason))
}

// refuse is how a trial's step ends whose wrong answer was refused.
func (c *call) refuse(failure *CheckError, end Ending) error {
	stated, err := c.refusedFor(c.rehearsal.Reason, failure)
	if err != nil {
		return err
	}
	return &Rehearsed{Refusal: failure.Refusal(), Hint: failure.Hint, Stated: stated, Ending: end}
}

// refusedFor reports whether a task's check, which has just failed, failed for a reason,
// which is given in the script's own language: for a reader of another one the check is
// made again without translating.
func (c *call) refusedFor(reason string, failure *CheckError) (bool, error) {
	if reason == "" || failure.gives(reason) {
		return true, nil
	}
	reader := c.Session.translate
	c.Session.translate = func(text string) string { return text } // no other thread of the session's runs meanwhile
	defer func() { c.Session.translate = reader }()
	own, _, err := c.look(c.ctx)
	return own != nil && own.gives(reason), err
}
