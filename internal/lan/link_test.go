package lan

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func setLink(t *testing.T, p *peer, l Link) {
	t.Helper()
	if err := p.port.SetLink(l); err != nil {
		t.Fatal(err)
	}
}

func TestCutAndRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New("lan")
		a, b := attach(t, n, "a"), attach(t, n, "b")
		setLink(t, b, Link{Cut: true})
		a.send(frame(0xff, 1, "into the cut"))
		b.send(frame(0xff, 2, "out of the cut"))
		a.wantsSilence()
		b.wantsSilence()
		if got := b.port.Counters(); got.Lost != 2 || got.RxFrames != 0 || got.TxFrames != 0 {
			t.Errorf("b counted %+v, want 2 lost and nothing else", got)
		}
		setLink(t, b, Link{})
		a.send(frame(0xff, 1, "after"))
		b.wants(frame(0xff, 1, "after"))
		b.send(frame(1, 2, "after"))
		a.wants(frame(1, 2, "after"))
		closed(t, n)
	})
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New("lan")
		a, b := attach(t, n, "a"), attach(t, n, "b")
		setLink(t, b, Link{Delay: 100 * time.Millisecond})
		began := time.Now()
		at := func(want time.Duration, f []byte) {
			t.Helper()
			b.wants(f)
			if got := time.Since(began); got != want {
				t.Errorf("%q came at %v, want %v", f[minFrame:], got, want)
			}
		}
		a.send(frame(0xff, 1, "first"), frame(0xff, 1, "second"))
		time.Sleep(30 * time.Millisecond)
		a.send(frame(0xff, 1, "third"))
		at(100*time.Millisecond, frame(0xff, 1, "first"))
		at(100*time.Millisecond, frame(0xff, 1, "second"))
		at(130*time.Millisecond, frame(0xff, 1, "third"))

		// The other direction is not delayed.
		b.send(frame(1, 2, "back"))
		a.wants(frame(1, 2, "back"))
		if got := time.Since(began); got != 130*time.Millisecond {
			t.Errorf("back at %v", got)
		}

		// A longer delay keeps what is in flight; a shorter one hastens it, and
		// neither lets a frame overtake.
		a.send(frame(2, 1, "at 230"))
		setLink(t, b, Link{Delay: time.Second})
		a.send(frame(2, 1, "would be at 1130"))
		at(230*time.Millisecond, frame(2, 1, "at 230"))
		setLink(t, b, Link{})
		a.send(frame(2, 1, "at once"))
		at(230*time.Millisecond, frame(2, 1, "would be at 1130"))
		at(230*time.Millisecond, frame(2, 1, "at once"))

		// What is in flight when the cable is cut is lost.
		setLink(t, b, Link{Delay: time.Second})
		a.send(frame(2, 1, "in flight"))
		synctest.Wait()
		setLink(t, b, Link{Cut: true})
		setLink(t, b, Link{})
		b.wantsSilence()
		if got := b.port.Counters(); got.Lost != 1 {
			t.Errorf("b counted %+v, want 1 lost", got)
		}
		closed(t, n)
	})
}

// TestDelayOfMany interleaves sending and arriving for long enough that the queue
// turns its memory over many times.
func TestDelayOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New("lan")
		a, b := attach(t, n, "a"), attach(t, n, "b")
		setLink(t, b, Link{Delay: 5 * time.Millisecond})
		payload := func(i int) []byte { return frame(0xff, 1, fmt.Sprintf("%0*d", i%1000, i)) }
		const frames = 2000
		go func() {
			for i := range frames {
				a.send(payload(i))
				if i%10 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		}()
		for i := range frames {
			if i == frames/2 { // the other way of queueing takes over, and back
				setLink(t, b, Link{})
			} else if i == frames*3/4 {
				setLink(t, b, Link{Delay: 3 * time.Millisecond})
			}
			b.wants(payload(i))
		}
		closed(t, n)
	})
}

