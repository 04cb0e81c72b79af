package console

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// page collects cleaned text.
type page struct{ b []byte }

func (p *page) text(b []byte) { p.b = append(p.b, b...) }

func (p *page) erase() {
	if len(p.b) == 0 || p.b[len(p.b)-1] == '\n' {
		panic("nothing to take back")
	}
	_, size := utf8.DecodeLastRune(p.b)
	p.b = p.b[:len(p.b)-size]
}

func cleanParts(parts ...string) string {
	var c cleaner
	var p page
	for _, s := range parts {
		c.write([]byte(s), &p)
	}
	c.end(&p)
	return string(p.b)
}

func TestClean(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"CSI", "\x1b[1;31mred\x1b[0m\x1b[?2004h\x1b[6n\x1b[2 q.", "red."},
		{"OSC", "\x1b]0;title\x07a\x1b]8;;url\x1b\\b", "ab"},
		{"OSC without an end", "\x1b]0;title\r\nnext\r\n", "\nnext\n"},
		{"shown again", "ab\r" + string(Repaint([]byte("\x1b[2J\r\nab\b目\r\n"))) + "\nc", "ab\nc"},
		{"DCS", "a\x1bPq#0\x1b\\b", "ab"},
		{"charset", "\x1b(B\x1b)0a\x1b=\x1b>\x1b7\x1bMb", "ab"},
		{"escape in a sequence", "\x1b[1\x1b[2ma\x1b\x1b[mb", "ab"},
		{"newlines", "a\r\nb\r\r\r\nc\nd\r\n\r\ne", "a\nb\nc\nd\n\ne"},
		{"CR alone", "10%\r20%\r\n\rdone", "10%\n20%\ndone"},
		{"CR and erase", "old\r\x1b[Kroot# ", "old\nroot# "},
		{"wrap", "abc \rdef", "abc \ndef"},
		{"backspace", "ab\b\bxy\b \bz", "xz"},
		{"backspace at the start", "\b\ba\r\n\b\bb", "a\nb"},
		{"backspace of a wide character", "目錄\b!", "目!"},
		{"controls", "a\x00b\x07c\x0ed\x7fe\tf", "abcde\tf"},
		{"not UTF-8", "a\xffb\xe4\xb8c\xe4", "a\uFFFDb\uFFFD\uFFFDc\uFFFD"},
	} {
		if got := cleanParts(tt.in); got != tt.want {
			t.Errorf("%s: %q is %q, want %q", tt.name, tt.in, got, tt.want)
		}
		if got := cleanParts(strings.Split(tt.in, "")...); got != tt.want && utf8.ValidString(tt.in) {
			t.Errorf("%s, in parts: %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := Plain([]byte("\x1b[1mred\b\x1b[0m\xff\r\n\xe4")); got != "re\uFFFD\n\uFFFD" {
		t.Errorf("Plain gives %q", got)
	}
	long := strings.Repeat("x", 3*reach)
	if got := cleanParts(long + strings.Repeat("\b", 2*reach) + "y"); got != long[:2*reach]+"y" {
		t.Errorf("backspaces reach %d bytes", len(long)+1-len(got))
	}
	if got := cleanParts("\x1b]" + strings.Repeat("x", 2*longestString)); len(got) != longestString-1 && got == "" {
		t.Error("a string without an end swallows the console")
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range captures {
		f.Add([]byte(s), uint64(1))
	}
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		whole := cleanParts(string(b))
		if parts := split(string(b), seed); cleanParts(parts...) != whole {
			t.Errorf("%q: %q, want %q", parts, cleanParts(parts...), whole)
		}
		if !utf8.ValidString(whole) || strings.ContainsFunc(whole, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
			t.Errorf("%q is not clean: %q", b, whole)
		}
	})
}
