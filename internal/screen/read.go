package screen

import (
	"bytes"
	"errors"
	"math/bits"
	"slices"
)

// ErrGraphics is why a picture cannot be read as text: it is none.
var ErrGraphics = errors.New("the screen shows graphics, no text")

// A layout is how cells lie in a picture.
type layout struct {
	face  *face
	pitch int // from one cell to the next, in pixels of the font
	scale int // how many pixels of the picture a pixel of the font is wide
}

// Read reads a screen's text. Its error is [ErrGraphics].
func (f *Font) Read(p *Picture) (*Text, error) {
	var best *Text
	for _, l := range f.layouts(p) {
		most := p.Width / (l.pitch * l.scale) * (p.Height / l.face.height) / 8 // more is no text
		if best != nil {
			most = best.Unknown - 1
		}
		if t := l.read(p, most); t != nil {
			best = t
		}
		if best != nil && best.Unknown == 0 {
			break
		}
	}
	if best == nil {
		return nil, ErrGraphics
	}
	return best, nil
}

// layouts are those that a picture of this size can have, the likely ones first.
func (f *Font) layouts(p *Picture) (all []layout) {
	for i := range f.faces {
		face := &f.faces[i]
		whole := p.Height%face.height == 0
		switch {
		case !whole && (p.Width <= 720 || face.height < tallest):
		case p.Width == 720:
			all = append(all, layout{face, 9, 1}, layout{face, 9, 2}, layout{face, 8, 1})
		case p.Width == 640 && p.Height <= 400:
			all = append(all, layout{face, 8, 1}, layout{face, 8, 2})
		case face.height == tallest: // a framebuffer, which need not be of whole cells
			all = append(all, layout{face, 8, 1})
		}
	}
	return all
}

// read reads a picture as text, or nothing if more than so many cells are unknown.
func (l *layout) read(p *Picture, most int) *Text {
	t := &Text{Columns: p.Width / (l.pitch * l.scale), Rows: p.Height / l.face.height, Cursor: NoCursor}
	t.Cells = make([]Cell, 0, t.Columns*t.Rows)
	colours := palette{}
	drawn := 0 // cells with anything in them
	for row := range t.Rows {
		for column := range t.Columns {
			cell := l.cell(p, column, row)
			background := colours.nearest(cell.ground)
			foreground := background
			if !cell.plain {
				foreground = colours.nearest(cell.ink)
				drawn++
			}
			found, known := l.face.find(cell, foreground, background)
			if !known && !cell.mixed && t.Cursor == NoCursor {
				if under := l.face.under(cell, foreground, background); len(under) > 0 {
					found, known = under[0], true
					t.Cursor.X, t.Cursor.Y = column, row
					for _, other := range under[1:] {
						t.covered = append(t.covered, other.Rune)
					}
				}
			}
			if !known {
				if t.Unknown++; t.Unknown > most {
					return nil
				}
				found = Cell{Unknown, foreground, background}
			}
			t.Cells = append(t.Cells, found)
		}
	}
	if 2*t.Unknown > drawn { // a picture of large plain areas
		return nil
	}
	return t
}

// pixels are those of a cell in two colours.
type pixels struct {
	bits        glyph
	ground, ink [3]byte // the colours of its zeros and ones; which is which the font has to tell
	plain       bool    // there are no ones
	mixed       bool    // there are more than two colours
}

// cell takes a cell's pixels from a picture. A ninth column is left out: it is blank, or repeats the eighth.
func (l *layout) cell(p *Picture, column, row int) (c pixels) {
	left, top := column*l.pitch*l.scale, row*l.face.height
	start := 3 * (top*p.Width + left)
	ground := [3]byte(p.Pix[start:])
	c.ground, c.plain = ground, true
	step := 3 * l.scale
	for y := range l.face.height {
		line := p.Pix[start+3*y*p.Width:]
		line = line[:7*step+3]
		var row byte
		for x, i := byte(0x80), 0; x > 0; x, i = x>>1, i+step {
			pixel := [3]byte(line[i:])
			if pixel == ground {
				continue
			}
			row |= x
			if c.plain {
				c.plain, c.ink = false, pixel
			} else if pixel != c.ink {
				c.mixed = true
			}
		}
		c.bits[y] = row
	}
	return c
}

