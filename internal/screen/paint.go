package screen

import (
	"fmt"
	"image"
	"slices"
	"strings"
	"unicode"
)

// erase makes blank what is blank now, before anything is written: it is no text.
func (s *Stream) erase(cells []Cell, cursor image.Point) {
	x, y := s.x, s.y
	for row := range s.rows {
		before, now := s.rowOf(s.cells, row), s.rowOf(cells, row)
		if empty(before) || !empty(now) || row == y && s.rubbed(now, cursorIn(cursor, row)) > 0 {
			continue
		}
		s.jump(0, row)
		s.colour(blank)
		if empty(cells[row*s.columns:]) {
			s.out.WriteString("\x1b[J")
			fill(s.cells[row*s.columns:])
			break
		}
		s.out.WriteString("\x1b[K")
		fill(before)
	}
	s.jump(x, y)
}

func fill(cells []Cell) {
	for i := range cells {
		cells[i] = blank
	}
}

// cursorIn is the cursor's column if it is in a row, else NoCursor's.
func cursorIn(cursor image.Point, row int) int {
	if cursor.Y == row {
		return cursor.X
	}
	return NoCursor.X
}

// update writes a row if it has changed. The cursor's column is given if it is known to be in that row.
func (s *Stream) update(row int, cells []Cell, cursor int) {
	before, now := s.rowOf(s.cells, row), s.rowOf(cells, row)
	if slices.Equal(before, now) {
		return
	}
	if row == s.y {
		// What is written goes on at the end of the row. The cursor may be left of that: it is drawn before the text.
		end := max(s.x, length(before))
		if extends(now, before, end) {
			copy(before, now)
			s.jump(end, row)
			s.print(row, end, length(now))
			return
		}
		if n := s.rubbed(now, cursor); n > 0 {
			s.jump(end, row)
			s.colour(blank)
			s.out.WriteString(strings.Repeat("\b \b", n))
			s.x -= n
			copy(before, now)
			return
		}
	}
	switch {
	case row == s.y+1 && s.x == s.columns && empty(before) && joined(s.rowOf(s.cells, s.y), now):
		s.colour(blank)
		s.out.WriteString("\x1bE")
		s.arrive(row)
	case row > s.y && empty(before):
		s.descend(row)
	default:
		s.restart(row)
	}
	s.rewrite(row, now)
}

// rubbed is how many characters were taken back at the end of the terminal's row, as by Backspace; 0 if it changed in
// another way.
func (s *Stream) rubbed(now []Cell, cursor int) int {
	before := s.rowOf(s.cells, s.y)
	keep, end := max(length(now), cursor), max(s.x, length(before))
	if end == s.columns || keep >= end || !extends(before, now, keep) {
		return 0
	}
	return end - keep
}

// joined reports whether a row goes on in the next one: they meet in characters that are neither a drawing's nor a ruler's.
func joined(row, next []Cell) bool {
	last, first := row[len(row)-1].Rune, next[0].Rune
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	drawing := func(r rune) bool { return r == ' ' || r == Unknown || r >= '─' && r <= '▟' }
	ruler := !word(last) && len(row) > 1 && row[len(row)-2].Rune == last
	return !drawing(last) && !drawing(first) && !ruler
}

// point moves the terminal's cursor to where the screen's is. The row that it is in is the last one that is
// written, since a prompt is looked for at the end of what a console printed.
func (s *Stream) point(cells []Cell, x, y int) {
	now := s.rowOf(cells, y)
	switch {
	case s.y == y:
	case !empty(now):
		s.restart(y)
		s.rewrite(y, now)
	case y > s.y:
		s.descend(y)
	default:
		s.jump(0, y)
	}
	if s.x == s.columns && x == s.columns-1 {
		return // behind a full row: the next character goes on in the next one
	}
	end := length(now)
	if s.x > end && s.x > x && s.x < s.columns { // blanks are taken back
		n := s.x - max(x, end)
		s.out.WriteString(strings.Repeat("\b", n))
		s.x -= n
	}
	if s.x < end || s.x > x {
		s.jump(min(x, end), y)
	}
	if s.x < x {
		s.print(y, s.x, x)
	}
}

// print writes cells of a row that the terminal's cursor is in, from its column on.
func (s *Stream) print(row, from, to int) {
	for _, c := range s.rowOf(s.cells, row)[from:to] {
		if c.Rune != ' ' || c.Background != s.pen.Background {
			s.colour(c)
		}
		s.out.WriteRune(c.Rune)
	}
	s.x = to
}

// rewrite writes a whole row; the terminal's cursor is at its beginning.
func (s *Stream) rewrite(row int, now []Cell) {
	before := s.rowOf(s.cells, row)
	shorter := length(now) < length(before)
	copy(before, now)
	s.print(row, 0, length(now))
	if shorter {
		s.colour(blank)
		s.out.WriteString("\x1b[K")
	}
}

// restart goes to the beginning of a row that the terminal has; who reads the stream as text begins a new line there.
func (s *Stream) restart(row int) {
	if row >= s.depth {
		s.descend(row)
		return
	}
	s.jump(s.x, row)
	s.out.WriteByte('\r')
	s.x = 0
}

// jump moves the terminal's cursor within the rows that the terminal has. It is no text.
func (s *Stream) jump(x, y int) {
	switch {
	case y < s.y:
		fmt.Fprintf(&s.out, "\x1b[%dA", s.y-y)
	case y > s.y:
		fmt.Fprintf(&s.out, "\x1b[%dB", y-s.y)
	}
	if x != s.x {
		fmt.Fprintf(&s.out, "\x1b[%dG", x+1)
	}
	s.x, s.y = x, y
}

// descend goes down to the beginning of a row, as text does: by newlines, except across rows in which something stands.
func (s *Stream) descend(row int) {
	if s.y >= row {
		return
	}
	passed := s.cells[max(0, s.y+1)*s.columns : max(0, row)*s.columns]
	s.newline()
	if last := min(row, s.depth-1); !empty(passed) && last > s.y {
		s.jump(0, last)
	}
	for s.y < row {
		s.newline()
	}
}

func (s *Stream) newline() {
	s.colour(blank) // a terminal gives new lines the colour that it writes with
	s.out.WriteString("\r\n")
	s.arrive(s.y + 1)
}

// arrive says that the terminal's cursor is at the beginning of a row.
func (s *Stream) arrive(row int) {
	s.x, s.y = 0, row
	s.depth = max(s.depth, row+1)
}

// colour makes the terminal write in a cell's colours. Light grey on black are the terminal's own, whatever those are.
func (s *Stream) colour(c Cell) {
	if c.Foreground == s.pen.Foreground && c.Background == s.pen.Background {
		return
	}
	s.out.WriteString("\x1b[0")
	if c.Foreground != blank.Foreground {
		fmt.Fprintf(&s.out, ";%d", 30+sgr(c.Foreground))
	}
	if c.Background != blank.Background {
		fmt.Fprintf(&s.out, ";%d", 40+sgr(c.Background))
	}
	s.out.WriteByte('m')
	s.pen = Cell{Foreground: c.Foreground, Background: c.Background}
}

// sgr is a colour as terminals number it, whose red and blue are the other way round; bright ones are 60 above.
func sgr(colour uint8) int {
	n := int(colour&2 | colour&1<<2 | colour>>2&1)
	if colour >= 8 {
		n += 60
	}
	return n
}
