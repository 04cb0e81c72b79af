package screen

import "slices"

// A change is what happened to a screen since what the terminal shows.
type change struct {
	scrolled int  // by so many rows
	lost     bool // by so much that nothing is left
	sure     bool // else it may be half of a change
}

// compare finds what happened. A screen that scrolled has all its former rows as they were, up to the one that was
// being written.
func (s *Stream) compare(cells []Cell, t *Text) change {
	atBottom := t.Cursor.Y == t.Rows-1 || t.Cursor == NoCursor && s.y >= s.rows-1
	if s.entered && atBottom && s.withoutLine(cells) {
		return change{lost: true}
	}
	if s.continues(cells, 0) {
		return change{sure: true}
	}
	if !bottomReached(cells, t) {
		return change{}
	}
	for n := 1; n < s.rows; n++ {
		if s.continues(cells, n) {
			// A row that stands there twice may have been copied, and is to be wiped out next.
			first := s.rowOf(cells, s.rows-n)
			return change{scrolled: n, sure: empty(first) || !slices.Equal(first, s.rowOf(cells, s.rows-n-1))}
		}
	}
	// Nothing goes on. If it is all new, it scrolled too far; else rows were changed in place.
	for row := range s.rows {
		if now := s.rowOf(cells, row); !empty(now) && slices.Equal(now, s.rowOf(s.cells, row)) {
			return change{}
		}
	}
	return change{lost: atBottom && !empty(s.cells)}
}

// withoutLine reports whether a screen is what the terminal shows, but that the end of its last row is gone.
func (s *Stream) withoutLine(cells []Cell) bool {
	above := (s.rows - 1) * s.columns
	now := length(cells[above:])
	return s.y == s.rows-1 && now < length(s.cells[above:]) && !empty(cells[:above]) && slices.Equal(cells[:above+now], s.cells[:above+now])
}

// confirmations is how many more looks have to see the same before a change that is not sure is shown. Where a row stands
// there twice that did not, the guest is likely to be scrolling, and on a busy computer it may stop in the middle of that.
func (s *Stream) confirmations(cells []Cell) int {
	if s.doubled(cells) > s.doubled(s.cells) {
		return 3
	}
	return 1
}

// doubled is how many rows are as the one above.
func (s *Stream) doubled(cells []Cell) (n int) {
	for row := 1; row < s.rows; row++ {
		if now := s.rowOf(cells, row); !empty(now) && slices.Equal(now, s.rowOf(cells, row-1)) {
			n++
		}
	}
	return n
}

// continues reports whether a screen is what the terminal shows, scrolled by n rows, with something appended.
func (s *Stream) continues(cells []Cell, n int) bool {
	evidence := n == 0 && empty(s.cells)
	for row := range s.rows - n {
		now, before := s.rowOf(cells, row), s.rowOf(s.cells, row+n)
		switch {
		case slices.Equal(now, before):
			evidence = evidence || !empty(before)
		case row+n == s.y: // it is being written
			evidence = evidence || !empty(before) && extends(now, before, length(before))
		case row+n > s.y && extends(now, before, length(before)):
		default:
			return false
		}
	}
	return evidence
}

// bottomReached reports whether a screen is filled down to its last rows, without which it does not scroll.
func bottomReached(cells []Cell, t *Text) bool {
	return t.Cursor.Y == t.Rows-1 || !empty(cells[max(0, t.Rows-2)*t.Columns:])
}

func (s *Stream) rowOf(cells []Cell, row int) []Cell {
	return cells[row*s.columns : (row+1)*s.columns]
}

// empty reports whether nothing is to be seen in cells.
func empty(cells []Cell) bool { return length(cells) == 0 }

// length is how many of a row's cells there are up to the last that shows something.
func length(cells []Cell) int {
	for i, c := range slices.Backward(cells) {
		if c.Rune != ' ' || c.Background != 0 {
			return i + 1
		}
	}
	return 0
}

// extends reports whether a row is what it was up to column x, where it ended.
func extends(now, before []Cell, x int) bool {
	return slices.Equal(now[:x], before[:x]) && empty(before[x:])
}
