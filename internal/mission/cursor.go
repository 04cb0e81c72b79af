package mission

import (
	"strings"
)

// cursor is what an editor's cursor is in. It is found out from the tokens, because
// a script that is being typed rarely parses.
type cursor struct {
	offset int
	tokens []token // up to the cursor; the last may go on behind it
	word   string  // the part before the cursor of the name that it is in
	in     *token  // the string or comment that it is in
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
func (s *scriptFile) cursorAt(at Place) cursor {
	c := cursor{offset: s.pages.offset(at)}
	for _, t := range s.tokens {
		if t.from >= c.offset {
			break
		}
		c.tokens = append(c.tokens, t)
	}
	if len(c.tokens) == 0 {
		return c
	}
	switch last := c.tokens[len(c.tokens)-1]; {
	case last.kind == stringToken && (c.offset < last.to || last.open), last.kind == commentToken && c.offset <= last.to:
		c.in = &last
	case last.kind == nameToken && c.offset <= last.to:
		c.word = s.pages.text[last.from:c.offset]
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
func (s *scriptFile) openCalls(c cursor) []openCall {
	var frames []frame
	text := s.pages.text
	firstColumn, lineBegins := 0, true
	for i, t := range c.tokens {
		if t.kind == lineToken {
			lineBegins = true
			continue
		}
		if lineBegins && t.kind != commentToken {
			lineBegins = false
			firstColumn = t.from - s.pages.starts[s.pages.place(t.from).Line-1]
			for len(frames) > 0 && t.kind == nameToken && firstColumn <= frames[len(frames)-1].column {
				frames = frames[:len(frames)-1]
			}
		}
		piece := t.in(text)
		top := len(frames) - 1
		switch {
		case t.kind == markToken && (piece == "(" || piece == "[" || piece == "{"):
			f := frame{round: piece == "(", column: firstColumn, call: openCall{bracket: t.from, begins: true}}
			if f.round {
				f.call.function = callee(text, c.tokens[:i])
			}
			if top >= 0 {
				frames[top].call.begins = false
			}
			frames = append(frames, f)
		case t.kind == markToken && (piece == ")" || piece == "]" || piece == "}"):
			if top >= 0 {
				frames = frames[:top]
			}
		case top < 0 || t.kind == commentToken:
		case t.kind == markToken && piece == ",":
			frames[top].call.index++
			frames[top].call.keyword, frames[top].call.begins = "", true
		case t.kind == markToken && piece == "=" && c.tokens[i-1].kind == nameToken && frames[top].call.begins:
			name := c.tokens[i-1].in(text)
			frames[top].call.keyword, frames[top].call.begins = name, false
			frames[top].call.given = append(frames[top].call.given, name)
		case t.kind == nameToken && frames[top].call.begins && (c.tokens[i-1].kind == markToken || c.tokens[i-1].kind == lineToken || c.tokens[i-1].kind == commentToken):
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
func callee(text string, before []token) string {
	name := ""
	i := len(before) - 1
	for ; i >= 0 && before[i].kind == nameToken; i -= 2 {
		name = before[i].in(text) + name
		if i == 0 || before[i-1].in(text) != "." {
			i--
			break
		}
		name = "." + name
	}
	if i >= 0 && before[i].kind == nameToken && before[i].in(text) == "def" || strings.HasPrefix(name, ".") {
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
func (c cursor) before() (token, bool) {
	i := len(c.tokens) - 1
	if c.word != "" || c.in != nil {
		i--
	}
	if i < 0 || c.tokens[i].kind == lineToken {
		return token{}, false
	}
	return c.tokens[i], true
}

// primary returns where the expression begins that the tokens end with: names,
// fields, calls and indexes. It is -1 if there is none in that line.
func primary(text string, tokens []token) int {
	begin := -1
	for i := len(tokens) - 1; i >= 0; i-- {
		switch t := tokens[i]; {
		case t.kind == nameToken || t.kind == stringToken && !t.open:
			begin = t.from
		case t.in(text) == ")" || t.in(text) == "]":
			if i = opening(text, tokens, i); i < 0 {
				return -1
			}
			begin = tokens[i].from
			if i > 0 && operand(text, tokens[i-1]) {
				continue // what is called or indexed
			}
		default:
			return begin
		}
		if i--; i < 1 || tokens[i].in(text) != "." {
			return begin
		}
	}
	return begin
}

// operand reports whether a token may be the end of an expression.
func operand(text string, t token) bool {
	return t.kind == nameToken || t.kind == stringToken || t.in(text) == ")" || t.in(text) == "]"
}

// opening returns the bracket that the one at i closes; -1 if it is not in that
// line.
func opening(text string, tokens []token, i int) int {
	for depth := 0; i >= 0 && tokens[i].kind != lineToken; i-- {
		switch tokens[i].in(text) {
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
