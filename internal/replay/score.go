package replay

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/event"
)

// A cue is a moment of the dialogue that comes again when the same is done: a step begins or
// ends, something is asked. An act of the student's waits for the last cue before it.
type cue struct {
	key string
	// elastic says that it comes only where something is not done soon, as the instruction to
	// log in, so that another run may be without it.
	elastic bool
	edge    bool // a step begins or ends
	step    int  // counted from 1; 0: none has begun
}

// sturdy are the builtins whose instruction is always told. Others are, if it takes long until
// they are done.
var sturdy = map[string]bool{
	"boot": true, "send": true, "send_key": true, "ask": true, "task": true, "board": true, "sure": true,
}

// numbers are what may differ from run to run in the same instruction: addresses, processes.
var numbers = regexp.MustCompile(`\d+`)

func loose(text string) string { return numbers.ReplaceAllString(text, "#") }

const ends = " ends"

// cueOf is the cue that an event is; false: it is none.
func cueOf(e event.Event) (cue, bool) {
	switch e := e.(type) {
	case event.StepStarted:
		return cue{key: fmt.Sprintf("step %d begins", e.Index), edge: true}, !e.Replayed
	case event.StepEnded:
		return cue{key: fmt.Sprintf("step %d%s", e.Index, ends), edge: true}, true
	case event.Redone:
		return cue{key: "the step begins again"}, true
	case event.Completed:
		return cue{key: "the end"}, true
	case event.Instructed:
		return cue{key: asks(e), elastic: !sturdy[e.Verb]}, !e.Known && !e.Retold
	}
	return cue{}, false
}

// asks tells instructions apart.
func asks(e event.Instructed) string {
	return fmt.Sprintf("%s is asked at %q: %s", e.Verb, e.Console, loose(e.Text))
}

// An act is what the student did once: keys that they typed, or a word that they said.
type act struct {
	cue  int  // the last one before it, as an index of the score's; -1: none
	done bool // what that asks for was done by then
	line int  // of the events, counted from 1
	step int  // counted from 1; 0: none has begun
	time time.Time

	word  *event.Commanded
	asked string // what that was about, as asks has it; empty: not known

	keys   *event.Keyed
	pause  time.Duration // since the act before
	output int64         // bytes that the console had printed since the keys before; of the first, since its start
	echo   int64         // how long those were
	early  bool          // they are a password that was not yet asked for
}

// A score is what the student did in one run, and when.
type score struct {
	cues      []cue
	acts      []act
	completed bool // they came to the end
	author    bool // they went to any step
	language  string
}

// scoreOf reads a run.
func scoreOf(records []event.Record) *score {
	s := &score{}
	last := map[string]event.Keyed{} // of each console
	asked := map[int]string{}
	step, done, number, gone, passed := 0, false, 0, false, false
	for i, r := range records {
		c, isCue := cueOf(r.Event)
		switch e := r.Event.(type) {
		case event.Welcomed:
			s.language = e.Language
		case event.StepStarted:
			if !e.Replayed {
				step = e.Index
			}
		case event.StepEnded:
			passed = e.Passed
		case event.Completed:
			s.completed = true
		case event.Instructed:
			asked[e.Number] = asks(e)
			if isCue {
				number = e.Number
			}
		case event.Fulfilled:
			done = done || e.Number == number && e.By != "nobody"
		case event.Helped:
			s.author = s.author || e.Word == "goto"
		}
		if isCue {
			c.step = step
			s.cues, done = append(s.cues, c), false
			continue
		}
		if gone {
			continue
		}
		a := act{cue: len(s.cues) - 1, done: done, line: i + 1, step: step, time: r.Time}
		if n := len(s.acts); n > 0 {
			a.pause = r.Time.Sub(s.acts[n-1].time)
		}
		switch e := r.Event.(type) {
		case event.Commanded:
			if gone = e.Word == "quit"; gone { // the ghost goes at the end of the run, whoever ended it
				continue
			}
			a.word, a.asked = &e, asked[e.Number]
			s.acts = append(s.acts, a)
		case event.Keyed:
			s.key(a, e, last)
		}
	}
	if n := len(s.cues); n > 0 && !s.completed && !passed && strings.HasSuffix(s.cues[n-1].key, ends) {
		s.cues = s.cues[:n-1] // because the student went, which comes last here, too
	}
	return s
}

