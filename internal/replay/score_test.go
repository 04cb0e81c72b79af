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
