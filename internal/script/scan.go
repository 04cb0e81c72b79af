package script

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// TokenKind says what sort of token there is.
type TokenKind int

// The kinds of tokens.
const (
	NameToken   TokenKind = iota // an identifier or a keyword
	NumberToken                  // a number
	StringToken                  // a string with its quotation marks and prefix
	CommentToken
	LineToken // the end of a line
	MarkToken // an operator or a bracket
)

// Token is a piece of a text.
type Token struct {
	Kind     TokenKind
	From, To int  // in bytes
	Open     bool // a string whose end is missing
}

// In returns the token's own text; text is what it was scanned from.
func (t Token) In(text string) string { return text[t.From:t.To] }

// Inside returns what is between a string's quotation marks, and at which byte of text it
// begins.
func (t Token) Inside(text string) (string, int) {
	body := t.In(text)
	prefix := len(body) - len(strings.TrimLeft(body, "rb"))
	quote := body[prefix : prefix+1]
	if strings.HasPrefix(body[prefix:], strings.Repeat(quote, 3)) {
		quote = strings.Repeat(quote, 3)
	}
	begin := prefix + len(quote)
	if t.Open {
		return body[begin:], t.From + begin
	}
	return body[begin : len(body)-len(quote)], t.From + begin
}

// Scan cuts any text into tokens. Blanks, and line ends that a backslash hides, are none.
// It is needed beside Starlark's own scanner because that is part of the parser: it
// refuses a script that is being typed, and does not tell where comments are.
func Scan(text string) []Token {
	var tokens []Token
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		t := Token{Kind: MarkToken, From: i, To: i + size}
		switch {
		case r == '\n' || r == '\r':
			t.Kind = LineToken
			if strings.HasPrefix(text[i:], "\r\n") {
				t.To++
			}
		case r == ' ' || r == '\t' || r == '\ufeff':
			i += size
			continue
		case r == '\\' && i+1 < len(text) && (text[i+1] == '\n' || text[i+1] == '\r'):
			i += 2 // the line goes on
			continue
		case r == '#':
			inLine := func(r rune) bool { return r != '\n' && r != '\r' }
			t.Kind, t.To = CommentToken, i+length(text[i:], inLine)
		case quoted(text[i:]) >= 0:
			t.Kind = StringToken
			t.To, t.Open = stringEnd(text, i+quoted(text[i:]))
		case nameRune(r) && !unicode.IsDigit(r):
			t.Kind, t.To = NameToken, i+length(text[i:], nameRune)
		case unicode.IsDigit(r):
			t.Kind, t.To = NumberToken, i+length(text[i:], func(r rune) bool { return nameRune(r) || r == '.' })
		case strings.ContainsRune("=!<>+-*/%&|^", r) && strings.HasPrefix(text[i+1:], "="):
			t.To++
		}
		tokens = append(tokens, t)
		i = t.To
	}
	return tokens
}

func nameRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// length returns how many bytes at the beginning of text are of characters that fit.
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
