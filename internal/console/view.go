package console

import (
	"bytes"
	"sort"
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

// A gap is a run of noise: in the full text and not in the quiet one.
type gap struct {
	quiet      int64 // where it is missing from the quiet text
	start, end int64 // where it is in the full text
	before     int64 // noise removed before this gap
}

// texts are the two views of one console's text.
type texts struct {
	full, quiet view
	noise       *noise
	gaps        []gap
	removed     int64  // noise dropped so far
	held        []byte // the end of the full text, while it may still become noise
	inNoise     bool   // the end of the full text is a noise run, held by the last gap
}

func newTexts(keep int, n *noise) *texts {
	return &texts{full: view{keep: keep}, quiet: view{keep: keep}, noise: n}
}

// add appends to both views and reports whether the quiet one, or what may
// become part of it, changed.
func (t *texts) add(b []byte) (changed bool) {
	t.full.add(b)
	t.forget()
	if len(t.held) > 0 {
		b = append(t.held, b...)
		t.held = nil
	}
	at := t.full.end() - int64(len(b)) // position of b[0] in the full text
	for len(b) > 0 {
		if t.inNoise {
			n := bytes.IndexByte(b, '\n') + 1
			if t.inNoise = n == 0; t.inNoise {
				n = len(b)
			}
			t.extendGap(at + int64(n))
			b, at = b[n:], at+int64(n)
			continue
		}
		changed = true
		n, what := t.noise.find(b)
		t.quiet.add(b[:n])
		b, at = b[n:], at+int64(n)
		switch what {
		case noiseStarts:
			t.inNoise = true
			t.openGap(at)
		case noiseMayStart:
			t.held = append([]byte(nil), b...)
			return changed
		}
	}
	return changed
}

// takeBack removes the last rune from both views; it is not a newline.
func (t *texts) takeBack() {
	t.full.takeBack()
	switch {
	case t.inNoise:
		g := &t.gaps[len(t.gaps)-1]
		t.extendGap(t.full.end())
		if g.end <= g.start {
			t.gaps = t.gaps[:len(t.gaps)-1]
			t.inNoise = false
		} else if bytes.HasSuffix(t.full.buf, []byte("\n")) {
			t.inNoise = false // what is left of the gap are earlier lines
		}
	case len(t.held) > 0:
		_, size := utf8.DecodeLastRune(t.held)
		t.held = t.held[:len(t.held)-size]
	case len(t.quiet.buf) > 0:
		t.quiet.takeBack()
	}
}

func (t *texts) openGap(at int64) {
	if n := len(t.gaps); n > 0 && t.gaps[n-1].end == at {
		return // runs that follow each other are one gap
	}
	t.gaps = append(t.gaps, gap{quiet: t.quiet.end(), start: at, end: at, before: t.removed})
}

func (t *texts) extendGap(end int64) {
	g := &t.gaps[len(t.gaps)-1]
	t.removed += end - g.end
	g.end = end
}

// forget drops gaps in text that is no longer kept, many at a time.
func (t *texts) forget() {
	n := sort.Search(len(t.gaps), func(i int) bool { return t.gaps[i].end > t.full.base })
	n = min(n, len(t.gaps)-1) // one stays, to know what was removed before
	if n > len(t.gaps)/2 {
		t.gaps = t.gaps[:copy(t.gaps, t.gaps[n:])]
	}
}

// settled is the position in the full text up to which noise is told from text.
func (t *texts) settled() int64 { return t.full.end() - int64(len(t.held)) }

// toQuiet returns where a position in the full text is in the quiet one.
func (t *texts) toQuiet(full int64) int64 {
	n := sort.Search(len(t.gaps), func(i int) bool { return t.gaps[i].start >= full })
	if n == 0 {
		return full - t.removedBefore()
	}
	g := t.gaps[n-1]
	if full < g.end {
		return g.quiet
	}
	return full - g.before - (g.end - g.start)
}

// toFull returns where a position in the quiet text is in the full one: before
// the noise, where noise stood at that place.
func (t *texts) toFull(quiet int64) int64 {
	n := sort.Search(len(t.gaps), func(i int) bool { return t.gaps[i].quiet >= quiet })
	if n == 0 {
		return quiet + t.removedBefore()
	}
	g := t.gaps[n-1]
	return quiet + g.before + (g.end - g.start)
}

func (t *texts) removedBefore() int64 {
	if len(t.gaps) == 0 {
		return 0
	}
	return t.gaps[0].before
}

// lastLine is the unterminated line that the quiet text ends in; of a line longer than
// any prompt it is the end, and not whole.
func (t *texts) lastLine() (line []byte, whole bool) {
	line = t.quiet.slice(t.quiet.end()-longestPrompt, t.quiet.end())
	start := bytes.LastIndexByte(line, '\n') + 1
	return line[start:], start > 0 || len(line) < longestPrompt
}
