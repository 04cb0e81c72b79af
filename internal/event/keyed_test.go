package event

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// What is typed at a stretch is one event, before whatever it leads to, and in its turn.
func TestKeysAreToldInStretches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Log
		var seen []Event
		l.Attach(func(r Record) { seen = append(seen, r.Event) })
		for _, key := range []string{"l", "s", "\r", "e"} {
			l.Key(Keyed{Console: "debian", Keys: key, At: "# "})
		}
		l.Key(Keyed{Console: "alpine", Keys: "x", At: "$ "})
		l.Key(Keyed{Console: "debian", Keys: "x", At: "# e"})
		l.Emit(Notice{Text: "something happens"})
		l.Key(Keyed{Console: "router7", Keys: "\r", Off: true})
		l.Key(Keyed{Console: "router7", Keys: "q"})
		time.Sleep(2 * burst)
		l.Key(Keyed{Console: "router7", Keys: "q", At: "q"})
		synctest.Wait()
		l.Close()
		want := []Event{
			Keyed{Console: "debian", Keys: "ls\r", At: "# "}, Keyed{Console: "debian", Keys: "e", At: "# "},
			Keyed{Console: "alpine", Keys: "x", At: "$ "}, Keyed{Console: "debian", Keys: "x", At: "# e"},
			Notice{Text: "something happens"},
			Keyed{Console: "router7", Keys: "\r", Off: true}, Keyed{Console: "router7", Keys: "q"},
			Keyed{Console: "router7", Keys: "q", At: "q"},
		}
		if !slices.Equal(seen, want) {
			t.Errorf("seen: %+v\nwant: %+v", seen, want)
		}
		var nobody *Log
		nobody.Key(Keyed{Keys: "x"})
	})
}

// A key that comes in two parts, as over a network, is one; an Esc with something after it is two.
func TestKeysInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Log
		var seen []Event
		l.Attach(func(r Record) { seen = append(seen, r.Event) })
		for _, key := range []string{"a", "\x1b", "[D", "b", "\x1b"} {
			l.Key(Keyed{Console: "debian", Keys: key})
		}
		time.Sleep(2 * inParts)
		l.Key(Keyed{Console: "debian", Keys: "O"}) // which opens a line in vi
		l.Close()
		if want := []Event{Keyed{Console: "debian", Keys: "a\x1b[Db\x1b"}, Keyed{Console: "debian", Keys: "O"}}; !slices.Equal(seen, want) {
			t.Errorf("seen: %+v\nwant: %+v", seen, want)
		}
	})
}
