package mission

import (
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The parser refuses a script that is being typed, and it does not say where the
// comments are. So there is a scanner that takes any text.

type tokenKind int

const (
	nameToken tokenKind = iota
	numberToken
	stringToken
	commentToken
	lineToken // the end of a line
	markToken // an operator or a bracket
)

// token is a piece of a script.
type token struct {
	kind     tokenKind
	from, to int  // in bytes
	open     bool // a string whose end is missing
}

func (t token) in(text string) string { return text[t.from:t.to] }

// inside returns what is between a string's quotation marks, and where it begins.
func (t token) inside(text string) (string, int) {
	body := t.in(text)
	prefix := len(body) - len(strings.TrimLeft(body, "rb"))
	quote := body[prefix : prefix+1]
	if strings.HasPrefix(body[prefix:], strings.Repeat(quote, 3)) {
		quote = strings.Repeat(quote, 3)
	}
	begin := prefix + len(quote)
	if t.open {
		return body[begin:], t.from + begin
	}
	return body[begin : len(body)-len(quote)], t.from + begin
}

// scan cuts any text into tokens.
func scan(text string) []token {
	var tokens []token
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		t := token{kind: markToken, from: i, to: i + size}
		switch {
		case r == '\n' || r == '\r':
			t.kind = lineToken
			if strings.HasPrefix(text[i:], "\r\n") {
				t.to++
			}
		case r == ' ' || r == '\t' || r == '\ufeff':
			i += size
			continue
		case r == '\\' && i+1 < len(text) && (text[i+1] == '\n' || text[i+1] == '\r'):
			i += 2 // the line goes on
			continue
		case r == '#':
			t.kind, t.to = commentToken, i+length(text[i:], func(r rune) bool { return r != '\n' && r != '\r' })
		case quoted(text[i:]) >= 0:
			t.kind = stringToken
			t.to, t.open = stringEnd(text, i+quoted(text[i:]))
		case nameRune(r) && !unicode.IsDigit(r):
			t.kind, t.to = nameToken, i+length(text[i:], nameRune)
		case unicode.IsDigit(r):
			t.kind, t.to = numberToken, i+length(text[i:], func(r rune) bool { return nameRune(r) || r == '.' })
		case strings.ContainsRune("=!<>+-*/%&|^", r) && strings.HasPrefix(text[i+1:], "="):
			t.to++
		}
		tokens = append(tokens, t)
		i = t.to
	}
	return tokens
}

func nameRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// length returns how many bytes of text fit.
func length(text string, fits func(rune) bool) int {
	if end := strings.IndexFunc(text, func(r rune) bool { return !fits(r) }); end >= 0 {
		return end
	}
	return len(text)
}

// quoted returns where the opening quotation mark of the string is with which
// text begins, after its prefix; -1 if it begins with none.
func quoted(text string) int {
	prefix := min(length(text, func(r rune) bool { return r == 'r' || r == 'b' }), 2)
	if prefix < len(text) && (text[prefix] == '"' || text[prefix] == '\'') {
		return prefix
	}
	return -1
}

// stringEnd returns the end of the string whose quotation mark is at i.
func stringEnd(text string, i int) (end int, open bool) {
	quote := text[i : i+1]
	if long := strings.Repeat(quote, 3); strings.HasPrefix(text[i:], long) {
		quote = long
	}
	for i += len(quote); i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
		case strings.HasPrefix(text[i:], quote):
			return i + len(quote), false
		case len(quote) == 1 && (text[i] == '\n' || text[i] == '\r'):
			return i, true
		}
	}
	return len(text), true
}

// Place is a position in a script: a line and a column, both counted from 1, the
// column in characters, as in all of labrun's messages.
type Place struct{ Line, Column int }

// Span is a piece of a script; To is the place after it.
type Span struct{ From, To Place }

// pages knows where the lines of a text begin.
type pages struct {
	text   string
	starts []int
}

func paginate(text string) pages {
	p := pages{text: text, starts: []int{0}}
	for i := 0; i < len(text); i++ {
		if text[i] == '\n' || text[i] == '\r' && !strings.HasPrefix(text[i+1:], "\n") {
			p.starts = append(p.starts, i+1)
		}
	}
	return p
}

// place turns an offset in bytes into a place.
func (p pages) place(offset int) Place {
	line := sort.SearchInts(p.starts, offset+1)
	return Place{line, utf8.RuneCountInString(p.text[p.starts[line-1]:offset]) + 1}
}

func (p pages) span(from, to int) Span { return Span{p.place(from), p.place(to)} }

// offset turns a place into an offset; one beyond the text is moved into it.
func (p pages) offset(at Place) int {
	if at.Line < 1 {
		return 0
	}
	if at.Line > len(p.starts) {
		return len(p.text)
	}
	offset := p.starts[at.Line-1]
	for n := 1; n < at.Column && offset < len(p.text) && p.text[offset] != '\n' && p.text[offset] != '\r'; n++ {
		_, size := utf8.DecodeRuneInString(p.text[offset:])
		offset += size
	}
	return offset
}
