package console

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// A view is the recent part of a text that only grows at its end, save for
// backspaces. Positions count bytes since the console was opened and stay
// valid as old text is dropped.
type view struct {
	buf  []byte
	base int64 // position of buf[0]
	keep int   // how much is kept at least
}

func (v *view) end() int64 { return v.base + int64(len(v.buf)) }

// add appends text. Old text goes only before something is added, so that
// what was added last can always be looked at whole.
func (v *view) add(b []byte) {
	if drop := len(v.buf) - v.keep; drop > v.keep {
		v.base += int64(drop)
		v.buf = v.buf[:copy(v.buf, v.buf[drop:])]
	}
	v.buf = append(v.buf, b...)
}

// takeBack removes the last rune.
func (v *view) takeBack() {
	_, size := utf8.DecodeLastRune(v.buf)
	v.buf = v.buf[:len(v.buf)-size]
}

// slice returns the text between two positions, as far as it is still there.
// It is valid until the next add.
func (v *view) slice(from, to int64) []byte {
	to = min(max(to, v.base), v.end())
	from = min(max(from, v.base), to)
	return v.buf[from-v.base : to-v.base]
}

// lastLine returns what follows the last newline.
func (v *view) lastLine() []byte {
	return v.buf[bytes.LastIndexByte(v.buf, '\n')+1:]
}

// texts are the two views of one console's text. The kernel writes its lines past the
// terminal, so that they land inside what others print, the log lines of daemons included:
// they are taken out first.
type texts struct {
	full   view
	sieves []*sieve // the kernel's noise, then that of daemons, if they have any
	quiet  *view    // what has passed the last one
}

func newTexts(keep int, noises []*noise) *texts {
	t := &texts{full: view{keep: keep}}
	t.quiet = &t.full
	for _, n := range noises {
		s := &sieve{noise: n, in: t.quiet, out: view{keep: keep}}
		if len(t.sieves) > 0 {
			t.sieves[len(t.sieves)-1].next = s
		}
		t.sieves, t.quiet = append(t.sieves, s), &s.out
	}
	return t
}

// add appends to both views and reports whether the quiet one changed, or the kernel wrote,
// which interrupts it anywhere.
func (t *texts) add(b []byte) (changed bool) {
	kernel := t.sieves[0]
	quiet, removed := t.quiet.end(), kernel.removed
	t.full.add(b)
	kernel.add(b)
	return t.quiet.end() != quiet || kernel.removed != removed
}

// takeBack removes the last rune from both views; it is not a newline.
func (t *texts) takeBack() {
	t.full.takeBack()
	t.sieves[0].takeBack()
}

// held is what may become part of the quiet text, and may still become noise.
func (t *texts) held() (held []byte) {
	for _, s := range t.sieves {
		if held = append(bytes.Clone(s.held), held...); s.inNoise {
			held = nil
		}
	}
	return held
}

// settled is the position in the full text up to which noise is told from text.
func (t *texts) settled() int64 {
	at := t.full.end()
	for i, s := range t.sieves {
		switch {
		case len(s.held) > 0:
			at = s.in.end() - int64(len(s.held))
			for _, earlier := range slices.Backward(t.sieves[:i]) {
				at = earlier.toIn(at)
			}
		case s.inNoise:
			at = t.full.end()
		}
	}
	return at
}

// toQuiet returns where a position in the full text is in the quiet one.
func (t *texts) toQuiet(at int64) int64 {
	for _, s := range t.sieves {
		at = s.toOut(at)
	}
	return at
}

// toFull returns where a position in the quiet text is in the full one: before
// the noise, where noise stood at that place.
func (t *texts) toFull(at int64) int64 {
	for _, s := range slices.Backward(t.sieves) {
		at = s.toIn(at)
	}
	return at
}

// lastLine is the unterminated line that the quiet text ends in; of a line longer than
// any prompt it is the end, and not whole.
func (t *texts) lastLine() (line []byte, whole bool) {
	line = t.quiet.slice(t.quiet.end()-longestPrompt, t.quiet.end())
	start := bytes.LastIndexByte(line, '\n') + 1
	return line[start:], start > 0 || len(line) < longestPrompt
}
