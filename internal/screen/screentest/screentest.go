// Package screentest draws screens for tests: a VGA card's ROM with a font of its own, and text in that font as
// QEMU's screendump would write it.
package screentest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/labrun/labrun/internal/screen"
)

// codePage is code page 437; screen has its own, and this one tells when it is not right.
const codePage = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼ !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_" +
	"`abcdefghijklmnopqrstuvwxyz{|}~⌂ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
	"└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ "

const (
	height = 16
	pitch  = 9 // of cells, in pixels
	place  = 29632
)

// glyphs are the font. Only what a font is found by and blocks are as they should be; the rest is different from each other, and no more.
var glyphs = func() (all [256][height]byte) {
	random := rand.New(rand.NewPCG(437, height))
	for code := range all {
		for y := 2; y < 12; y++ {
			all[code][y] = byte(random.Uint32())
		}
	}
	for _, c := range []byte{0, ' ', 0xff} {
		all[c] = [height]byte{}
	}
	a, err := hex.DecodeString("000010386cc6c6fec6c6c6c600000000")
	if err != nil {
		panic(err)
	}
	copy(all['A'][:], a)
	all['_'] = [height]byte{13: 0xff}
	for y := range height {
		all[0xdb][y], all[0xdd][y], all[0xde][y] = 0xff, 0xf0, 0x0f
		all[0xdc][y], all[0xdf][y] = 0, 0xff
		if y >= 7 {
			all[0xdc][y], all[0xdf][y] = 0xff, 0
		}
		all[8][y], all[10][y] = ^all[7][y], ^all[9][y]
	}
	return all
}()

// ROM is what a guest has at 0xC0000.
func ROM() []byte {
	rom := make([]byte, 64<<10)
	for code, g := range glyphs {
		copy(rom[place+code*height:], g[:])
	}
	return rom
}

// Picture draws text as a card in text mode does, with 9 pixels a cell, as a PPM file.
func Picture(t *screen.Text) []byte {
	width := pitch * t.Columns
	var out bytes.Buffer
	fmt.Fprintf(&out, "P6\n%d %d\n255\n", width, height*t.Rows)
	head := out.Len()
	out.Write(make([]byte, 3*width*height*t.Rows))
	pixels := out.Bytes()[head:]
	drawn := map[screen.Cell]*[height][3 * pitch]byte{} // most cells look like others
	for i, c := range t.Cells {
		cell := drawn[c]
		cursor := i == t.Cursor.Y*t.Columns+t.Cursor.X && t.Cursor != screen.NoCursor
		if cell == nil || cursor {
			cell = draw(c, cursor)
		}
		if !cursor {
			drawn[c] = cell
		}
		for y := range height {
			copy(pixels[3*((i/t.Columns*height+y)*width+i%t.Columns*pitch):], cell[y][:])
		}
	}
	return out.Bytes()
}

// draw draws one cell.
func draw(c screen.Cell, cursor bool) *[height][3 * pitch]byte {
	var pixels [height][3 * pitch]byte
	code := code(c.Rune)
	for y := range height {
		row, repeats := glyphs[code][y], code >= 0xb0 && code <= 0xdf
		if cursor && (y == 13 || y == 14) {
			row, repeats = 0xff, true
		}
		for x := range pitch {
			colour := colours[c.Background]
			if x < 8 && row&(0x80>>x) != 0 || x == 8 && row&1 != 0 && repeats {
				colour = colours[c.Foreground]
			}
			copy(pixels[y][3*x:], colour[:])
		}
	}
	return &pixels
}

// code is a character's number in code page 437, a question mark's for one that is not in it.
func code(r rune) int {
	if r == ' ' {
		return ' '
	}
	if i := strings.IndexRune(codePage, r); i >= 0 {
		return len([]rune(codePage[:i]))
	}
	return '?'
}

var colours = func() (all [16][3]byte) {
	for c := range all {
		for k, bit := range []int{4, 2, 1} {
			if c&bit != 0 {
				all[c][k] = 0xaa
			}
			if c >= 8 {
				all[c][k] += 0x55
			}
		}
	}
	all[6][1] = 0x55
	return all
}()

// Text makes a screen of 80 by 25 with these lines at its top, and the cursor behind the last one.
func Text(lines ...string) *screen.Text {
	t := &screen.Text{Columns: 80, Rows: 25, Cells: make([]screen.Cell, 80*25)}
	for i := range t.Cells {
		t.Cells[i] = screen.Cell{Rune: ' ', Foreground: 7}
	}
	for y, line := range lines {
		t.Cursor.X, t.Cursor.Y = 0, y
		for x, r := range []rune(line) {
			t.Cells[y*80+x].Rune = r
			t.Cursor.X = min(x+1, 79)
		}
	}
	return t
}
