package attach

import (
	"cmp"
	"context"
	"encoding/json"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/event"
)

// Reporting is what a run says of itself when it comes to a class.
type Reporting struct {
	Session string    `json:"session"`
	Started time.Time `json:"started"` // of all runs of an account, no other has the session and this
}

// greeting is the first frame of a connection to a class.
type greeting struct {
	Op   string `json:"op"` // report, back
	Call string `json:"call,omitempty"`
	Reporting
}

// called is what a class has a run know.
type called struct {
	Have int    `json:"have,omitempty"` // lines that it has kept of this run: they need not be told again
	Call string `json:"call,omitempty"` // come again, and say this: somebody wants to the door
}

// How long a run waits until it tries to reach its class again: first, and at most.
const firstRetry, lastRetry = time.Second, 30 * time.Second

// Report has the run report to a class, whose socket is given, until the run is over: it tells
// what happens (see Reported), and lets the class in as a guest. A class that is not there is
// looked for again and again; the run goes on without.
func (s *Server) Report(class string) {
	s.tasks.Go(func() {
		for wait := firstRetry; !s.report(class); wait = min(2*wait, lastRetry) {
			// Not all at once, when a class comes back that many wait for.
			timer := time.NewTimer(wait/2 + rand.N(wait))
			select {
			case <-timer.C:
			case <-s.ctx.Done():
				timer.Stop()
				s.report(class) // it may be there again for the end
				return
			}
		}
	})
}

// report reports until the run is over and the class has kept all that was told; false if the
// connection was lost before, or there was none.
func (s *Server) report(class string) (done bool) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: class, Net: "unix"})
	if err != nil {
		return false
	}
	defer conn.Close()
	defer context.AfterFunc(s.ctx, func() { conn.SetDeadline(s.last) })()
	said := greeting{Op: "report", Reporting: Reporting{filepath.Base(s.folder), s.lab.Status().Started}}
	if writeJSON(conn, frameRequest, said) != nil {
		return false
	}
	kind, payload, err := readFrame(conn)
	var first called
	if err != nil || kind != frameAnswer || json.Unmarshal(payload, &first) != nil {
		return false
	}
	ctx, cancel := context.WithCancel(s.ctx)
	var listening sync.WaitGroup
	defer listening.Wait()
	defer conn.Close()
	defer cancel()
	heard := make(chan struct{})
	listening.Go(func() {
		defer close(heard)
		defer cancel()
		for {
			kind, payload, err := readFrame(conn)
			var c called
			if err != nil || kind != frameNote || json.Unmarshal(payload, &c) != nil {
				return
			}
			s.tasks.Go(func() { s.back(class, c.Call) })
		}
	})
	t := &teller{conn: conn, ended: s.ctx, last: func() time.Time { return s.last }}
	n := 0
	for record := range s.lab.Events().Follow(ctx) {
		if record.Event = Reported(record.Event); record.Event == nil {
			continue
		}
		if n++; n > first.Have && t.line(record) != nil {
			return false
		}
	}
	select {
	case <-heard:
		return s.ctx.Err() != nil
	default:
	}
	t.over()
	<-heard // until the class has kept it, and hangs up
	return true
}

// back comes to the class once more, for somebody there who wants to the door.
func (s *Server) back(class, call string) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: class, Net: "unix"})
	if err != nil {
		return
	}
	defer conn.Close()
	if writeJSON(conn, frameRequest, greeting{Op: "back", Call: call}) == nil {
		s.answer(conn, true)
	}
}

// longestReported is what a class is told of a text of the mission's, in bytes.
const longestReported = 1 << 10

// Reported is what a class is told of an event; nil: nothing. It is decided here, in the
// student's own process: how far they are, what they were asked and answered, what they were
// refused and helped with. What they type at machines, and what these print, is not told.
func Reported(e event.Event) event.Event {
	switch e := e.(type) {
	case event.RunStarted, event.Recalled, event.StepEnded, event.Redone, event.Fulfilled,
		event.Answered, event.Helped, event.Completed, event.Paused, event.Board, event.Invited:
		return e
	case event.Welcomed:
		e.Damaged = "" // a path of the student's
		return e
	case event.StepStarted:
		e.Narration = ""
		return e
	case event.Instructed:
		if e.Known || e.Retold {
			return nil
		}
		told := event.Instructed{Number: e.Number, Console: e.Console, Verb: e.Verb, Question: e.Question}
		told.Say = cut(cmp.Or(e.Goal, e.Say, e.Words), longestReported)
		told.Text = cut(e.Text, longestReported)
		return told
	case event.Missed:
		if e.Again || e.Retold {
			return nil
		}
		e.Reason = cut(e.Reason, longestReported)
		return e
	case event.Hinted:
		if e.Retold {
			return nil
		}
		e.Text = cut(e.Text, longestReported)
		return e
	case event.RunEnded:
		e.Records, e.Failed = "", cut(e.Failed, longestReported)
		return e
	}
	return nil
}
