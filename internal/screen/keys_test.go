package screen_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/screen"
)

func TestKeys(t *testing.T) {
	for _, c := range []struct{ bytes, want string }{
		{"ls -l", "l s spc minus l"},
		{"A~|", "shift-a shift-grave_accent shift-backslash"},
		{"\r", "ret"},
		{"a\nb\r\nc", "a ret b ret c"},
		{"\x7f\b\t", "backspace backspace tab"},
		{"\x03\x1a", "ctrl-c ctrl-z"},
		{"\x1b", "esc"},
		{"\x1b\x1b", "esc esc"},
		{"\x1b[A\x1bOB", "up down"},
		{"\x1b[1;5C\x1b[3~\x1b[3;2~", "ctrl-right delete shift-delete"},
		{"\x1bOP\x1b[15~\x1b[24~\x1b[[B", "f1 f5 f12 f2"},
		{"\x1bx\x1bX", "alt-x alt-shift-x"},
		{"\x1b[200~a\x1b[201~", "a"},
		{"\x1b[Z", "shift-tab"},
	} {
		var k screen.Keyboard
		got, err := k.Strokes([]byte(c.bytes))
		if err != nil || written(got) != c.want {
			t.Errorf("%q: %s, %v; want %s", c.bytes, written(got), err, c.want)
		}
	}
}

func TestKeysInPieces(t *testing.T) {
	var k screen.Keyboard
	var all []screen.Stroke
	for _, piece := range []string{"a\x1b[", "1;", "5D", "\x1bO", "H"} {
		got, err := k.Strokes([]byte(piece))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, got...)
	}
	if written(all) != "a ctrl-left home" {
		t.Error(written(all))
	}
}

func TestEachSignOfASCIIHasAKeyOfItsOwn(t *testing.T) {
	var k screen.Keyboard
	seen := map[string]rune{}
	for c := rune(' '); c < 0x7f; c++ {
		got, err := k.Strokes([]byte(string(c)))
		if err != nil || len(got) != 1 {
			t.Fatalf("%q: %v, %v", c, got, err)
		}
		if other, ok := seen[written(got)]; ok {
			t.Errorf("%q and %q are both %s", c, other, written(got))
		}
		seen[written(got)] = c
	}
}

func TestWhatHasNoKey(t *testing.T) {
	for _, c := range []string{"中", "é", "ls 中", "\x1b[999~", "\xff"} {
		var k screen.Keyboard
		got, err := k.Strokes([]byte(c))
		var none *screen.NoKeyError
		if !errors.As(err, &none) || got != nil {
			t.Errorf("%q: %v, %v", c, got, err)
		}
		if again, err := k.Strokes([]byte("x")); err != nil || written(again) != "x" {
			t.Errorf("after %q: %v, %v", c, again, err)
		}
	}
	var k screen.Keyboard
	if got, err := k.Strokes([]byte("中")[:1]); got != nil || err != nil {
		t.Errorf("a part of a character: %v, %v", got, err)
	}
	if _, err := k.Strokes([]byte("中")[1:]); err == nil || !strings.Contains(err.Error(), `"中" has no key`) {
		t.Errorf("its rest: %v", err)
	}
}

func written(strokes []screen.Stroke) string {
	out := make([]string, 0, len(strokes))
	for _, s := range strokes {
		out = append(out, strings.Join(slices.Clone(s), "-"))
	}
	return strings.Join(out, " ")
}
