package console

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// growth is how far, in bytes, a regular expression's match is followed while
// it could still grow.
const growth = 64 << 10

// rescan is the longest text, in bytes, on which a pattern is run from the
// cursor to find its groups. On a longer one, what cannot be part of the match
// is first ruled out.
const rescan = 64 << 10

// A Match is a condition that holds.
type Match struct {
	Text   string     // what matched, as far as it is still in memory; for a prompt its text
	Groups []string   // what the pattern's parenthesised groups matched, without the whole; nil for text and prompts
	Index  int        // which of Expect's conditions matched
	Prompt PromptKind // which prompt it is; NoPrompt for text and patterns
	At     time.Time  // when the last byte looked at arrived
}

// A Condition is one thing that a wait can look for: see [Text], [Pattern] and [Prompt].
type Condition struct {
	text  []byte
	re    *regexp.Regexp
	kinds []PromptKind
	wrong error // why it cannot be waited for
}

// Text is the condition that s appears, which must not be empty.
func Text(s string) Condition {
	if s == "" {
		return Condition{wrong: errors.New("the text to wait for is empty")}
	}
	return Condition{text: []byte(s)}
}

// Pattern is the condition that re matches.
func Pattern(re *regexp.Regexp) Condition { return Condition{re: re} }

var anyPrompt = []PromptKind{LoginPrompt, PasswordPrompt, ShellPrompt}

// Prompt is the condition that the console waits at a prompt of one of these
// kinds, or of any kind if none is given: its last line is unterminated, ends in
// that prompt, has not changed for 40 ms (10 ms, if the very same was typed at before; seconds,
// if no such prompt is known), and was printed since anything was last typed.
func Prompt(kinds ...PromptKind) Condition {
	if len(kinds) == 0 {
		kinds = anyPrompt
	}
	return Condition{kinds: kinds}
}

// A condition is a Condition that is being waited for.
type condition struct {
	Condition
	index int
	dfa   *dfa
}

