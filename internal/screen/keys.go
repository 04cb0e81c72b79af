package screen

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Stroke is keys that are pressed together, by QEMU's key codes (QKeyCode in its QMP reference).
type Stroke = []string

// A NoKeyError is why something cannot be typed: a keyboard has no key for it.
type NoKeyError struct {
	Text string // the character, or the bytes of a terminal's key
}

func (e *NoKeyError) Error() string {
	if strings.HasPrefix(e.Text, "\x1b") {
		return fmt.Sprintf("type at a screen: what this terminal sends for a key, %q, is not known", e.Text)
	}
	return fmt.Sprintf("type at a screen: %q has no key: a machine with a screen is typed at with the keys of a US keyboard, "+
		"which are letters without accents, digits and ASCII's signs", e.Text)
}

// A Keyboard turns what a terminal sends into strokes of a US keyboard. It remembers what comes in pieces. The zero value is
// ready.
type Keyboard struct {
	part []byte // the beginning of a character or of a key whose rest has not come
}

// longestKey bounds what is waited for of a key, in bytes.
const longestKey = 32

// Strokes returns the strokes for bytes as a terminal sends them: UTF-8, and xterm's sequences for keys that are no
// characters. An ESC at the end is the key Esc. The error is a [*NoKeyError]; nothing is to be typed then.
func (k *Keyboard) Strokes(b []byte) ([]Stroke, error) {
	b = append(k.part, b...)
	k.part = nil
	var all []Stroke
	for len(b) > 0 {
		stroke, n, err := next(b)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			if len(b) > longestKey {
				return nil, &NoKeyError{string(b)}
			}
			k.part = bytes.Clone(b)
			break
		}
		if stroke != nil {
			all = append(all, stroke)
		}
		b = b[n:]
	}
	return all, nil
}

// next returns the first stroke, which may be none, and how many bytes it took; 0 if more must come.
func next(b []byte) (Stroke, int, error) {
	switch c := b[0]; {
	case c == '\r' && len(b) > 1 && b[1] == '\n':
		return Stroke{"ret"}, 2, nil
	case c == 0x1b:
		return escaped(b)
	case c < utf8.RuneSelf:
		return characters[c], 1, nil
	}
	if !utf8.FullRune(b) {
		return nil, 0, nil
	}
	_, n := utf8.DecodeRune(b)
	return nil, 0, &NoKeyError{string(b[:n])}
}

// escaped returns the stroke for what begins with ESC.
func escaped(b []byte) (Stroke, int, error) {
	if len(b) == 1 || b[1] == 0x1b {
		return Stroke{"esc"}, 1, nil
	}
	switch {
	case b[1] == 'O':
		if len(b) < 3 {
			return nil, 0, nil
		}
		if key := finals[b[2]]; key != "" {
			return Stroke{key}, 3, nil
		}
		return nil, 0, &NoKeyError{string(b[:3])}
	case b[1] == '[' && len(b) > 2 && b[2] == '[': // the Linux console's F1 to F5
		if len(b) < 4 {
			return nil, 0, nil
		}
		if b[3] < 'A' || b[3] > 'E' {
			return nil, 0, &NoKeyError{string(b[:4])}
		}
		return Stroke{"f" + string('1'+rune(b[3]-'A'))}, 4, nil
	case b[1] == '[':
		end := bytes.IndexFunc(b[2:], func(r rune) bool { return r >= 0x40 && r < 0x7f })
		if end < 0 {
			return nil, 0, nil
		}
		stroke, err := sequence(string(b[2:2+end]), b[2+end])
		return stroke, end + 3, err
	}
	stroke, n, err := next(b[1:])
	if stroke != nil {
		stroke = append(Stroke{"alt"}, stroke...)
	}
	if n > 0 {
		n++
	}
	return stroke, n, err
}

// sequence returns the stroke for a control sequence: ESC [ parameters final.
func sequence(parameters string, final byte) (Stroke, error) {
	unknown := &NoKeyError{"\x1b[" + parameters + string(final)}
	number, modifier, _ := strings.Cut(parameters, ";")
	var key string
	switch {
	case final == '~' && (number == "200" || number == "201"), (final == 'I' || final == 'O') && parameters == "":
		return nil, nil // pasted text begins or ends; the terminal's window is looked at, or not
	case final == 'Z':
		return Stroke{"shift", "tab"}, nil
	case final == '~':
		key = numbers[number]
	case number == "" || number == "1":
		key = finals[final]
	}
	if key == "" {
		return nil, unknown
	}
	stroke := Stroke{}
	if modifier != "" {
		m, err := strconv.Atoi(modifier)
		if err != nil || m < 1 || m > 8 {
			return nil, unknown
		}
		for i, held := range []string{"shift", "alt", "ctrl"} {
			if (m-1)>>i&1 == 1 {
				stroke = append(stroke, held)
			}
		}
	}
	return append(stroke, key), nil
}

// finals are xterm's keys by the last byte of their sequence, after ESC [ or ESC O.
var finals = map[byte]string{
	'A': "up", 'B': "down", 'C': "right", 'D': "left", 'H': "home", 'F': "end", 'M': "kp_enter",
	'P': "f1", 'Q': "f2", 'R': "f3", 'S': "f4",
}

// numbers are its keys by the number before ~.
var numbers = map[string]string{
	"1": "home", "2": "insert", "3": "delete", "4": "end", "5": "pgup", "6": "pgdn", "7": "home", "8": "end",
	"11": "f1", "12": "f2", "13": "f3", "14": "f4", "15": "f5", "17": "f6", "18": "f7", "19": "f8",
	"20": "f9", "21": "f10", "23": "f11", "24": "f12",
}

// characters are the strokes for ASCII.
var characters = func() (all [utf8.RuneSelf]Stroke) {
	for c := byte('a'); c <= 'z'; c++ {
		key := string(rune(c))
		all[c], all[c-0x20], all[c-0x60] = Stroke{key}, Stroke{"shift", key}, Stroke{"ctrl", key}
	}
	for c := '0'; c <= '9'; c++ {
		all[c] = Stroke{string(c)}
	}
	for i, c := range ")!@#$%^&*(" {
		all[c] = Stroke{"shift", strconv.Itoa(i)}
	}
	for _, sign := range []struct {
		plain, shifted byte
		key            string
	}{
		{'-', '_', "minus"}, {'=', '+', "equal"}, {'[', '{', "bracket_left"}, {']', '}', "bracket_right"},
		{'\\', '|', "backslash"}, {';', ':', "semicolon"}, {'\'', '"', "apostrophe"}, {'`', '~', "grave_accent"},
		{',', '<', "comma"}, {'.', '>', "dot"}, {'/', '?', "slash"},
	} {
		all[sign.plain], all[sign.shifted] = Stroke{sign.key}, Stroke{"shift", sign.key}
	}
	all[' '], all['\t'], all['\r'], all['\n'] = Stroke{"spc"}, Stroke{"tab"}, Stroke{"ret"}, Stroke{"ret"}
	all['\b'], all[0x7f], all[0x1b] = Stroke{"backspace"}, Stroke{"backspace"}, Stroke{"esc"}
	all[0], all[0x1c], all[0x1d] = Stroke{"ctrl", "spc"}, Stroke{"ctrl", "backslash"}, Stroke{"ctrl", "bracket_right"}
	all[0x1e], all[0x1f] = Stroke{"ctrl", "6"}, Stroke{"ctrl", "minus"}
	return all
}()