// find looks up which character a cell holds, with either colour as its background.
func (f *face) find(c pixels, ink, ground uint8) (Cell, bool) {
	if c.plain {
		if ground < 8 {
			return Cell{' ', 7, ground}, true
		}
		return Cell{'█', ground, 0}, true // text mode has no bright background, as a rule
	}
	if c.mixed {
		return Cell{}, false
	}
	code, ok := f.codes[c.bits]
	opposite, either := f.codes[f.opposite(c.bits)]
	if ok && either { // both are characters, ◘ and •
		switch {
		case (ground < 8) != (ink < 8):
			ok = ground < 8
		case ground == 0 || ink == 0:
			ok = ground == 0
		default:
			ok = c.bits.ink() <= f.height*8/2
		}
	}
	switch {
	case ok:
		return Cell{codePage[code], ink, ground}, true
	case either:
		return Cell{codePage[opposite], ground, ink}, true
	}
	return Cell{}, false
}

// ink counts a glyph's pixels.
func (g *glyph) ink() (n int) {
	for _, row := range g {
		n += bits.OnesCount8(row)
	}
	return n
}

// under returns what a cell may hold in which the cursor covers some rows with the character's colour, the likeliest
// first; nothing if this is no cursor.
func (f *face) under(c pixels, ink, ground uint8) []Cell {
	for range 2 {
		// The cursor is a bar of full rows in the lower half, of two as a rule. The character may have full rows, too.
		to := bytes.LastIndexByte(c.bits[f.height/2:f.height], 0xff) + f.height/2 + 1
		from := to
		for from > f.height/2 && c.bits[from-1] == 0xff {
			from--
		}
		if to-from > 2 {
			if all := f.masked(c.bits, to-2, to, ink, ground); len(all) > 0 {
				return all
			}
		}
		for ; from < to; from++ {
			if all := f.masked(c.bits, from, to, ink, ground); len(all) > 0 {
				return all
			}
		}
		c.bits, ink, ground = f.opposite(c.bits), ground, ink
	}
	return nil
}

// masked returns the characters that a cell may hold if some of its rows tell nothing.
func (f *face) masked(bits glyph, from, to int, ink, ground uint8) (all []Cell) {
	clear(bits[from:to])
	var codes []uint8
	for g, code := range f.codes {
		if clear(g[from:to]); g == bits {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	for _, code := range codes {
		if code == ' ' { // the likeliest
			all = slices.Insert(all, 0, Cell{' ', blank.Foreground, ground})
		} else {
			all = append(all, Cell{codePage[code], ink, ground})
		}
	}
	return all
}

// vga are the colours of VGA's text mode.
var vga = [16][3]byte{
	{0, 0, 0}, {0, 0, 0xaa}, {0, 0xaa, 0}, {0, 0xaa, 0xaa}, {0xaa, 0, 0}, {0xaa, 0, 0xaa}, {0xaa, 0x55, 0}, {0xaa, 0xaa, 0xaa},
	{0x55, 0x55, 0x55}, {0x55, 0x55, 0xff}, {0x55, 0xff, 0x55}, {0x55, 0xff, 0xff}, {0xff, 0x55, 0x55}, {0xff, 0x55, 0xff}, {0xff, 0xff, 0x55}, {0xff, 0xff, 0xff},
}

// A palette remembers which of VGA's colours are nearest to a picture's.
type palette map[[3]byte]uint8

func (known palette) nearest(c [3]byte) uint8 {
	if n, ok := known[c]; ok {
		return n
	}
	best, distance := 0, 1<<30
	for i, v := range vga {
		d := 0
		for k := range c {
			d += (int(c[k]) - int(v[k])) * (int(c[k]) - int(v[k]))
		}
		if d < distance {
			best, distance = i, d
		}
	}
	known[c] = uint8(best)
	return uint8(best)
}
