package event

import (
	"context"
	"encoding/json"
	"iter"
	"sync"
	"time"
)

// Record is an event with the moment it happened.
type Record struct {
	Time  time.Time
	Event Event
}

// MarshalJSON returns the record as one JSON object: the event's fields, with «time»
// (RFC 3339) and «event» (its kind) before them.
func (r Record) MarshalJSON() ([]byte, error) {
	body, err := json.Marshal(r.Event)
	if err != nil {
		return nil, err
	}
	head, err := json.Marshal(struct {
		Time  string `json:"time"`
		Event string `json:"event"`
	}{r.Time.Format(time.RFC3339Nano), r.Event.Kind()})
	if err != nil {
		return nil, err
	}
	line := head[:len(head)-1]
	if string(body) != "{}" {
		line = append(line, ',')
	}
	return append(line, body[1:]...), nil
}

// Log is the events of a run. It hands each to every sink as it happens, and keeps all of
// them for those who follow it. The zero value is ready; all methods are safe for
// concurrent use.
//
// A sink sees every event in its turn, and whoever emits the next one waits for it: sinks
// are for files and for what belongs to the run itself. A follower is never waited for. It
// has a place in what the log keeps anyway and no queue of its own, so one that is slow,
// or does not come back at all, costs nothing and misses nothing.
type Log struct {
	turn  sync.Mutex // held while sinks run, so that they see one order
	sinks []func(Record)

	mu     sync.Mutex // held for moments only
	kept   []Record
	typing typing
	more   chan struct{} // closed when something is kept, or nothing will be any more; nil: nobody waits
	ended  bool
}

// Attach adds a sink for all later events. It must not emit any itself.
func (l *Log) Attach(sink func(Record)) {
	l.turn.Lock()
	defer l.turn.Unlock()
	l.sinks = append(l.sinks, sink)
}

// Emit stamps e with the present time and hands it to the sinks and followers. A nil log
// drops it.
func (l *Log) Emit(e Event) {
	if l == nil {
		return
	}
	l.tell(e)
}

// tell tells what was typed up to now, and then other events.
func (l *Log) tell(events ...Event) {
	l.turn.Lock()
	defer l.turn.Unlock()
	l.mu.Lock()
	records := l.typing.taken()
	for _, e := range events {
		records = append(records, Record{Time: time.Now(), Event: e})
	}
	l.kept = append(l.kept, records...)
	l.wake()
	l.mu.Unlock()
	for _, record := range records {
		for _, sink := range l.sinks {
			sink(record)
		}
	}
}

// Close tells those who follow the log that nothing more will come.
func (l *Log) Close() {
	if l == nil {
		return
	}
	l.tell() // what was typed last
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.wake()
}

// wake has those who wait look again. The caller holds l.mu.
func (l *Log) wake() {
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
}

// Follow yields all events, those that happened already first, until the log is closed or
// ctx ends, and nothing that has happened by then is left. A nil log has none.
func (l *Log) Follow(ctx context.Context) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		if l == nil {
			return
		}
		for at := 0; ; {
			l.mu.Lock()
			news, ended := l.kept[at:], l.ended || ctx.Err() != nil
			if l.more == nil {
				l.more = make(chan struct{})
			}
			more := l.more
			l.mu.Unlock()
			at += len(news)
			for _, record := range news {
				if !yield(record) {
					return
				}
			}
			if ended {
				return
			}
			select {
			case <-more:
			case <-ctx.Done():
			}
		}
	}
}
