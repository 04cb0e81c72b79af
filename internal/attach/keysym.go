package attach

import "unicode/utf8"

// X11's names of the keys that are no text, as RFB has them, and what a terminal sends for
// each: xterm's codes, as send_key types them.
var keysyms = map[uint32]string{
	0xff08: "\x7f", 0xff09: "\t", 0xff0d: "\r", 0xff1b: "\x1b",
	0xff50: "\x1b[H", 0xff51: "\x1b[D", 0xff52: "\x1b[A", 0xff53: "\x1b[C", 0xff54: "\x1b[B",
	0xff55: "\x1b[5~", 0xff56: "\x1b[6~", 0xff57: "\x1b[F", 0xff63: "\x1b[2~", 0xffff: "\x1b[3~",
	0xff80: " ", 0xff8d: "\r", 0xffaa: "*", 0xffab: "+", 0xffad: "-", 0xffae: ".", 0xffaf: "/", // the keypad's
	0xffbe: "\x1bOP", 0xffbf: "\x1bOQ", 0xffc0: "\x1bOR", 0xffc1: "\x1bOS",
	0xffc2: "\x1b[15~", 0xffc3: "\x1b[17~", 0xffc4: "\x1b[18~", 0xffc5: "\x1b[19~",
	0xffc6: "\x1b[20~", 0xffc7: "\x1b[21~", 0xffc8: "\x1b[23~", 0xffc9: "\x1b[24~",
}

// The keys that change what others mean.
const (
	keysymControl = 0xffe3 // the left one; the right one is the next
	keysymAlt     = 0xffe9 // likewise
)

// keyboard tells what a terminal would send for the keys that are pressed, for a console that
// is to know what was typed. It remembers which of the keys are down that change others.
type keyboard struct{ control, alt bool }

// press takes in a key. A key that goes up, or that is nothing by itself, gives nothing.
func (k *keyboard) press(e rfbKeyEvent) []byte {
	switch e.symbol {
	case keysymControl, keysymControl + 1:
		k.control = e.down
		return nil
	case keysymAlt, keysymAlt + 1:
		k.alt = e.down
		return nil
	}
	if !e.down {
		return nil
	}
	keys := keysyms[e.symbol]
	if keys == "" {
		keys = k.text(e.symbol)
	}
	if keys != "" && k.alt {
		keys = "\x1b" + keys
	}
	return []byte(keys)
}

// text is what a key types that has a letter, digit or sign.
func (k *keyboard) text(symbol uint32) string {
	var letter rune
	switch {
	case symbol >= ' ' && symbol <= '~', symbol >= 0xa0 && symbol <= 0xff:
		letter = rune(symbol) // Latin-1
	case symbol >= 0xffb0 && symbol <= 0xffb9:
		letter = rune('0' + symbol - 0xffb0) // the keypad's
	case symbol>>24 == 1 && utf8.ValidRune(rune(symbol&0xffffff)):
		letter = rune(symbol & 0xffffff) // Unicode
	default:
		return ""
	}
	if k.control && letter >= '@' && letter <= '~' {
		letter &= 0x1f
	}
	return string(letter)
}
