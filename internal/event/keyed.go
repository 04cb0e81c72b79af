package event

import (
	"strings"
	"time"
)

// Keyed is what a student typed at a console at a stretch: a line to its Enter, to an Esc that is
// no key's beginning, or what came within a short while before something else happened. Passwords are among it, since whoever
// plays a run again has to type them.
type Keyed struct {
	Console string `json:"console"`
	Keys    string `json:"keys"`              // as a terminal sends them
	At      string `json:"at,omitempty"`      // the console's last line before them: the prompt that they answer
	Printed int64  `json:"printed,omitempty"` // what the console had printed by then since the machine's start, in bytes
	Off     bool   `json:"off,omitempty"`     // the machine was off: they are Enter, which switches it on
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
	// inParts is how soon the rest of a key comes whose Esc came alone, as a network may split it.
	inParts = 50 * time.Millisecond
)

// typing is what was typed and not told yet.
type typing struct {
	stretches []Record  // of Keyed; the last one may go on
	ended     bool      // the last one does not
	at        time.Time // of the last key
	timer     *time.Timer
}

// Key takes in what a student types. It is told before any event that is emitted later, and
// soon in any case; who types waits for nobody. A nil log drops it.
func (l *Log) Key(e Keyed) {
	if l == nil || e.Keys == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	t, last := &l.typing, len(l.typing.stretches)-1
	now := time.Now()
	record := Record{now, e}
	ends := e.Off || e.Keys == "\x1b" || strings.ContainsAny(e.Keys, "\r\n\x03\x04\x1a\x1c")
	if last >= 0 {
		begun := t.stretches[last].Event.(Keyed)
		rest := strings.HasSuffix(begun.Keys, "\x1b") && strings.ContainsAny(e.Keys[:1], "[O") && now.Sub(t.at) < inParts
		if (!t.ended || rest) && begun.Console == e.Console && len(begun.Keys)+len(e.Keys) <= mostKeys {
			begun.Keys += e.Keys
			record = Record{t.stretches[last].Time, begun}
			t.stretches = t.stretches[:last]
		}
	}
	t.stretches = append(t.stretches, record)
	t.ended, t.at = ends, now
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
