package console

import (
	"bytes"
	"sort"
	"unicode/utf8"
)

// A sieve lets text through as it comes and keeps runs of noise back: from where a log
// line begins up to its newline.
type sieve struct {
	noise   *noise
	in      *view  // what comes
	out     view   // what passes
	next    *sieve // takes what passes; nil: it is the last
	gaps    []gap
	removed int64  // noise dropped so far
	held    []byte // the end of what came, while it may still become noise
	inNoise bool   // the end of what came is a noise run, held by the last gap
}

// A gap is a run of noise: in what comes and not in what passes.
type gap struct {
	out        int64 // where it is missing from what passes
	start, end int64 // where it is in what comes
	before     int64 // noise removed before this gap
}

// add takes what was just added to in.
func (s *sieve) add(b []byte) {
	s.forget()
	if len(s.held) > 0 {
		b = append(s.held, b...)
		s.held = nil
	}
	at := s.in.end() - int64(len(b)) // position of b[0]
	for len(b) > 0 {
		if s.inNoise {
			n := bytes.IndexByte(b, '\n') + 1
			if s.inNoise = n == 0; s.inNoise {
				n = len(b)
			}
			s.extendGap(at + int64(n))
			b, at = b[n:], at+int64(n)
			continue
		}
		n, what := s.noise.find(b)
		s.pass(b[:n])
		b, at = b[n:], at+int64(n)
		switch what {
		case noiseStarts:
			s.inNoise = true
			s.openGap(at)
		case noiseMayStart:
			s.held = append([]byte(nil), b...)
			return
		}
	}
}

func (s *sieve) pass(b []byte) {
	s.out.add(b)
	if s.next != nil {
		s.next.add(b)
	}
}

// takeBack removes what is left of the last rune of in, which is gone there; it was not a
// newline.
func (s *sieve) takeBack() {
	switch {
	case s.inNoise:
		g := &s.gaps[len(s.gaps)-1]
		s.extendGap(s.in.end())
		if g.end <= g.start {
			s.gaps = s.gaps[:len(s.gaps)-1]
			s.inNoise = false
		} else if bytes.HasSuffix(s.in.buf, []byte("\n")) {
			s.inNoise = false // what is left of the gap are earlier lines
		}
	case len(s.held) > 0:
		_, size := utf8.DecodeLastRune(s.held)
		s.held = s.held[:len(s.held)-size]
	case len(s.out.buf) > 0:
		s.out.takeBack()
		if s.next != nil {
			s.next.takeBack()
		}
	}
}

func (s *sieve) openGap(at int64) {
	if n := len(s.gaps); n > 0 && s.gaps[n-1].end == at {
		return // runs that follow each other are one gap
	}
	s.gaps = append(s.gaps, gap{out: s.out.end(), start: at, end: at, before: s.removed})
}

func (s *sieve) extendGap(end int64) {
	g := &s.gaps[len(s.gaps)-1]
	s.removed += end - g.end
	g.end = end
}

// forget drops gaps in text that is no longer kept, many at a time.
func (s *sieve) forget() {
	n := sort.Search(len(s.gaps), func(i int) bool { return s.gaps[i].end > s.in.base })
	n = min(n, len(s.gaps)-1) // one stays, to know what was removed before
	if n > len(s.gaps)/2 {
		s.gaps = s.gaps[:copy(s.gaps, s.gaps[n:])]
	}
}

// toOut returns where a position in what comes is in what passes.
func (s *sieve) toOut(in int64) int64 {
	n := sort.Search(len(s.gaps), func(i int) bool { return s.gaps[i].start >= in })
	if n == 0 {
		return in - s.removedBefore()
	}
	g := s.gaps[n-1]
	if in < g.end {
		return g.out
	}
	return in - g.before - (g.end - g.start)
}

// toIn returns where a position in what passes is in what comes: before the noise, where
// noise stood at that place.
func (s *sieve) toIn(out int64) int64 {
	n := sort.Search(len(s.gaps), func(i int) bool { return s.gaps[i].out >= out })
	if n == 0 {
		return out + s.removedBefore()
	}
	g := s.gaps[n-1]
	return out + g.before + (g.end - g.start)
}

func (s *sieve) removedBefore() int64 {
	if len(s.gaps) == 0 {
		return 0
	}
	return s.gaps[0].before
}

// lines calls f with each whole line of noise that came after a position, and returns
// where the last one ended.
func (s *sieve) lines(after int64, f func(line []byte)) int64 {
	for _, g := range s.gaps {
		start := max(g.start, after)
		for line := range bytes.Lines(s.in.slice(start, g.end)) {
			if line[len(line)-1] != '\n' {
				break
			}
			start += int64(len(line))
			after = start
			f(line)
		}
	}
	return after
}

// unfinished is the line of noise whose end has not come, as far as it came after a
// position, or what may become one.
func (s *sieve) unfinished(after int64) []byte {
	if s.inNoise {
		return s.in.slice(max(after, s.gaps[len(s.gaps)-1].start), s.in.end())
	}
	return s.held
}
