package screen

import "slices"

// compare finds by how many rows the screen scrolled since what the terminal shows, and whether so much that nothing is left
// of that. A screen that scrolled has all its former rows as they were, up to the one that was being written.
func (s *Stream) compare(cells []Cell, t *Text) (scrolled int, lost bool) {
	if s.continues(cells, 0) || !bottomReached(cells, t) {
		return 0, false
	}
	for n := 1; n < s.rows; n++ {
		if s.continues(cells, n) {
			return n, false
		}
	}
	// Nothing goes on. If it is all new, it scrolled too far; else rows were changed in place.
	for row := range s.rows {
		if now := s.rowOf(cells, row); !empty(now) && slices.Equal(now, s.rowOf(s.cells, row)) {
			return 0, false
		}
	}
	atBottom := t.Cursor.Y == t.Rows-1 || t.Cursor == NoCursor && s.y >= s.rows-1
	return 0, atBottom && !empty(s.cells)
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
			evidence = evidence || !empty(before) && extends(now, before, s.x)
		case row+n > s.y && empty(before):
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
