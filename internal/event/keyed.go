package event

import (
	"strings"
	"time"
)

// Keyed is what a student typed at a console at a stretch: a line to its Enter, or what came
// within a short while before something else happened. Passwords are among it, since whoever
// plays a run again has to type them.
type Keyed struct {
	Console string `json:"console"`
	Keys    string `json:"keys"`          // as a terminal sends them
	At      string `json:"at,omitempty"`  // the console's last line before them: the prompt that they answer
	Off     bool   `json:"off,omitempty"` // the machine was off: they are Enter, which switches it on
}

// Commanded is a word of the student's to the dialogue, before it is heeded, or refused.
type Commanded struct {
	Word   string `json:"word"`
	Text   string `json:"text,omitempty"`
	Number int    `json:"number,omitempty"` // of the instruction that was there; 0: the word is about none
}

func (Keyed) Kind() string     { return "keyed" }
func (Commanded) Kind() string { return "commanded" }

const (
	// burst is after how long a pause what is typed is told of: the parts of one movement of the
	// hand are one event, and what a killed run loses is no more.
	burst = 500 * time.Millisecond
	// mostKeys bounds an event's keys, in bytes: somebody may paste a file.
	mostKeys = 4 << 10
)

// typing is what was typed and not told yet.
type typing struct {
	stretches []Record // of Keyed; the last one may go on
	ended     bool     // the last one does not
	timer     *time.Timer
}

// Key takes in what a student types at a console, where At is the last line. It is told as
// Keyed before any event that is emitted later, and soon in any case; who types waits for
// nobody. A nil log drops it.
func (l *Log) Key(console, keys, at string) {
	l.key(Keyed{Console: console, Keys: keys, At: at})
}

// PowerKey takes in that a student presses Enter at the console of a machine that is off.
func (l *Log) PowerKey(console string) { l.key(Keyed{Console: console, Keys: "\r", Off: true}) }

func (l *Log) key(e Keyed) {
	if l == nil || e.Keys == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	t := &l.typing
	if n := len(t.stretches); n > 0 && !t.ended {
		if last := t.stretches[n-1].Event.(Keyed); last.Console == e.Console && len(last.Keys)+len(e.Keys) <= mostKeys {
			last.Keys += e.Keys
			t.stretches[n-1].Event = last
			e = last
		} else {
			t.stretches = append(t.stretches, Record{time.Now(), e})
		}
	} else {
		t.stretches = append(t.stretches, Record{time.Now(), e})
	}
	t.ended = e.Off || strings.ContainsAny(e.Keys, "\r\n\x03\x04\x1a\x1c")
	if t.timer == nil {
		t.timer = time.AfterFunc(burst, func() { l.tell() })
	} else {
		t.timer.Reset(burst)
	}
}

// taken is what was typed and not told yet, which its caller tells. The caller holds l.mu.
func (t *typing) taken() []Record {
	all := t.stretches
	t.stretches, t.ended = nil, false
	if t.timer != nil {
		t.timer.Stop()
	}
	return all
}