// conditions prepares what Expect was given.
func conditions(given []Condition) ([]condition, error) {
	if len(given) == 0 {
		return nil, errors.New("nothing to wait for")
	}
	var all []condition
	for i, one := range given {
		c := condition{Condition: one, index: i}
		if one.wrong != nil {
			return nil, one.wrong
		}
		if one.re != nil {
			var err error
			if c.dfa, err = newDFA(one.re.String(), false); err != nil {
				return nil, fmt.Errorf("pattern %q: %w", one.re, err)
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// describe says in words what is waited for.
func describe(conds []condition) string {
	var words []string
	for _, c := range conds {
		switch {
		case c.text != nil:
			words = append(words, fmt.Sprintf("%q", c.text))
		case c.re != nil:
			words = append(words, fmt.Sprintf("/%s/", c.re))
		default:
			for _, k := range c.kinds {
				words = append(words, k.String())
			}
		}
	}
	return strings.Join(words, " or ")
}

// A scanner looks for one condition in one view. It sees each byte once.
type scanner interface {
	// advance looks at what was added to the view, retreat forgets what was
	// taken back.
	advance(v *view)
	retreat(v *view)
	// found returns the position at which a match became certain, or -1, and
	// whether the match is complete. With silent, the view's end counts as the
	// end of the text.
	found(silent bool) (at int64, complete bool)
	// match returns the match that was found, and where it ends.
	match(v *view) (text string, groups []string, end int64)
}

func newScanner(c condition, from int64, v *view) scanner {
	from = max(from, v.base)
	if c.re == nil {
		return &textScan{want: c.text, from: from, pos: from, at: -1}
	}
	s := &patternScan{re: c.re, dfa: c.dfa, from: from}
	s.now = scanState{state: c.dfa.start, pos: from, at: -1}
	if s.now.state.final {
		s.now.at, s.now.done = from, true
	}
	s.saved[0], s.saved[1] = s.now, s.now
	return s
}

// textScan looks for plain text.
type textScan struct {
	want []byte
	from int64 // where the wait began
	pos  int64 // what is before this has been looked at
	at   int64 // where the match ends, or -1
}

func (s *textScan) advance(v *view) {
	if s.at >= 0 || v.end() <= s.pos {
		return
	}
	// A match may begin in what was looked at before.
	start := max(s.from, v.base, s.pos-int64(len(s.want))+1)
	if k := bytes.Index(v.slice(start, v.end()), s.want); k >= 0 {
		s.at = start + int64(k+len(s.want))
	}
	s.pos = v.end()
}

func (s *textScan) retreat(v *view) {
	s.pos = min(s.pos, v.end())
	s.from = min(s.from, v.end())
	if s.at > v.end() {
		s.at = -1
	}
}

func (s *textScan) found(bool) (int64, bool) { return s.at, s.at >= 0 }

func (s *textScan) match(*view) (string, []string, int64) { return string(s.want), nil, s.at }

// patternScan looks for a regular expression.
type patternScan struct {
	re   *regexp.Regexp
	dfa  *dfa
	from int64
	now  scanState
	// saved are two earlier states, the older first: each at the start of a
	// line, or four times reach (a character has up to four bytes) after the
	// one before. So one of them is before anything that backspaces can reach.
	saved [2]scanState
}

type scanState struct {
	state *dfaState
	pos   int64
	at    int64 // where a match became certain, or -1
	done  bool  // the match cannot grow
}

func (s *patternScan) advance(v *view) {
	b := v.slice(s.now.pos, v.end())
	for len(b) > 0 && !s.now.done {
		n := bytes.LastIndexByte(b, '\n') + 1
		if n == 0 {
			n = cut(b, int(s.saved[1].pos+4*reach-s.now.pos))
		}
		s.now.eat(s.dfa, b[:n])
		newline := b[n-1] == '\n'
		b = b[n:]
		if newline {
			s.saved[0], s.saved[1] = s.now, s.now
		} else if s.now.pos-s.saved[1].pos >= 4*reach {
			s.saved[0], s.saved[1] = s.saved[1], s.now
		}
	}
}

func (s *scanState) eat(d *dfa, b []byte) {
	for len(b) > 0 && !s.done {
		rest := b
		if s.at >= 0 {
			rest = b[:cut(b, int(s.at+growth-s.pos))]
		}
		state, n := d.run(s.state, rest)
		s.state, b = state, b[n:]
		s.pos += int64(n)
		if s.at < 0 && (state.matched || state.final) {
			s.at = s.pos
		}
		s.done = state.final || state.dead() || s.at >= 0 && s.pos >= s.at+growth
	}
}

// cut returns the first place between two characters that is n or more, and at
// least 1, bytes into b.
func cut(b []byte, n int) int {
	for n = max(n, 1); n < len(b) && !utf8.RuneStart(b[n]); n++ {
	}
	return min(n, len(b))
}

func (s *patternScan) retreat(v *view) {
	end := v.end()
	s.from = min(s.from, end)
	if s.now.pos <= end {
		return
	}
	switch {
	case s.saved[1].pos <= end:
		s.now = s.saved[1]
	case s.saved[0].pos <= end:
		s.now = s.saved[0]
		s.saved[1] = s.now
	default: // backspaces before the cursor
		s.now = scanState{state: s.dfa.start, pos: end, at: -1}
		s.saved[0], s.saved[1] = s.now, s.now
	}
	s.advance(v)
}

func (s *patternScan) found(silent bool) (int64, bool) {
	if s.now.at >= 0 {
		return s.now.at, s.now.done || silent
	}
	if silent && s.dfa.follow(s.now.state, -1) {
		return s.now.pos, true
	}
	return -1, false
}

func (s *patternScan) match(v *view) (string, []string, int64) {
	from := max(s.from, v.base)
	text := v.slice(from, s.now.pos)
	if len(text) > rescan {
		skip := s.dfa.window(text)
		text, from = text[skip:], from+int64(skip)
	}
	loc := s.re.FindSubmatchIndex(text)
	if loc == nil {
		// The beginning is no longer in memory; this is what is left of the match.
		return string(v.slice(s.from, s.now.pos)), make([]string, s.re.NumSubexp()), s.now.pos
	}
	groups := make([]string, s.re.NumSubexp())
	for i := range groups {
		if from, to := loc[2*i+2], loc[2*i+3]; from >= 0 {
			groups[i] = string(text[from:to])
		}
	}
	return string(text[loc[0]:loc[1]]), groups, from + int64(loc[1])
}

// window returns how much of a text cannot be part of its first match: what is
// before the last start of a line at which no match was under way.
func (d *dfa) window(text []byte) (skip int) {
	if d.beginText {
		return 0
	}
	s, pos := d.start, 0
	for line := range bytes.Lines(text) {
		for at := 0; at < len(line); {
			next, n := d.run(s, line[at:])
			if next.notable {
				return skip
			}
			s, at = next, at+n
		}
		pos += len(line)
		if s.idle && bytes.HasSuffix(line, []byte("\n")) {
			skip = pos
		}
	}
	return skip
}

// wants reports whether a prompt of this kind meets the condition.
func (c condition) wants(kind PromptKind) bool { return slices.Contains(c.kinds, kind) }
