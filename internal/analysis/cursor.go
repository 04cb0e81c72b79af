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
	function string // what is called: «send», «text.strip»
	bracket  int    // where the bracket is
	index    int    // of the argument that the cursor is in, from 0
	keyword  string // the name of that argument, if it is given by name
	begins   bool   // nothing of that argument is there yet but a name
	given    []string
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
	case last.Kind == script.StringToken && (c.offset < last.To || last.Open), last.Kind == script.CommentToken && c.offset <= last.To:
		c.in = &last
	case last.Kind == script.NameToken && c.offset <= last.To:
		c.word = s.lines.text[last.From:c.offset]
	}
	c.calls = s.openCalls(c)
	return c
}

// frame is a bracket that is open.
type frame struct {
	call   openCall
	round  bool
	column int // of the first token in the line that the bracket is in
}

// openCalls follows the brackets up to the cursor. Brackets that a finished line
// left open by mistake are closed where a statement begins that cannot be in them.
func (s *sourceFile) openCalls(c cursor) []openCall {
	var frames []frame
	text := s.lines.text
	firstColumn, lineBegins := 0, true
	for i, t := range c.tokens {
		if t.Kind == script.LineToken {
			lineBegins = true
			continue
		}
		if lineBegins && t.Kind != script.CommentToken {
			lineBegins = false
			firstColumn = t.From - s.lines.starts[s.lines.place(t.From).Line-1]
			for len(frames) > 0 && t.Kind == script.NameToken && firstColumn <= frames[len(frames)-1].column {
				frames = frames[:len(frames)-1]
			}
		}
		piece := t.In(text)
		top := len(frames) - 1
		switch {
		case t.Kind == script.MarkToken && (piece == "(" || piece == "[" || piece == "{"):
			f := frame{round: piece == "(", column: firstColumn, call: openCall{bracket: t.From, begins: true}}
			if f.round {
				f.call.function = callee(text, c.tokens[:i])
			}
			if top >= 0 {
				frames[top].call.begins = false
			}
			frames = append(frames, f)
		case t.Kind == script.MarkToken && (piece == ")" || piece == "]" || piece == "}"):
			if top >= 0 {
				frames = frames[:top]
			}
		case top < 0 || t.Kind == script.CommentToken:
		case t.Kind == script.MarkToken && piece == ",":
			frames[top].call.index++
			frames[top].call.keyword, frames[top].call.begins = "", true
		case t.Kind == script.MarkToken && piece == "=" && c.tokens[i-1].Kind == script.NameToken && frames[top].call.begins:
			name := c.tokens[i-1].In(text)
			frames[top].call.keyword, frames[top].call.begins = name, false
			frames[top].call.given = append(frames[top].call.given, name)
		case t.Kind == script.NameToken && frames[top].call.begins && (c.tokens[i-1].Kind == script.MarkToken || c.tokens[i-1].Kind == script.LineToken || c.tokens[i-1].Kind == script.CommentToken):
		default:
			frames[top].call.begins = false
		}
	}
	var calls []openCall
	for _, f := range frames {
		if f.round {
			calls = append(calls, f.call)
		} else {
			calls = append(calls, openCall{index: f.call.index})
		}
	}
	return calls
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

// before returns the token before the word at the cursor; false if there is none
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

// primary returns where the expression begins that the tokens end with: names,
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
