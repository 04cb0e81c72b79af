package console

import (
	"slices"
	"unicode/utf8"
)

// reach is how many characters of a line backspaces can take back. It bounds
// what matching must be able to undo on a line that never ends.
const reach = 1024

// longestString bounds an operating-system command or device control string,
// so that a stray introducer cannot swallow the console for good.
const longestString = 4096

// A sink takes cleaned text. What it is given is valid UTF-8, in whole runes.
type sink interface {
	text(b []byte)
	erase() // takes back the last rune of the current line
}

// The marks around bytes that paint again what a terminal has shown already: for a terminal,
// and no news to whoever waits. Terminals drop commands (OSC) of numbers that they do not know.
const (
	repaintMark   = "7261;again"
	repaintedMark = "7261;on"
)

// Repaint marks bytes that bring a terminal to show what the text before them has shown, or
// what was on a screen before the console was opened: they are for terminals, and no part
// of the text that is waited for.
func Repaint(b []byte) []byte {
	return slices.Concat([]byte("\x1b]"+repaintMark+"\a"), b, []byte("\x1b]"+repaintedMark+"\a"))
}

type cleanState uint8

const (
	ground cleanState = iota
	escape            // after ESC
	csi               // after ESC [
	inter             // after ESC and an intermediate, as in ESC ( B
	str               // in OSC, DCS, SOS, PM or APC
	strEsc            // in one of those, after ESC
)

// A cleaner strips escape sequences and normalises line ends. The text is the
// same however the bytes were split into writes.
type cleaner struct {
	state  cleanState
	strLen int
	osc    []byte // the beginning of an operating-system command
	again  bool   // what comes was shown before: see Repaint
	cr     bool   // a CR was seen, and neither LF nor text since
	width  int    // characters on the line that may be taken back, up to reach
	part   []byte // the start of a character whose rest has not arrived
	out    []byte // scratch
}

// plain marks the bytes that are copied as they are.
var plain = func() (t [256]bool) {
	for b := 0x20; b < 0x7f; b++ {
		t[b] = true
	}
	t['\t'] = true
	return
}()

func (c *cleaner) write(b []byte, to sink) {
	if len(c.part) > 0 {
		b = append(c.part, b...)
		c.part = nil
	}
	c.out = c.out[:0]
	for i := 0; i < len(b); {
		if c.state != ground {
			if c.sequence(b[i]) {
				i++
			}
			continue
		}
		start := i
		for i < len(b) && plain[b[i]] {
			i++
		}
		if i > start {
			c.print(b[start:i], i-start)
			continue
		}
		switch ch := b[i]; {
		case c.again && ch < utf8.RuneSelf && ch != 0x1b:
		case ch == '\n':
			c.newline()
		case ch == '\r':
			c.cr = true
		case ch == 0x1b:
			c.state = escape
		case ch == '\b':
			if c.width > 0 && !c.cr {
				c.flush(to)
				to.erase()
				c.width--
			}
		case ch >= utf8.RuneSelf:
			if !utf8.FullRune(b[i:]) {
				c.part = append([]byte(nil), b[i:]...)
				c.flush(to)
				return
			}
			r, size := utf8.DecodeRune(b[i:])
			c.print(utf8.AppendRune(nil, r), 1)
			i += size - 1
		}
		i++
	}
	c.flush(to)
}

// end says that no more bytes come.
func (c *cleaner) end(to sink) {
	c.out = c.out[:0]
	for range c.part {
		c.print([]byte("\uFFFD"), 1)
	}
	c.part = nil
	c.flush(to)
}

func (c *cleaner) print(b []byte, runes int) {
	if c.again {
		return
	}
	if c.cr && c.width > 0 {
		c.newline()
	}
	c.cr = false
	c.out = append(c.out, b...)
	c.width = min(c.width+runes, reach)
}

func (c *cleaner) newline() {
	c.out = append(c.out, '\n')
	c.cr = false
	c.width = 0
}

func (c *cleaner) flush(to sink) {
	if len(c.out) > 0 {
		to.text(c.out)
		c.out = c.out[:0]
	}
}

// sequence takes one byte of an escape sequence. It returns false if the byte
// is not part of it and has to be looked at again as text.
func (c *cleaner) sequence(b byte) bool {
	switch c.state {
	case escape:
		switch {
		case b == '[':
			c.state = csi
		case b == ']', b == 'P', b == 'X', b == '^', b == '_':
			c.state, c.strLen, c.osc = str, 0, c.osc[:0]
		case b >= 0x20 && b < 0x30:
			c.state = inter
		case b == 0x1b:
		default:
			c.state = ground
			return b >= 0x30 && b < 0x7f
		}
		return true
	case csi:
		if b >= 0x20 && b < 0x40 {
			return true
		}
		c.state = ground
		return b >= 0x40 && b < 0x7f
	case inter:
		if b >= 0x20 && b < 0x30 {
			return true
		}
		c.state = ground
		return b >= 0x30 && b < 0x7f
	case strEsc:
		if b == '\\' {
			c.state = ground
			return true
		}
		c.state = escape
		return false
	default:
		c.strLen++
		switch {
		case b == 0x07:
			c.state = ground
			c.command(string(c.osc))
		case b == 0x1b:
			c.state = strEsc
		case b == '\n', c.strLen > longestString:
			c.state = ground
			return false
		case len(c.osc) < len(repaintMark)+1:
			c.osc = append(c.osc, b)
		}
		return true
	}
}

// command takes a string that was ended by BEL, of which the beginning is given.
func (c *cleaner) command(begun string) {
	switch begun {
	case repaintMark:
		c.again = true
	case repaintedMark:
		c.again = false
	}
}
