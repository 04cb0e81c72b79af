package analysis

import (
	"strings"

	"github.com/labrun/labrun/internal/script"
)

// cursor is what an editor's cursor is in. It is found out from the tokens, because
// a script that is being typed rarely parses.
type cursor struct {
	offset int
	tokens []script.Token // up to the cursor; the last may go on behind it
	word   string         // the part before the cursor of the name that it is in
	in     *script.Token  // the string or comment that it is in
	calls  []openCall
}

// openCall is a call whose bracket is still open at the cursor.
type openCall struct {
	function string   // what is called: send, text.strip; empty if it is a list or a dict
	bracket  int      // where the bracket is, in bytes
	index    int      // of the argument that the cursor is in, from 0
	keyword  string   // the name of that argument, if it is given by name
	begins   bool     // nothing of that argument is there yet but a name
	given    []string // the names of all arguments that are given by name
}

// cursorAt looks at a place of a script.
func (s *sourceFile) cursorAt(at Place) cursor {
	c := cursor{offset: s.lines.offset(at)}
	for _, t := range s.tokens {
		if t.From >= c.offset {
			break
		}
		c.tokens = append(c.tokens, t)
	}
	if len(c.tokens) == 0 {
		return c
	}
	switch last := c.tokens[len(c.tokens)-1]; {
	case last.Kind == script.StringToken && (c.offset < last.To || last.Open),
		last.Kind == script.CommentToken && c.offset <= last.To:
		c.in = &last
	case last.Kind == script.NameToken && c.offset <= last.To:
		c.word = s.lines.text[last.From:c.offset]
	}
	c.calls = s.openCalls(c.tokens)
	return c
}

// bracket is one that is open at a place.
type bracket struct {
	call   openCall // of a bracket that is no call's: which item of it one is in
	round  bool
	column int // of the first token in the line that the bracket is in
}

// openCalls follows the brackets up to the cursor, and returns the calls whose brackets are
// open there, the outermost first. A list or dict within the arguments comes as a call of
// nothing. Brackets that a finished line left open by mistake are closed where a statement
// begins that cannot be in them.
func (s *sourceFile) openCalls(tokens []script.Token) (calls []openCall) {
	var open []bracket
	text := s.lines.text
	column, lineBegins := 0, true // of the first token in the line
	for i, t := range tokens {
		switch {
		case t.Kind == script.LineToken:
			lineBegins = true
			continue
		case t.Kind == script.CommentToken:
			continue
		case lineBegins:
			lineBegins = false
			column = t.From - s.lines.starts[s.lines.place(t.From).Line-1]
			for len(open) > 0 && t.Kind == script.NameToken && column <= open[len(open)-1].column {
				open = open[:len(open)-1]
			}
		}
		top := len(open) - 1
		switch {
		case isOneOf(t, text, "([{"):
			b := bracket{column: column, call: openCall{bracket: t.From, begins: true}}
			if t.In(text) == "(" {
				b.round, b.call.function = true, callee(text, tokens[:i])
			}
			if top >= 0 {
				open[top].call.begins = false
			}
			open = append(open, b)
		case top < 0:
		case isOneOf(t, text, ")]}"):
			open = open[:top]
		default:
			open[top].call.take(text, tokens[i-1], t)
		}
	}
	for _, b := range open {
		if b.round {
			calls = append(calls, b.call)
		} else {
			calls = append(calls, openCall{index: b.call.index})
		}
	}
	return calls
}

// isOneOf reports whether a token is one of some marks of one character.
func isOneOf(t script.Token, text, marks string) bool {
	return t.Kind == script.MarkToken && t.To == t.From+1 && strings.Contains(marks, t.In(text))
}

// take notes a token of the arguments, which comes after before.
func (c *openCall) take(text string, before, t script.Token) {
	first := before.Kind != script.NameToken && before.Kind != script.NumberToken && before.Kind != script.StringToken
	switch {
	case isOneOf(t, text, ","):
		c.index++
		c.keyword, c.begins = "", true
	case isOneOf(t, text, "=") && before.Kind == script.NameToken && c.begins:
		c.keyword, c.begins = before.In(text), false
		c.given = append(c.given, c.keyword)
	case t.Kind == script.NameToken && c.begins && first: // which may become the argument's name
	default:
		c.begins = false
	}
}

// callee returns what stands before a bracket: a name with dots. A definition's
// bracket is no call's.
func callee(text string, before []script.Token) string {
	name := ""
	i := len(before) - 1
	for ; i >= 0 && before[i].Kind == script.NameToken; i -= 2 {
		name = before[i].In(text) + name
		if i == 0 || before[i-1].In(text) != "." {
			i--
			break
		}
		name = "." + name
	}
	if i >= 0 && before[i].Kind == script.NameToken && before[i].In(text) == "def" || strings.HasPrefix(name, ".") {
		return ""
	}
	return name
}

// call returns the innermost call that the cursor is in the arguments of; false if
// it is in none, or in a list or dict within one.
func (c cursor) call() (openCall, bool) {
	if len(c.calls) == 0 || c.calls[len(c.calls)-1].function == "" {
		return openCall{}, false
	}
	return c.calls[len(c.calls)-1], true
}

// previous returns the token before the word at the cursor; false if there is none
// in that line.
func (c cursor) previous() (script.Token, bool) {
	i := len(c.tokens) - 1
	if c.word != "" || c.in != nil {
		i--
	}
	if i < 0 || c.tokens[i].Kind == script.LineToken {
		return script.Token{}, false
	}
	return c.tokens[i], true
}

// primary returns where the expression begins, in bytes, that the tokens end with: names,
// fields, calls and indexes. It is -1 if there is none in that line.
func primary(text string, tokens []script.Token) int {
	begin := -1
	for i := len(tokens) - 1; i >= 0; i-- {
		switch t := tokens[i]; {
		case t.Kind == script.NameToken || t.Kind == script.StringToken && !t.Open:
			begin = t.From
		case t.In(text) == ")" || t.In(text) == "]":
			if i = opening(text, tokens, i); i < 0 {
				return -1
			}
			begin = tokens[i].From
			if i > 0 && operand(text, tokens[i-1]) {
				continue // what is called or indexed
			}
		default:
			return begin
		}
		if i--; i < 1 || tokens[i].In(text) != "." {
			return begin
		}
	}
	return begin
}

// operand reports whether a token may be the end of an expression.
func operand(text string, t script.Token) bool {
	return t.Kind == script.NameToken || t.Kind == script.StringToken || t.In(text) == ")" || t.In(text) == "]"
}

// opening returns the bracket that the one at i closes; -1 if it is not in that
// line.
func opening(text string, tokens []script.Token, i int) int {
	for depth := 0; i >= 0 && tokens[i].Kind != script.LineToken; i-- {
		switch tokens[i].In(text) {
		case ")", "]", "}":
			depth++
		case "(", "[", "{":
			depth--
		}
		if depth == 0 {
			return i
		}
	}
	return -1
}