// TestBatchIsNotOverwritten: a batch on its way to the socket shares memory with
// the one before, which the queue fills again.
func TestBatchIsNotOverwritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.buf = make([]byte, 0, 1<<10) // room for all that follows
		put := func(payload string) {
			q.put(record(frame(2, 1, payload)), 1, time.Now())
		}
		q.setLink(Link{Delay: time.Second})
		put("delayed")
		time.Sleep(time.Second)
		delayed, _, _ := q.take(nil)
		q.setLink(Link{})
		put("at once")
		sending, _, _ := q.take(delayed)
		put("longer than what is free before the batch that is being sent")
		if want := record(frame(2, 1, "at once")); !bytes.Equal(sending, want) {
			t.Errorf("the batch became %q, want %q", sending, want)
		}
	})
}

// TestDelayOfTwoSenders: two ports that receive at once may queue in the other
// order. That order stays; the later of the two times is kept for both.
func TestDelayOfTwoSenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.setLink(Link{Delay: time.Second})
		later, sooner := record(frame(2, 1, "later")), record(frame(2, 3, "sooner"))
		q.put(later, 1, time.Now().Add(time.Millisecond))
		q.put(sooner, 1, time.Now())
		time.Sleep(time.Second)
		if batch, frames, wait := q.take(nil); len(batch) > 0 || frames > 0 || wait != time.Millisecond {
			t.Errorf("took %q, %d frames, after 1 s, want to wait another 1 ms, not %v", batch, frames, wait)
		}
		time.Sleep(time.Millisecond)
		if batch, frames, _ := q.take(nil); !bytes.Equal(batch, slices.Concat(later, sooner)) || frames != 2 {
			t.Errorf("took %q, %d frames, want both in order", batch, frames)
		}
	})
}

// TestQueueLimits: a delayed link holds what is in flight besides what waits.
func TestQueueLimits(t *testing.T) {
	run := record(frame(2, 1, strings.Repeat("x", 1000)))
	for _, test := range []struct {
		link  Link
		limit int
	}{{Link{}, queueLimit}, {Link{Delay: time.Second}, delayLimit}} {
		q := newQueue()
		q.setLink(test.link)
		const frames = 2 * delayLimit / 1000
		for range frames {
			q.put(run, 1, time.Now())
		}
		if want := uint64(test.limit / len(run)); q.frames != want || q.unsentFrames().dropped != frames-want {
			t.Errorf("%+v: %d of %d frames wait and %d are dropped, want %d to wait", test.link, q.frames, frames, q.unsentFrames().dropped, want)
		}
	}
}

func TestLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New("lan")
		a, b := attach(t, n, "a"), attach(t, n, "b")
		random := func() func() float64 { return rand.New(rand.NewPCG(7, 11)).Float64 }
		setLink(t, b, Link{Loss: 0.25})
		for _, way := range []struct {
			name     string
			from, to *peer
		}{{"to the peer", a, b}, {"from the peer", b, a}} {
			synctest.Wait() // nothing is on its way
			b.port.queue.random = random()
			before := b.port.Counters().Lost
			expect := random()
			var sent, want [][]byte
			for i := range 1000 {
				f := frame(0xff, 9, fmt.Sprint(way.name, i))
				sent = append(sent, f)
				if expect() >= 0.25 {
					want = append(want, f)
				}
			}
			way.from.send(sent...)
			way.to.wants(want...)
			way.to.wantsSilence()
			if lost := b.port.Counters().Lost - before; lost != uint64(1000-len(want)) {
				t.Errorf("%s: counted %d lost, want %d", way.name, lost, 1000-len(want))
			}
			if len(want) < 700 || len(want) > 800 {
				t.Errorf("%s: %d of 1000 came through a loss of a quarter", way.name, len(want))
			}
		}
		closed(t, n)
	})
}

func TestLinkValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New("lan")
		a := attach(t, n, "a")
		good := Link{Delay: time.Second, Loss: 0.5}
		setLink(t, a, good)
		for _, bad := range []Link{
			{Loss: -0.1}, {Loss: 1.1}, {Loss: math.NaN()}, {Delay: -1}, {Delay: maxDelay + 1},
		} {
			if err := a.port.SetLink(bad); err == nil {
				t.Errorf("%+v was accepted", bad)
			}
		}
		if got := a.port.Link(); got != good {
			t.Errorf("link is %+v after refusals, want %+v", got, good)
		}
		closed(t, n)
	})
}
