package event

import (
	"slices"
	"strconv"
	"sync"
	"testing"
)

func TestKindsAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range []Event{RunStarted{}, Notice{}, Progress{}, StepStarted{}, StepEnded{}, Acted{}, Checked{}, Pictured{}, Said{}, Asked{}, Answered{}, Instructed{}, Hinted{}, Helped{}, Recalled{}, Board{}, Machine{}, Keyed{}, Commanded{}, RunEnded{}} {
		if kind := e.Kind(); kind == "" || seen[kind] {
			t.Errorf("%T has the kind %q: want one of its own", e, kind)
		}
		seen[e.Kind()] = true
	}
}

func TestNilLogDropsEvents(t *testing.T) {
	var l *Log
	l.Emit(Notice{})
}

// Every sink sees every event after it was attached, all in one order.
func TestSinksSeeOneOrder(t *testing.T) {
	var l Log
	var first, second, late []string
	note := func(seen *[]string) func(Record) {
		return func(r Record) {
			if r.Time.IsZero() {
				t.Errorf("%v has no time", r.Event)
			}
			*seen = append(*seen, r.Event.(Notice).Text)
		}
	}
	l.Attach(note(&first))
	l.Attach(note(&second))
	var emitting sync.WaitGroup
	for who := range 8 {
		emitting.Go(func() {
			for i := range 100 {
				l.Emit(Notice{Text: strconv.Itoa(who*100 + i)})
			}
		})
	}
	emitting.Wait()
	l.Attach(note(&late))
	l.Emit(Notice{Text: "last"})

	if len(first) != 801 || !slices.Equal(first, second) || !slices.Equal(late, []string{"last"}) {
		t.Errorf("the sinks saw %d, %d and %d events, equal: %v", len(first), len(second), len(late), slices.Equal(first, second))
	}
	next := map[int]int{}
	for _, text := range first[:len(first)-1] {
		n, _ := strconv.Atoi(text)
		if n%100 != next[n/100] {
			t.Fatalf("event %d of emitter %d came out of turn", n%100, n/100)
		}
		next[n/100]++
	}
}
