package lan

import (
	"context"
	"sync"
	"time"
)

const (
	// newestFrames is how many frames are at hand for whoever follows a capture, and
	// headBytes what is kept of each: the longest DHCP message that every host must take
	// is 576 bytes long (RFC 2131), and what is decoded of others comes sooner.
	newestFrames = 512
	headBytes    = minFrame + 576
	// A follower is told at most followMost packets each followEvery, which is more than
	// a person can read and costs next to nothing to decode; the first ones are those
	// that were there before they came.
	followFirst = 300
	followMost  = 100
	followEvery = 200 * time.Millisecond
)

// newest is a ring of the beginnings of a capture's last frames. The capture's writer
// fills it, and each follower has a place of its own there, so that nobody waits for one:
// a follower who is overtaken has missed frames, and is told how many.
type newest struct {
	mu     sync.Mutex // held for moments only
	ring   []head
	count  uint64        // of the frames that were ever added
	missed uint64        // those that the capture left out
	more   chan struct{} // closed when one of the two grows; nil: nobody waits
}

// head is the beginning of a frame.
type head struct {
	port string
	at   time.Time
	size int // of the whole frame
	data []byte
}

// add notes a frame that was written to the capture.
func (n *newest) add(from captured, frame []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := int(n.count % newestFrames)
	if at == len(n.ring) {
		n.ring = append(n.ring, head{})
	}
	n.ring[at] = head{from.port, from.at, len(frame), append(n.ring[at].data[:0], frame[:min(len(frame), headBytes)]...)}
	n.count++
	n.wake()
}

// miss notes frames that the capture leaves out.
func (n *newest) miss(frames uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.missed += frames
	n.wake()
}

// wake has those who wait look again. The caller holds mu.
func (n *newest) wake() {
	if n.more != nil {
		close(n.more)
		n.more = nil
	}
}

// take returns copies of the last frames, of those after number at no more than most, the
// numbers of the last frame and of those left out, and what to wait on for others.
func (n *newest) take(at uint64, most int) (heads []head, count, missed uint64, more <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.more == nil {
		n.more = make(chan struct{})
	}
	for i := n.count - min(n.count-at, uint64(most)); i < n.count; i++ {
		h := n.ring[i%newestFrames]
		h.data = append([]byte(nil), h.data...)
		heads = append(heads, h)
	}
	return heads, n.count, n.missed, n.more
}

// Follow has the capture's packets told as they come, until ctx ends or tell fails, and
// returns why. The newest of those that came before are told first. When more come than a
// person reads, or tell is slow, only the newest are told: skipped is how many have
// crossed the network before these packets, and after those of the last call, that are not
// told, those included that the capture left out. It may be called with skipped alone.
func (c *Capture) Follow(ctx context.Context, tell func(packets []Packet, skipped uint64) error) error {
	var at, missed uint64
	for most := followFirst; ; most = followMost {
		heads, count, left, more := c.newest.take(at, most)
		skipped := count - at - uint64(len(heads)) + left - missed
		at, missed = count, left
		packets := make([]Packet, len(heads))
		for i, h := range heads {
			packets[i] = decode(h.data)
			packets[i].Number = count - uint64(len(heads)-i-1)
			packets[i].Time, packets[i].Port, packets[i].Size = h.at, h.port, h.size
		}
		if len(packets) > 0 || skipped > 0 {
			if err := tell(packets, skipped); err != nil {
				return err
			}
		}
		if err := rest(ctx, followEvery, more); err != nil {
			return err
		}
	}
}

// rest waits for a time, and then until news is closed, or returns ctx's cause.
func rest(ctx context.Context, least time.Duration, news <-chan struct{}) error {
	pause := time.NewTimer(least)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-news:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}