// key adds what was typed, or puts it to what it goes on from.
func (s *score) key(a act, e event.Keyed, last map[string]event.Keyed) {
	before, typed := last[e.Console]
	last[e.Console] = e
	a.output = e.Printed
	if typed && e.Printed >= before.Printed && !before.Off {
		a.output -= before.Printed
		a.echo = int64(len(before.Keys)) + 1
	}
	if n := len(s.acts); n > 0 && typed {
		switch b := &s.acts[n-1]; {
		case b.keys == nil || b.keys.Console != e.Console || e.Off || b.keys.Off:
		case asksPassword(e.At) && (b.early || e.At == b.keys.At && e.Printed == before.Printed && entered(b.keys.Keys)):
			// The guest has dropped what was typed before, as it does where that comes too soon.
			b.keys, b.cue, b.line, b.done, b.early = &e, a.cue, a.line, a.done, false
			return
		case asksPassword(e.At) && e.At == b.keys.At && e.Printed == before.Printed:
			b.keys = and(b.keys, e) // it does not show, and goes on however slowly it is typed
			return
		case asksName(b.keys.At) && len(b.keys.Keys) > 1 && entered(b.keys.Keys) && a.output <= a.echo:
			// A password before it was asked for. What of it a guest drops is chance, and half
			// a password is a wrong one: the ghost waits until it is asked.
			e.At, a.early = "Password: ", true
		case b.cue != a.cue || e.At == "":
		case e.At == b.keys.At+b.keys.Keys && !strings.ContainsFunc(b.keys.Keys, control),
			e.At == b.keys.At && e.Printed == before.Printed && !strings.ContainsFunc(b.keys.Keys, control),
			a.pause < ahead && strings.HasPrefix(b.keys.At+strings.TrimRight(b.keys.Keys, "\r"), e.At):
			// The same line goes on, whether its echo was there or not; or one that was typed before
			// the echo of the one before was there.
			b.keys = and(b.keys, e)
			return
		}
	}
	a.keys = &e
	s.acts = append(s.acts, a)
}

// and is what was typed, with what was typed after it.
func and(before *event.Keyed, e event.Keyed) *event.Keyed {
	whole := *before
	whole.Keys += e.Keys
	return &whole
}

// ahead is how soon after a line the next one is typed that does not wait for anything.
const ahead = 300 * time.Millisecond

func control(r rune) bool { return r < ' ' || r == 0x7f }

func entered(keys string) bool { return strings.HasSuffix(keys, "\r") || strings.HasSuffix(keys, "\n") }

// asksPassword and asksLogin tell a console's last line that is answered with a password or a
// name, and with nothing else.
func asksPassword(at string) bool { return passwordAsked.MatchString(at) }
func asksName(at string) bool     { return loginAsked.MatchString(at) }
func asksLogin(at string) bool    { return asksName(at) || asksPassword(at) }

var (
	passwordAsked = regexp.MustCompile(`(?i)passw(or)?d[^:]*: ?$`)
	loginAsked    = regexp.MustCompile(`(?i)login: ?$`)
)

// progress is how far a run has come in a score, by the cues of its own.
type progress struct {
	score *score
	at    int  // the last cue that has come; -1: none
	done  bool // what that asks for was done
	asked int  // the number of its instruction

	events int // that have come, keys and reports of work left out
}

// follow takes in an event of the run.
func (p *progress) follow(e event.Event) {
	switch e := e.(type) {
	case event.Keyed, event.Commanded, event.Progress:
		return
	case event.Fulfilled:
		p.done = p.done || e.Number == p.asked && e.By != "nobody"
	}
	p.events++
	own, ok := cueOf(e)
	if !ok {
		return
	}
	instruction, asked := e.(event.Instructed)
	for t := p.at + 1; t < len(p.score.cues); t++ {
		c := p.score.cues[t]
		switch {
		case c.key == own.key:
			p.at, p.done, p.asked = t, false, instruction.Number
			return
		case own.elastic && !c.elastic:
			return // the student's run was without it
		case asked && c.edge:
			// No other step's. If it is asked once more, as when the step was begun again, what is
			// done from here on is about that.
			if p.at >= 0 && p.score.cues[p.at].key == own.key {
				p.done, p.asked = false, instruction.Number
			}
			return
		}
	}
}

// comes says whether an act's turn has come, and late whether its cue is behind.
func (p *progress) comes(a act) (now, late bool) {
	return p.at > a.cue || p.at == a.cue && (p.done || !a.done), p.at > a.cue
}
