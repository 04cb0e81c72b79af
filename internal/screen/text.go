package screen

import (
	"image"
	"strings"
)

// Unknown is the character of a cell that holds none of the font's.
const Unknown = '\uFFFD'

// A Cell is one character of a screen, with its colours as VGA numbers them: 0 black, 1 blue, 2 green, 3 cyan, 4 red,
// 5 magenta, 6 brown, 7 light grey; 8 to 15 the same, bright.
type Cell struct {
	Rune                   rune
	Foreground, Background uint8
}

// blank is a cell on which nothing was written.
var blank = Cell{' ', 7, 0}

// NoCursor is the place of a cursor that is not to be seen.
var NoCursor = image.Pt(-1, -1)

// Text is what stands on a screen in text mode. It is not changed once it was read.
type Text struct {
	Columns, Rows int
	Cells         []Cell // row by row
	Unknown       int    // how many cells hold no character of the font
	// Cursor is the cell that the cursor is seen in, X its column and Y its row, from 0 on; NoCursor if none is seen.
	// It blinks, so that it is not seen half of the time.
	Cursor image.Point

	covered []rune // what else the cell under the cursor may hold: it covers where they differ
}

// Row returns a row's text without the blanks at its end. Rows count from 0.
func (t *Text) Row(i int) string {
	var b strings.Builder
	for _, c := range t.row(i) {
		b.WriteRune(c.Rune)
	}
	return strings.TrimRight(b.String(), " ")
}

// String returns all rows, each as Row does, with newlines between.
func (t *Text) String() string {
	rows := make([]string, t.Rows)
	for i := range rows {
		rows[i] = t.Row(i)
	}
	return strings.Join(rows, "\n")
}

func (t *Text) row(i int) []Cell { return t.Cells[i*t.Columns : (i+1)*t.Columns] }
