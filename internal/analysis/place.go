package analysis

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// Place is a position in a script: a line and a column, both counted from 1, the
// column in characters, as in all of labrun's messages.
type Place struct{ Line, Column int }

// Before reports whether a place comes before another.
func (p Place) Before(other Place) bool {
	return p.Line < other.Line || p.Line == other.Line && p.Column < other.Column
}

// Span is a piece of a script; To is the place after it.
type Span struct{ From, To Place }

// touches reports whether a place is in a span, or right behind it, where a cursor still is
// at the word that was just typed.
func (s Span) touches(p Place) bool { return !p.Before(s.From) && !s.To.Before(p) }

// lineIndex is a text and where its lines begin, to turn bytes into places and back.
type lineIndex struct {
	text   string
	starts []int // in bytes
}

func indexLines(text string) lineIndex {
	x := lineIndex{text: text, starts: []int{0}}
	for i := 0; i < len(text); i++ {
		if text[i] == '\n' || text[i] == '\r' && !strings.HasPrefix(text[i+1:], "\n") {
			x.starts = append(x.starts, i+1)
		}
	}
	return x
}

// place turns an offset in bytes into a place.
func (x lineIndex) place(offset int) Place {
	line := sort.SearchInts(x.starts, offset+1)
	return Place{line, utf8.RuneCountInString(x.text[x.starts[line-1]:offset]) + 1}
}

// span returns the piece between two offsets in bytes.
func (x lineIndex) span(from, to int) Span { return Span{x.place(from), x.place(to)} }

// offset turns a place into an offset; one beyond the text is moved into it.
func (x lineIndex) offset(at Place) int {
	if at.Line < 1 {
		return 0
	}
	if at.Line > len(x.starts) {
		return len(x.text)
	}
	offset := x.starts[at.Line-1]
	for n := 1; n < at.Column && offset < len(x.text) && x.text[offset] != '\n' && x.text[offset] != '\r'; n++ {
		_, size := utf8.DecodeRuneInString(x.text[offset:])
		offset += size
	}
	return offset
}
