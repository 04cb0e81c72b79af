package serve

import (
	"context"
	"time"
)

// Somebody is at work when they open or load the page, type, press keys, say something to the
// guide, start or stop a lab. That a page is open is no work: many are forgotten overnight, and
// each holds the memory of its machines.

// atWork notes that a visitor does something.
func (s *Server) atWork(v visitor) {
	if v.student {
		s.touch()
	}
}

func (s *Server) touch() { s.active.Store(time.Now().UnixNano()) }

// watchActivity tells the hub when somebody was at work, and ends the server when nobody was for
// too long, until ctx ends.
func (s *Server) watchActivity(ctx context.Context, leave func()) {
	if s.Hub == nil && s.Idle == 0 {
		return
	}
	var tell <-chan time.Time
	if s.Hub != nil {
		ticker := time.NewTicker(s.Hub.Every())
		defer ticker.Stop()
		tell = ticker.C
	}
	var told time.Time
	idle := time.NewTimer(s.Idle)
	defer idle.Stop()
	if s.Idle == 0 {
		idle.Stop()
	}
	for {
		last := time.Unix(0, s.active.Load())
		select {
		case <-ctx.Done():
			return
		case <-tell:
			if last.After(told) && s.Hub.Active(ctx, last) == nil { // if not, then the next time
				told = last
			}
		case <-idle.C:
			rest := time.Until(time.Unix(0, s.active.Load()).Add(s.Idle))
			if rest <= 0 {
				s.Tell("nobody has been at work here for %v, so this ends; progress is kept", s.Idle)
				leave()
				return
			}
			idle.Reset(rest)
		}
	}
}
