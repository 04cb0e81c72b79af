package screen

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Lost stands in a stream, on a line of its own, where the screen had scrolled on by more than it shows.
const Lost = "[… some lines may have scrolled off before they were read]"

// notYet is what QEMU itself shows, in the font of the card's ROM, before a guest has set up its screen.
const notYet = "Guest has not initialized the display (yet)."

// mostHeld is how many looks in a row are held back: a program that always changes something is shown every so often.
const mostHeld = 4

// A Stream turns the states of a screen into what a terminal is to be sent, one after the other, to show the same. The
// package's comment tells how. The zero value is ready: its terminal has its cursor at the beginning of a line, and nothing
// below it. A Stream must not be used concurrently.
type Stream struct {
	columns, rows int    // of the screen; 0: nothing was shown yet
	cells         []Cell // what the terminal shows of it, by rows
	depth         int    // how many of its rows the terminal's lines reach down to; below 1 where more has scrolled
	x, y          int    // the terminal's cursor; x is columns behind a full row
	pen           Cell   // the terminal's colours
	graphics      string // the note that is shown instead of a picture
	entered       bool   // the end of a line was typed since the last change

	seen []Cell // at the last look, and not shown yet
	same int    // how often it was seen
	held int    // how many looks were not shown

	out bytes.Buffer
}

// Next returns what makes the terminal show a text; nothing if it shows that. A screen may be looked at while a guest is
// copying its rows to scroll, and what is seen then was never to be shown. So where rows changed that were not being written,
// Next returns nothing and is Unsettled until the next look has confirmed it.
func (s *Stream) Next(t *Text) []byte {
	if s.rows == 0 && strings.TrimSpace(t.String()) == notYet {
		return nil
	}
	resized := s.columns != t.Columns || s.rows != t.Rows
	if resized && s.rows > 0 && empty(t.Cells) {
		s.settle()
		return nil // the card is being set up for another mode
	}
	fresh := resized || s.graphics != ""
	s.begin()
	if s.graphics != "" {
		s.newline() // the note is a line of its own for those who read the stream as text
	}
	if fresh {
		s.clear(t.Columns, t.Rows)
	}
	cells := s.resolved(t)
	change := s.compare(cells, t)
	if !fresh && !change.sure && s.held < mostHeld {
		if !slices.Equal(cells, s.seen) {
			s.seen, s.same = cells, 0
		}
		if s.same++; s.same <= s.confirmations(cells) {
			s.held++
			return nil
		}
	}
	s.settle()
	s.graphics = ""
	s.show(cells, t, change)
	return s.end()
}

// Unsettled reports whether Next left something out that the next look at the screen has to confirm. Next is to be called
// then also if the picture is the same.
func (s *Stream) Unsettled() bool { return s.held > 0 }

// Entered tells that the end of a line is about to be typed, and that all before it was seen. A screen that is then as it
// was before the line has scrolled on by more than it shows; else it would seem that the line was wiped out.
func (s *Stream) Entered() { s.entered = true }

// Repaint returns what makes the terminal show a text as Next does, whatever stood on it: all of it is
// painted anew, from the line on in which the screen's first row is for a terminal that was sent everything.
func (s *Stream) Repaint(t *Text) []byte {
	s.begin()
	s.clear(t.Columns, t.Rows)
	s.settle()
	s.graphics = ""
	s.show(t.Cells, t, change{})
	if t.Cursor != NoCursor {
		s.point(t.Cells, t.Cursor.X, t.Cursor.Y)
	}
	s.settle()
	return s.end()
}

// Graphics returns what makes the terminal say that the screen shows a picture, which a terminal cannot; nothing if it says
// so, or if the picture is all of one colour: a screen that is being set up.
func (s *Stream) Graphics(p *Picture) []byte {
	s.settle()
	note := fmt.Sprintf("[graphics %d×%d: a terminal cannot show it, labrun serve does]", p.Width, p.Height)
	if note == s.graphics || p.plain() {
		return nil
	}
	s.begin()
	s.clear(80, 25)
	s.graphics = note
	for i, r := range []rune(note) {
		s.cells[i].Rune = r
	}
	s.print(0, 0, len([]rune(note)))
	return s.end()
}

// settle forgets what was held back.
func (s *Stream) settle() { s.seen, s.same, s.held = nil, 0, 0 }

func (s *Stream) begin() {
	s.out.Reset()
	if s.rows == 0 {
		s.pen, s.depth = blank, 1
	}
}

func (s *Stream) end() []byte {
	s.colour(blank)
	return bytes.Clone(s.out.Bytes())
}

// clear makes the terminal blank from the screen's first row on, for a screen of some size.
func (s *Stream) clear(columns, rows int) {
	if s.rows > 0 {
		s.jump(0, 0)
		s.colour(blank)
		s.out.WriteString("\x1b[J")
	}
	s.columns, s.rows = columns, rows
	s.cells = slices.Repeat([]Cell{blank}, columns*rows)
	s.depth = min(s.depth, rows)
}

// resolved are a text's cells; where the cursor covers in what a cell could differ from what it was, it is that.
func (s *Stream) resolved(t *Text) []Cell {
	if len(t.covered) == 0 {
		return t.Cells
	}
	at := t.Cursor.Y*t.Columns + t.Cursor.X
	if !slices.Contains(t.covered, s.cells[at].Rune) {
		return t.Cells
	}
	cells := slices.Clone(t.Cells)
	cells[at].Rune = s.cells[at].Rune
	return cells
}

// show makes the terminal show cells, and its cursor be where the screen's is if that is known.
func (s *Stream) show(cells []Cell, t *Text, c change) {
	if !slices.Equal(cells, s.cells) {
		s.entered = false
	}
	switch {
	case c.lost:
		s.descend(max(s.depth-1, s.y))
		s.newline()
		s.out.WriteString(Lost)
		s.newline()
		s.cells = slices.Repeat([]Cell{blank}, s.columns*s.rows)
		s.x, s.y, s.depth = 0, 0, 1
	case c.scrolled > 0:
		s.cells = append(s.cells[c.scrolled*s.columns:], slices.Repeat([]Cell{blank}, c.scrolled*s.columns)...)
		s.y -= c.scrolled
		s.depth -= c.scrolled
	}
	before := s.out.Len()
	s.erase(cells, t.Cursor)
	for row := range s.rows {
		s.update(row, cells, cursorIn(t.Cursor, row))
	}
	if c.lost || c.scrolled > 0 {
		// The terminal has to scroll by as much, also where nothing stands in the new rows.
		s.descend(s.rows - 1)
	}
	switch {
	case t.Cursor == NoCursor:
	case t.Cursor.Y != s.y && s.out.Len() > before:
		s.held = 1 // QEMU draws the text after it has looked where the cursor is: this may be where it was
	default:
		s.point(cells, t.Cursor.X, t.Cursor.Y)
	}
}
