package replay

import (
	"testing"
	"time"

	"github.com/labrun/labrun/internal/event"
)

// A password that was typed before it was asked for is one that waits for the question, and where
// the guest has dropped it, none.
func TestPasswordTypedAhead(t *testing.T) {
	keyed := func(at, keys string, printed int64) event.Event {
		return event.Keyed{Console: "desk", At: at, Keys: keys, Printed: printed}
	}
	login := event.Instructed{Number: 4, Console: "desk", Verb: "login", Text: "root"}
	for name, c := range map[string]struct {
		events []event.Event
		want   [][2]string
	}{
		"taken": {
			[]event.Event{keyed("desk login: ", "root\r", 203), keyed("desk login: ro", "secret\r", 205), keyed("desk:~# ", "ls\r", 300)},
			[][2]string{{"desk login: ", "root\r"}, {"Password: ", "secret\r"}, {"desk:~# ", "ls\r"}},
		},
		"dropped": {
			[]event.Event{keyed("desk login: ", "root\r", 203), keyed("desk login: ", "secret\r", 203), login, keyed("Password: ", "secret\r", 222)},
			[][2]string{{"desk login: ", "root\r"}, {"Password: ", "secret\r"}},
		},
		"after the echo": {
			[]event.Event{keyed("desk login: ", "root\r", 203), keyed("", "secret\r", 209), keyed("Password: ", "secret\r", 222)},
			[][2]string{{"desk login: ", "root\r"}, {"Password: ", "secret\r"}},
		},
		"slowly": {
			[]event.Event{keyed("desk login: ", "root\r", 203), keyed("Password: ", "s", 222), keyed("Password: ", "ecret\r", 222), keyed("", "\r", 224)},
			[][2]string{{"desk login: ", "root\r"}, {"Password: ", "secret\r"}, {"", "\r"}},
		},
		"the name once more": {
			[]event.Event{keyed("desk login: ", "root\r", 203), keyed("desk login: ", "root\r", 290), keyed("Password: ", "secret\r", 310)},
			[][2]string{{"desk login: ", "root\r"}, {"desk login: ", "root\r"}, {"Password: ", "secret\r"}},
		},
		"Enter before the name": {
			[]event.Event{keyed("desk login: ", "\r", 203), keyed("desk login: ", "root\r", 203)},
			[][2]string{{"desk login: ", "\r"}, {"desk login: ", "root\r"}},
		},
		"an echo that comes late": {
			[]event.Event{keyed("desk login: ", "r", 203), keyed("desk login: ", "oot\r", 203)},
			[][2]string{{"desk login: ", "root\r"}},
		},
		"another prompt": {
			[]event.Event{keyed("desk login: ", "r", 203), keyed("desk login: ", "oot\r", 290)},
			[][2]string{{"desk login: ", "r"}, {"desk login: ", "oot\r"}},
		},
	} {
		var records []event.Record
		for i, e := range c.events {
			records = append(records, event.Record{Time: time.Unix(int64(i), 0), Event: e})
		}
		var got [][2]string
		for _, a := range scoreOf(records).acts {
			got = append(got, [2]string{a.keys.At, a.keys.Keys})
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
	}
}

// TestAskedInTwoSteps: what two steps ask in the same words, but for numbers, is not taken for one another. Where a step is
// begun again after something that the student's run had only then, it is asked once more than the student was.
func TestAskedInTwoSteps(t *testing.T) {
	ping := func(number int, address string) event.Instructed {
		return event.Instructed{Number: number, Verb: "send", Console: "desk", Text: "ping -c 1 " + address}
	}
	begins := func(step int) event.StepStarted { return event.StepStarted{Index: step} }
	var records []event.Record
	for _, e := range []event.Event{
		begins(1), event.Instructed{Number: 1, Verb: "login", Console: "desk"}, event.Commanded{Word: "redo", Number: 1}, event.Redone{},
		ping(2, "10.254.0.1"), event.Keyed{Console: "desk", Keys: "ping"}, event.Fulfilled{Number: 2, By: "student"},
		event.StepEnded{Index: 1, Passed: true}, begins(2), ping(3, "192.0.2.1"), event.Keyed{Console: "desk", Keys: "ping"},
	} {
		records = append(records, event.Record{Event: e})
	}
	s := scoreOf(records)
	p := progress{score: s, at: -1}
	for _, e := range []event.Event{begins(1), ping(1, "10.254.0.1"), event.Redone{}, ping(2, "10.254.0.1")} {
		p.follow(e)
	}
	first, second := s.acts[1], s.acts[2]
	if now, late := p.comes(first); !now || late {
		t.Errorf("the first ping: now %v, late %v", now, late)
	}
	if now, _ := p.comes(second); now {
		t.Error("the second step's ping comes in the first")
	}
	p.follow(event.Fulfilled{Number: 2, By: "student"})
	if !p.done {
		t.Error("the first ping is not known to be done")
	}
}
