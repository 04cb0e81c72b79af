package analysis

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// Place is a position in a script: a line and a column, both counted from 1, the
// column in characters, as in all of labrun's messages.
type Place struct{ Line, Column int }

// Span is a piece of a script; To is the place after it.
type Span struct{ From, To Place }

// pages knows where the lines of a text begin.
type lineIndex struct {
	text   string
	starts []int
}

func indexLines(text string) lineIndex {
	p := lineIndex{text: text, starts: []int{0}}
	for i := 0; i < len(text); i++ {
		if text[i] == '\n' || text[i] == '\r' && !strings.HasPrefix(text[i+1:], "\n") {
			p.starts = append(p.starts, i+1)
		}
	}
	return p
}

// place turns an offset in bytes into a place.
func (p lineIndex) place(offset int) Place {
	line := sort.SearchInts(p.starts, offset+1)
	return Place{line, utf8.RuneCountInString(p.text[p.starts[line-1]:offset]) + 1}
}

func (p lineIndex) span(from, to int) Span { return Span{p.place(from), p.place(to)} }

// offset turns a place into an offset; one beyond the text is moved into it.
func (p lineIndex) offset(at Place) int {
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
