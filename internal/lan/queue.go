package lan

import "sync"

// queueLimit bounds the bytes a port may have waiting: some milliseconds of a fast
// guest, so that a queue is neither a cliff nor a long delay.
const queueLimit = 1 << 20

// A queue holds the records on their way to a port's peer.
type queue struct {
	wake chan struct{} // holds one token when the sender should look again

	mu     sync.Mutex // guards all below
	gone   bool       // the peer has left
	buf    []byte     // records waiting, in order
	frames uint64     // how many
	counts unsent
}

// unsent counts the frames that did not reach the sender, by reason.
type unsent struct{ dropped, lost uint64 }

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// put queues a run of records, or drops what the bound forbids. It never waits for the
// peer.
func (q *queue) put(run []byte, frames uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.gone {
		q.counts.lost += frames
		return
	}
	before := len(q.buf)
	if before+len(run) <= queueLimit {
		q.buf = append(q.buf, run...)
		q.frames += frames
	} else {
		q.putEach(run)
	}
	if len(q.buf) > before {
		q.signal()
	}
}

// putEach is put's slower way, frame by frame, where not all fit. The caller holds mu.
func (q *queue) putEach(run []byte) {
	for len(run) > 0 {
		size := recordSize(run)
		if len(q.buf)+size > queueLimit {
			q.counts.dropped++
		} else {
			q.buf = append(q.buf, run[:size]...)
			q.frames++
		}
		run = run[size:]
	}
}

// take returns the records that wait and how many they are. spare is the last batch,
// whose memory take uses again.
func (q *queue) take(spare []byte) (batch []byte, frames uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch, frames = q.buf, q.frames
	q.buf, q.frames = spare[:0], 0
	return batch, frames
}

// disconnect says that the peer left: nothing waits for it from now on.
func (q *queue) disconnect() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.gone = true
	q.counts.lost += q.frames
	q.buf, q.frames = q.buf[:0], 0
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
