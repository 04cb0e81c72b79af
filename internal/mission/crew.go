package mission

import (
	"context"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/lab"
)

// A crew makes trials in several labs side by side, and has them told in the order of the
// script. Labs besides the first are opened once there is work for them.
type crew struct {
	ctx    context.Context // ends with the first error
	cancel context.CancelCauseFunc
	proof  Proof

	helpers sync.WaitGroup

	mu      sync.Mutex // guards all below
	queue   []func(*bench) error
	running int
	hired   int // helpers
	closed  bool
	err     error         // the first that ended it
	news    chan struct{} // closed, and made anew, when any of these change

	telling sync.Mutex // guards the groups and their slots, and keeps order among those who hear
	groups  []*group
}

func newCrew(ctx context.Context, proof Proof) *crew {
	c := &crew{proof: proof, news: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	return c
}

// change does something under the lock and wakes who waits.
func (c *crew) change(what func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	what()
	close(c.news)
	c.news = make(chan struct{})
}

// do has some work done, by whoever is free.
func (c *crew) do(work func(*bench) error) {
	hire := false
	c.change(func() {
		c.queue = append(c.queue, work)
		hire = c.proof.Beside != nil && c.hired+1 < c.proof.Jobs && len(c.queue) > 1 && c.ctx.Err() == nil
		if hire {
			c.hired++
		}
	})
	if hire {
		c.helpers.Go(func() {
			if err := c.proof.Beside(c.ctx, c.help); err != nil {
				c.fail(err)
			}
		})
	}
}

// help works in a lab besides the first one.
func (c *crew) help(ctx context.Context, m *Mission, l *lab.Lab, events *event.Log) error {
	m.session.Act(l, events)
	b := &bench{m: m, lab: l, events: events}
	for {
		work, news, over := c.next(false)
		switch {
		case over:
			return nil
		case work != nil:
			c.work(b, work)
			continue
		}
		select {
		case <-news:
		case <-ctx.Done(): // its lab was ended
			return context.Cause(ctx)
		}
	}
}

// finish works until all is done that there is to do, and returns why it was not.
func (c *crew) finish(b *bench) error {
	for {
		work, news, over := c.next(true)
		switch {
		case over:
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.err
		case work != nil:
			c.work(b, work)
			continue
		}
		<-news
	}
}

// next takes work from the queue. Over says that there is none any more: for the first lab
// as soon as all is done.
func (c *crew) next(first bool) (work func(*bench) error, news <-chan struct{}, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		c.queue = nil
	}
	if len(c.queue) > 0 {
		work = c.queue[0]
		c.queue = c.queue[1:]
		c.running++
		return work, nil, false
	}
	if first {
		return nil, c.news, c.running == 0
	}
	return nil, c.news, c.closed || c.ctx.Err() != nil
}

func (c *crew) work(b *bench, work func(*bench) error) {
	err := work(b)
	if err != nil {
		c.fail(err)
	}
	c.change(func() { c.running-- })
}

// fail ends the proof.
func (c *crew) fail(err error) {
	c.change(func() {
		if c.err == nil {
			c.err = err
		}
	})
	c.cancel(err)
}

// close lets the helpers go, and returns, once their labs are taken down, what ended the
// proof.
func (c *crew) close() error {
	c.change(func() { c.closed = true })
	c.helpers.Wait()
	c.cancel(nil)
	return c.err
}

// A group is the trials of a step, in order. They are told when those of all groups before
// it have been.
type group struct {
	crew   *crew
	slots  []*slot
	told   int
	closed bool // no more are added
}

// A slot is a trial's place in the order.
type slot struct {
	group *group

	trial        Trial // as it is known: what is to be tried, and in the end what came of it
	began        time.Time
	begun, ended bool
	announced    bool
}

// group adds one.
func (c *crew) group() *group {
	c.telling.Lock()
	defer c.telling.Unlock()
	g := &group{crew: c}
	c.groups = append(c.groups, g)
	return g
}

// add adds a trial that is to come.
func (g *group) add(t Trial) *slot {
	g.crew.telling.Lock()
	defer g.crew.telling.Unlock()
	s := &slot{trial: t, group: g}
	g.slots = append(g.slots, s)
	return s
}

// tell adds a trial that has ended.
func (g *group) tell(t Trial) { g.add(t).end(t) }

// close says that no more trials are added.
func (g *group) close() {
	g.crew.telling.Lock()
	defer g.crew.telling.Unlock()
	g.closed = true
	g.crew.flush()
}

// begin says that the trial, which is returned, is made now.
func (s *slot) begin() Trial {
	s.group.crew.telling.Lock()
	defer s.group.crew.telling.Unlock()
	s.began, s.begun = time.Now(), true
	s.group.crew.flush()
	return s.trial
}

// known is the trial before it is made.
func (s *slot) known() Trial {
	s.group.crew.telling.Lock()
	defer s.group.crew.telling.Unlock()
	return s.trial
}

// end says what came of the trial. One that did not begin took no time.
func (s *slot) end(t Trial) {
	s.group.crew.telling.Lock()
	defer s.group.crew.telling.Unlock()
	s.trial = t
	if s.begun {
		s.trial.Seconds = time.Since(s.began).Round(time.Millisecond).Seconds()
	}
	s.begun, s.ended = true, true
	s.group.crew.flush()
}

// flush tells what is next in order, as far as it has ended, and what is tried then. The
// caller holds telling.
func (c *crew) flush() {
	for len(c.groups) > 0 {
		g := c.groups[0]
		for ; g.told < len(g.slots); g.told++ {
			s := g.slots[g.told]
			if !s.begun {
				return
			}
			if !s.announced {
				s.announced = true
				c.proof.Begins(s.trial, len(g.slots)-g.told-1)
			}
			if !s.ended {
				return
			}
			c.proof.Tell(s.trial)
		}
		if !g.closed {
			return
		}
		c.groups = c.groups[1:]
	}
}
