package screen

import (
	"bytes"
	"encoding/hex"
	"errors"
)

// ErrNoFont is why FindFont fails: the ROM is of another kind, or the BIOS has not put it there yet.
var ErrNoFont = errors.New("font: the ROM has none that is known")

// codePage is code page 437 in Unicode. The three blanks are one here; what is below 32 are the pictures that a
// screen shows for control characters.
var codePage = []rune(" ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼" +
	" !\"#$%&'()*+,-./0123456789:;<=>?" +
	"@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_" +
	"`abcdefghijklmnopqrstuvwxyz{|}~⌂" +
	"ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ" +
	"áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
	"└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
	"αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ")

// tallest is the height of the tallest glyphs, in pixels. All are 8 pixels wide.
const tallest = 16

// A glyph is a character's pixels: a byte a row, the leftmost pixel in the highest bit. Below a lower
// font's last row are zeros.
type glyph [tallest]byte

// A Font is what a guest's characters look like. It is not changed once it is made, and may be used concurrently.
type Font struct {
	faces []face
}

// A face is the font in one height: a screen of 400 lines has 25 rows of 16 pixels, or 50 of 8.
type face struct {
	height int
	glyphs [256]glyph
	codes  map[glyph]uint8
}

// letterA is by what a font is found: an IBM PC's letter A, which its clones have kept.
var letterA = map[int]string{
	16: "000010386cc6c6fec6c6c6c600000000",
	14: "000010386cc6c6fec6c6c6000000",
	8:  "3078ccccfccccc00",
}

// FindFont finds the font in a VGA card's ROM, as the guest sees it: 64 KiB at 0xC0000 from the time on at which the BIOS has
// begun to print. Its error is [ErrNoFont].
func FindFont(rom []byte) (*Font, error) {
	font := &Font{}
	for _, height := range []int{16, 8, 14} {
		a, err := hex.DecodeString(letterA[height])
		if err != nil {
			panic(err)
		}
		for at := 0; ; {
			i := bytes.Index(rom[at:], a)
			if i < 0 {
				break
			}
			at += i + 1
			start := at - 1 - 'A'*height
			if start < 0 || start+256*height > len(rom) {
				continue
			}
			if f := newFace(rom[start:start+256*height], height); f.likely() {
				font.faces = append(font.faces, f)
				break
			}
		}
	}
	if len(font.faces) == 0 || font.faces[0].height != 16 {
		return nil, ErrNoFont
	}
	for g, code := range framebuffer {
		if _, taken := font.faces[0].codes[g]; !taken {
			font.faces[0].codes[g] = code
		}
	}
	return font, nil
}

// framebuffer are the letters that Linux draws otherwise when it draws them itself, on a graphical screen: those that a
// card has broader for its cells of 9 pixels. All of ASCII is read there by these and the ROM's.
var framebuffer = map[glyph]uint8{
	{2: 0x38, 0x6c, 0xc6, 0xc6, 0xd6, 0xd6, 0xc6, 0xc6, 0x6c, 0x38}: '0',
	{2: 0xc6, 0xee, 0xfe, 0xfe, 0xd6, 0xc6, 0xc6, 0xc6, 0xc6, 0xc6}: 'M',
	{2: 0x7e, 0x7e, 0x5a, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x3c}: 'T',
	{2: 0xc6, 0xc6, 0xc6, 0xc6, 0xc6, 0xc6, 0xc6, 0x6c, 0x38, 0x10}: 'V',
	{2: 0xc6, 0xc6, 0xc6, 0xc6, 0xd6, 0xd6, 0xd6, 0xfe, 0xee, 0x6c}: 'W',
	{2: 0xc6, 0xc6, 0x6c, 0x7c, 0x38, 0x38, 0x7c, 0x6c, 0xc6, 0xc6}: 'X',
	{2: 0x66, 0x66, 0x66, 0x66, 0x3c, 0x18, 0x18, 0x18, 0x18, 0x3c}: 'Y',
	{2: 0xfe, 0xc6, 0x86, 0x0c, 0x18, 0x30, 0x60, 0xc2, 0xc6, 0xfe}: 'Z',
	{1: 0x30, 0x18, 0x0c}: '`',
	{2: 0x1c, 0x36, 0x32, 0x30, 0x78, 0x30, 0x30, 0x30, 0x30, 0x78}: 'f',
	{5: 0xec, 0xfe, 0xd6, 0xd6, 0xd6, 0xd6, 0xc6}:                   'm',
	{5: 0xc6, 0xc6, 0xc6, 0xc6, 0xc6, 0x6c, 0x38}:                   'v',
	{5: 0xc6, 0xc6, 0xd6, 0xd6, 0xd6, 0xfe, 0x6c}:                   'w',
	{5: 0xc6, 0x6c, 0x38, 0x38, 0x38, 0x6c, 0xc6}:                   'x',
	{2: 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18}: '|',
	{1: 0x76, 0xdc}: '~',
}

func newFace(table []byte, height int) face {
	f := face{height: height, codes: map[glyph]uint8{}}
	for code := range f.glyphs {
		copy(f.glyphs[code][:], table[code*height:(code+1)*height])
	}
	// Of those that look the same ASCII's is the one that is meant, then the lowest.
	for code := range f.glyphs {
		if before, ok := f.codes[f.glyphs[code]]; !ok || ascii(code) && !ascii(int(before)) {
			f.codes[f.glyphs[code]] = uint8(code)
		}
	}
	return f
}

// likely says that this is a font, and not only something with an A in it.
func (f *face) likely() bool {
	for y := range f.height {
		if f.glyphs[0xdb][y] != 0xff {
			return false
		}
	}
	return f.glyphs[' '] == glyph{} && f.glyphs['B'] != f.glyphs['8']
}

func ascii(code int) bool { return code >= 0x20 && code < 0x7f }

// opposite returns a glyph with its pixels exchanged.
func (f *face) opposite(g glyph) glyph {
	for y := range f.height {
		g[y] = ^g[y]
	}
	return g
}
