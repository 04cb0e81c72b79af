package lan

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// queueLimit bounds the bytes a port may have waiting: some milliseconds of
	// a fast guest, so that a queue is neither a cliff nor a long delay.
	queueLimit = 1 << 20
	// delayLimit bounds them on a delayed link, where they are in flight rather
	// than waiting: 100 ms of 300 Mbit/s.
	delayLimit = 4 << 20
	// maxDelay is beyond any link of this planet and its satellites.
	maxDelay = time.Minute
)

// A Link is the condition of the cable at a port. The zero Link is perfect.
type Link struct {
	Cut   bool          // nothing passes, in either direction
	Delay time.Duration // added on the way to the peer, keeping the order; 0 to 1 minute
	Loss  float64       // the share of frames lost in each direction, 0 to 1
}

func (l Link) validate() error {
	if l.Delay < 0 || l.Delay > maxDelay {
		return fmt.Errorf("delay %v: want 0 to %v", l.Delay, maxDelay)
	}
	if !(l.Loss >= 0 && l.Loss <= 1) { // this way NaN fails too
		return fmt.Errorf("loss %v: want 0 to 1", l.Loss)
	}
	return nil
}

// loses decides the fate of one frame; random returns a number in [0, 1).
func (l Link) loses(random func() float64) bool {
	return l.Cut || l.Loss > 0 && random() < l.Loss
}

// A queue holds the records on their way to a port's peer.
type queue struct {
	wake chan struct{} // holds one token when the sender should look again

	// random decides what is lost, here and on the way in. Only tests replace it.
	random func() float64

	mu       sync.Mutex // guards all below
	gone     bool       // the peer has left
	link     Link
	buf      []byte    // records waiting, in order
	frames   uint64    // how many
	arrivals []arrival // when they are due; empty when all are due at once
	counts   unsent
}

// An arrival is a run of records within buf that falls due at one time.
type arrival struct {
	at     time.Time
	size   int
	frames uint64
}

// unsent counts the frames that did not reach the sender, by reason.
type unsent struct{ dropped, lost uint64 }

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), random: rand.Float64}
}

// put queues a run of records, or drops what the link loses or the bound forbids.
// It never waits for the peer.
func (q *queue) put(run []byte, frames uint64, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.gone || q.link.Cut {
		q.counts.lost += frames
		return
	}
	limit := queueLimit
	if len(q.arrivals) > 0 || q.link.Delay > 0 {
		limit = delayLimit
	}
	before, framesBefore := len(q.buf), q.frames
	if q.link.Loss == 0 && before+len(run) <= limit {
		q.buf = append(q.buf, run...)
		q.frames += frames
	} else {
		q.putEach(run, limit)
	}
	if len(q.buf) == before {
		return
	}
	if q.link.Delay > 0 || len(q.arrivals) > 0 {
		q.delay(before, framesBefore, now)
	}
	q.signal()
}

// putEach is put's slower way, frame by frame. The caller holds mu.
func (q *queue) putEach(run []byte, limit int) {
	for len(run) > 0 {
		size := recordSize(run)
		switch {
		case q.link.loses(q.random):
			q.counts.lost++
		case len(q.buf)+size > limit:
			q.counts.dropped++
		default:
			q.buf = append(q.buf, run[:size]...)
			q.frames++
		}
		run = run[size:]
	}
}

// delay notes when the records after the first before bytes fall due. The caller
// holds mu.
func (q *queue) delay(before int, framesBefore uint64, now time.Time) {
	if len(q.arrivals) == 0 && before > 0 {
		q.arrivals = append(q.arrivals, arrival{now, before, framesBefore})
	}
	q.arrivals = append(q.arrivals, arrival{now.Add(q.link.Delay), len(q.buf) - before, q.frames - framesBefore})
}

// take returns the records that are due, behind none that is not, and how many
// they are. With none due, wait is the time until some are, or 0 when none wait.
// spare is the last batch, which take uses again.
func (q *queue) take(spare []byte) (batch []byte, frames uint64, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.arrivals) == 0 {
		batch, frames = q.buf, q.frames
		q.buf, q.frames = spare[:0], 0
		return batch, frames, 0
	}
	now := time.Now()
	size, due := 0, 0
	for _, a := range q.arrivals {
		if a.at.After(now) {
			break
		}
		size += a.size
		frames += a.frames
		due++
	}
	if due == 0 {
		return spare[:0], 0, q.arrivals[0].at.Sub(now)
	}
	// The batch and what stays are disjoint parts of one array: no copy.
	batch = q.buf[:size:size]
	q.buf = q.buf[size:]
	q.frames -= frames
	q.arrivals = q.arrivals[due:]
	return batch, frames, 0
}

// setLink changes the link. A cut loses what is in flight; a shorter delay also
// applies to it, so that a restored link is at once as good as new.
func (q *queue) setLink(l Link) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.link = l
	if l.Cut {
		q.discard()
		return
	}
	latest := time.Now().Add(l.Delay)
	for i := range q.arrivals {
		if q.arrivals[i].at.After(latest) {
			q.arrivals[i].at = latest
		}
	}
	q.signal()
}

// disconnect says that the peer left: nothing waits for it from now on.
func (q *queue) disconnect() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.gone = true
	q.discard()
}

// discard loses all that waits. The caller holds mu.
func (q *queue) discard() {
	q.counts.lost += q.frames
	q.buf, q.frames, q.arrivals = q.buf[:0], 0, nil
}

// signal tells the sender to look again.
func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) unsentFrames() unsent {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.counts
}
