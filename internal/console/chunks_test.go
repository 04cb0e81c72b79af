package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
)

// chunks is a stream that yields its chunks once a wait is under way, and ends.
type chunks struct {
	left  [][]byte
	start chan struct{}
}

func (s *chunks) Read(b []byte) (int, error) {
	<-s.start
	for len(s.left) > 0 && len(s.left[0]) == 0 {
		s.left = s.left[1:]
	}
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.left[0])
	s.left[0] = s.left[0][n:]
	return n, nil
}

func (s *chunks) Write(b []byte) (int, error) { return len(b), nil }
func (s *chunks) Close() error                { return nil }

// outcome is what a wait gets that was there before the first byte came.
func outcome(t testing.TB, parts []string, conds ...Condition) Match {
	t.Helper()
	m, _, _ := play(t, parts, conds...)
	return m
}

// play returns also what is unread then, and the text, both views of it.
func play(t testing.TB, parts []string, conds ...Condition) (m Match, unread, text string) {
	t.Helper()
	s := &chunks{start: make(chan struct{})}
	for _, p := range parts {
		s.left = append(s.left, []byte(p))
	}
	c := New(s, machine)
	defer c.Close()
	all, err := conditions(conds)
	if err != nil {
		t.Fatal(err)
	}
	// A wait that exists before the stream begins; Expect would race with it.
	w := newWaiter(all)
	c.mu.Lock()
	c.waiters = append(c.waiters, w)
	c.start(w)
	c.mu.Unlock()
	close(s.start)
	select {
	case m = <-w.result:
	case <-w.fail:
		m.Index = -1
	}
	<-c.failing
	if _, err := c.Expect(context.Background(), Text("\x00")); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	return m, c.Unread(), string(c.texts.full.buf) + "|" + string(c.texts.quiet.buf)
}

// captures are consoles as they were seen, or as they would be at their worst.
var captures = []string{
	"\x1b[0m[    0.000000] Linux version 6.1\r\n[    1.234567] virtio\r\n\r\nDebian GNU/Linux 12 os25 ttyS0\r\n\r\nos25 login: ",
	"\x1b[?2004hroot@os25:~# ip a\r\n\x1b[?2004l\r1: lo: <LOOPBACK>\r\n    inet 127.0.0.1/8 scope host\r\n\x1b[?2004hroot@os25:~# ",
	"~ # \x1b[6nls\r\n\x1b[1;34mbin\x1b[m  \x1b[1;34mdev\x1b[m\r\n~ # \x1b[6n",
	"# 2025/09/01 23:27:22 dhcp4: lease 10.254.0.2\r\nip a\r\n2: uplink0: inet 10.0.2.15/24\r\n# ",
	"/ # 2025/09/[    1.000000] k\r\n01 23:27:22 x: y[    1.100000] k\r\n[    1.200000] k\r\nz\r\nip a\r\n202[    1.3",
	"pas[   12.345678] usb 1-1\r\n[   12.345679] usb\r\nsphrase[ 1 ok [[    9.000000] x\r\n!\r\n",
	"spin -\b\\\b|\b/\b-\bdone \xe7\x9b\xae\xe9\x8c\x84\b\xff ok\r\n10%\r20%\r\r\n",
	"\x1b]0;title\x07x\x1b(By\x1bPq\x1b\\z\x1b[31;1mred\x1b[0m\x00\x07 [    1.0000\b\b\b\b\b\b\b\b\b\b\bfoo\r\n",
}

var conditionSets = [][]Condition{
	{Text("passphrase"), Text("usb"), Text("10.")},
	{Text("["), Text("x\n"), Text("done")},
	{pattern(`inet (\S+)`), Text("10.0.2")},
	{pattern(`(?m)^\w+$`), pattern(`\b[a-z]+\d\b`)},
	{pattern(`(?s)(.)\n.*?(\d+)`)},
	{pattern(`(?i)[^a-z\s]{2,}`), Text("-")},
	{pattern(`a|ab|abc.*x`), pattern(`z*q`)},
	{pattern(`o[kn].*`), Text("%")},
}

func FuzzChunks(f *testing.F) {
	for i, s := range captures {
		f.Add([]byte(s), uint64(i)*0x9e3779b97f4a7c15+3, uint8(i))
	}
	f.Fuzz(func(t *testing.T, b []byte, seed uint64, set uint8) {
		conds := conditionSets[int(set)%len(conditionSets)]
		if len(b) > 2000 {
			b = b[:2000]
		}
		compareChunks(t, seen(t, []string{string(b)}, conds), conds, split(string(b), seed))
	})
}

// split cuts text by a simple generator, into pieces of 1 to 16 bytes.
func split(s string, seed uint64) (parts []string) {
	for len(s) > 0 {
		seed = seed*6364136223846793005 + 1442695040888963407
		n := min(len(s), int(seed>>60)+1)
		parts, s = append(parts, s[:n]), s[n:]
	}
	return parts
}

// seen tells all that a wait on a stream gets.
func seen(t testing.TB, parts []string, conds []Condition) string {
	t.Helper()
	m, unread, text := play(t, parts, conds...)
	return fmt.Sprintf("%d %q %q unread %q text %q", m.Index, m.Text, m.Groups, unread, text)
}

func compareChunks(t *testing.T, atOnce string, conds []Condition, parts []string) {
	t.Helper()
	if inParts := seen(t, parts, conds); inParts != atOnce {
		t.Errorf("at once  %s\nin parts %s\nparts %q", atOnce, inParts, parts)
	}
}

func TestChunks(t *testing.T) {
	t.Parallel()
	for _, s := range captures {
		for _, conds := range conditionSets {
			atOnce := seen(t, []string{s}, conds)
			compareChunks(t, atOnce, conds, strings.Split(s, ""))
			for cut := range len(s) {
				compareChunks(t, atOnce, conds, []string{s[:cut], s[cut:]})
			}
		}
	}
}

// FuzzPattern compares the automaton with package regexp.
func FuzzPattern(f *testing.F) {
	for _, expr := range []string{`a|ab`, `(a+)(b*?)c`, `(?m)^x.*$`, `\bfoo\b`, `(?i)straße`, `[^\n]{2,4}$`, `\Aab`, `(a|b)*c?`, `a*?$`} {
		f.Add(expr, "xx foo ab\nx abc STRASSE\nstraße aabbc")
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		if len(expr) > 60 || len(text) > 500 {
			return
		}
		text = strings.ToValidUTF8(strings.Map(func(r rune) rune {
			if r != '\n' && r < ' ' || r == 0x7f || r == '[' {
				return -1
			}
			return r
		}, text), "")
		re, err := regexp.Compile(expr)
		if err != nil || strings.ContainsAny(text, "0123456789") {
			return
		}
		m := outcome(t, split(text, 7), Pattern(re))
		want := re.FindStringSubmatch(text)
		if want == nil {
			if m.Index != -1 {
				t.Errorf("/%s/ on %q: %q, want no match", expr, text, m.Text)
			}
			return
		}
		if m.Index != 0 || m.Text != want[0] || fmt.Sprintf("%q", m.Groups) != fmt.Sprintf("%q", want[1:]) {
			t.Errorf("/%s/ on %q: %q %q (condition %d), want %q", expr, text, m.Text, m.Groups, m.Index, want)
		}
	})
}
