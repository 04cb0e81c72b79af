package console

import (
	"bytes"
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"sort"
	"unicode"
	"unicode/utf8"
)

// transitions is how many transitions an automaton may cache before it starts
// over: about half a megabyte of pointers.
const transitions = 1 << 16

// A dfa is a regular expression as an automaton whose states are built when
// they are first reached. It tells when a match is certain and when it can no
// longer grow, by the leftmost-first rules of package regexp, looking at each
// character once. It does not tell where a match starts; for that, regexp runs
// on the text that scan.window leaves.
//
// Not safe for concurrent use.
type dfa struct {
	prog      *syntax.Prog
	bounds    []rune                // class k holds the runes from bounds[k] to before bounds[k+1]
	ascii     [utf8.RuneSelf]uint16 // classes of ASCII
	looks     bool                  // has assertions such as \b, for which neighbours matter
	beginText bool                  // has ^ or \A for the beginning of the text
	prefix    []byte                // what each match starts with, if matching may skip to it
	states    map[string]*dfaState  // the cache
	start     *dfaState
	seen      []uint32 // per instruction, the generation that visited it
	queued    []uint32 // per instruction, the generation that queued it
	gen       uint32
	stack     []uint32
	list      []uint32
}

// A dfaState is a set of threads, by priority, and the kind of the last rune.
type dfaState struct {
	pcs     []uint32
	prev    rune        // stands for the last rune: -1 none, '\n', 'a' a word character, ' ' any other
	matched bool        // a match ended before the last rune
	final   bool        // a match ends here and cannot grow
	idle    bool        // no match is under way
	notable bool        // matched, final or dead
	next    []*dfaState // by class of rune; nil until needed
}

func (s *dfaState) dead() bool { return len(s.pcs) == 0 }

// newDFA compiles an expression in regexp's syntax. An anchored one matches only
// at the beginning.
func newDFA(expr string, anchored bool) (*dfa, error) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	whole := re.Simplify()
	bare, err := syntax.Compile(whole)
	if err != nil {
		return nil, err
	}
	prog := bare
	if !anchored {
		anyRune := &syntax.Regexp{Op: syntax.OpAnyChar}
		skip := &syntax.Regexp{Op: syntax.OpStar, Flags: syntax.NonGreedy, Sub: []*syntax.Regexp{anyRune}}
		prog, err = syntax.Compile(&syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{skip, whole}})
		if err != nil {
			return nil, err
		}
	}
	d := &dfa{
		prog:   prog,
		seen:   make([]uint32, len(prog.Inst)),
		queued: make([]uint32, len(prog.Inst)),
	}
	d.classify()
	if prefix, _ := bare.Prefix(); !anchored && !d.looks {
		d.prefix = []byte(prefix)
	}
	d.reset()
	return d, nil
}

// classify splits the runes into classes that no instruction tells apart.
func (d *dfa) classify() {
	bounds := []rune{0, '\n', '\n' + 1}
	add := func(lo, hi rune) { bounds = append(bounds, lo, hi+1) }
	for _, in := range d.prog.Inst {
		switch in.Op {
		case syntax.InstEmptyWidth:
			d.looks = true
			if syntax.EmptyOp(in.Arg)&syntax.EmptyBeginText != 0 {
				d.beginText = true
			}
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			if len(in.Rune) == 1 {
				r := in.Rune[0]
				add(r, r)
				if syntax.Flags(in.Arg)&syntax.FoldCase != 0 {
					for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
						add(f, f)
					}
				}
				continue
			}
			for i := 0; i+1 < len(in.Rune); i += 2 {
				add(in.Rune[i], in.Rune[i+1])
			}
		}
	}
	if d.looks {
		add('0', '9')
		add('A', 'Z')
		add('_', '_')
		add('a', 'z')
	}
	slices.Sort(bounds)
	d.bounds = slices.Compact(bounds)
	for r := range d.ascii {
		d.ascii[r] = uint16(d.search(rune(r)))
	}
}

func (d *dfa) search(r rune) int {
	return sort.Search(len(d.bounds), func(i int) bool { return d.bounds[i] > r }) - 1
}

func (d *dfa) class(r rune) int {
	if r < utf8.RuneSelf {
		return int(d.ascii[r])
	}
	return d.search(r)
}

// reset empties the cache. States in use stay valid: they hold all they need.
func (d *dfa) reset() {
	d.states = make(map[string]*dfaState)
	d.start = d.state([]uint32{uint32(d.prog.Start)}, -1, false)
}

// state returns the one state for a list of threads.
func (d *dfa) state(pcs []uint32, prev rune, matched bool) *dfaState {
	switch {
	case !d.looks:
		prev = ' '
	case prev != -1 && prev != '\n':
		if syntax.IsWordChar(prev) {
			prev = 'a'
		} else {
			prev = ' '
		}
	}
	key := make([]byte, 0, 4*len(pcs)+2)
	key = append(key, byte(prev), 0)
	if matched {
		key[1] = 1
	}
	for _, pc := range pcs {
		key = binary.LittleEndian.AppendUint32(key, pc)
	}
	if s := d.states[string(key)]; s != nil {
		return s
	}
	s := &dfaState{
		pcs:     slices.Clone(pcs),
		prev:    prev,
		matched: matched,
		idle:    len(pcs) == 1 && pcs[0] == uint32(d.prog.Start),
		next:    make([]*dfaState, len(d.bounds)),
	}
	s.final = d.isFinal(s)
	s.notable = s.matched || s.final || s.dead()
	d.states[string(key)] = s
	return s
}

// step returns the state after one more rune.
func (d *dfa) step(s *dfaState, r rune) *dfaState {
	class := d.class(r)
	if next := s.next[class]; next != nil {
		return next
	}
	if len(d.states)*len(d.bounds) > transitions {
		d.reset()
	}
	rep := d.bounds[class]
	matched := d.follow(s, rep)
	next := d.state(d.list, rep, matched)
	s.next[class] = next
	return next
}

// follow leaves in d.list the threads that survive a rune (-1: the end of the
// text), in order of priority, and reports whether a match ends before it.
// Threads of lower priority than a match are dropped.
func (d *dfa) follow(s *dfaState, r rune) (matched bool) {
	d.gen++
	d.list = d.list[:0]
	var context syntax.EmptyOp
	if d.looks {
		context = syntax.EmptyOpContext(s.prev, r)
	}
	for _, pc := range s.pcs {
		d.stack = append(d.stack[:0], pc)
		for len(d.stack) > 0 {
			pc := d.stack[len(d.stack)-1]
			d.stack = d.stack[:len(d.stack)-1]
			if d.seen[pc] == d.gen {
				continue
			}
			d.seen[pc] = d.gen
			in := &d.prog.Inst[pc]
			switch in.Op {
			case syntax.InstAlt, syntax.InstAltMatch:
				d.stack = append(d.stack, in.Arg, in.Out)
			case syntax.InstCapture, syntax.InstNop:
				d.stack = append(d.stack, in.Out)
			case syntax.InstEmptyWidth:
				if syntax.EmptyOp(in.Arg)&^context == 0 {
					d.stack = append(d.stack, in.Out)
				}
			case syntax.InstMatch:
				return true
			case syntax.InstFail:
			default:
				if r >= 0 && in.MatchRune(r) && d.queued[in.Out] != d.gen {
					d.queued[in.Out] = d.gen
					d.list = append(d.list, in.Out)
				}
			}
		}
	}
	return false
}

// isFinal reports whether the thread of highest priority has matched, whatever
// follows.
func (d *dfa) isFinal(s *dfaState) bool {
	if s.dead() {
		return false
	}
	d.gen++
	d.stack = append(d.stack[:0], s.pcs[0])
	for len(d.stack) > 0 {
		pc := d.stack[len(d.stack)-1]
		d.stack = d.stack[:len(d.stack)-1]
		if d.seen[pc] == d.gen {
			continue
		}
		d.seen[pc] = d.gen
		in := &d.prog.Inst[pc]
		switch in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			d.stack = append(d.stack, in.Arg, in.Out)
		case syntax.InstCapture, syntax.InstNop:
			d.stack = append(d.stack, in.Out)
		case syntax.InstMatch:
			return true
		case syntax.InstFail:
		default:
			return false
		}
	}
	return false
}

// run feeds text until a notable state is reached, and returns that state and
// how much was eaten.
func (d *dfa) run(s *dfaState, b []byte) (*dfaState, int) {
	for i := 0; i < len(b); {
		if s == d.start && len(d.prefix) > 0 {
			k := bytes.Index(b[i:], d.prefix)
			if k >= 0 {
				i += k
			} else {
				k = len(b) - len(d.prefix) + 1
				for k > i && k < len(b) && !utf8.RuneStart(b[k]) {
					k--
				}
				i = max(i, k)
			}
			if i == len(b) {
				break
			}
		}
		var next *dfaState
		size := 1
		if c := b[i]; c < utf8.RuneSelf {
			if next = s.next[d.ascii[c]]; next == nil {
				next = d.step(s, rune(c))
			}
		} else {
			var r rune
			r, size = utf8.DecodeRune(b[i:])
			next = d.step(s, r)
		}
		s = next
		i += size
		if s.notable {
			return s, i
		}
	}
	return s, len(b)
}
