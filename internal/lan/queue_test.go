package lan

import (
	"bytes"
	"strings"
	"testing"
)

// TestQueueLimit: what does not fit is dropped, frame by frame.
func TestQueueLimit(t *testing.T) {
	one := record(frame(2, 1, strings.Repeat("x", 1000)))
	small := record(frame(2, 1, ""))
	q := newQueue()
	const runs, inRun = 300, 7
	for range runs {
		q.put(bytes.Repeat(one, inRun), inRun)
	}
	if want := uint64(queueLimit / len(one)); q.frames != want || q.unsentFrames().dropped != runs*inRun-want {
		t.Errorf("%d frames wait and %d are dropped, want %d to wait", q.frames, q.unsentFrames().dropped, want)
	}
	before := q.frames
	q.put(small, 1)
	if q.frames != before+1 {
		t.Error("a frame that fits is dropped")
	}
	q.disconnect()
	q.put(small, 1)
	if _, frames := q.take(nil); frames != 0 || q.unsentFrames().lost != before+2 {
		t.Errorf("of a peer that left %d frames wait and %d are lost", frames, q.unsentFrames().lost)
	}
}

// TestBatchIsNotOverwritten: a batch on its way to the socket is not the memory that the
// queue fills.
func TestBatchIsNotOverwritten(t *testing.T) {
	q := newQueue()
	put := func(payload string) { q.put(record(frame(2, 1, payload)), 1) }
	put("first, and longest of them")
	first, _ := q.take(nil)
	put("second")
	second, _ := q.take(first) // first was sent
	put("third")
	if want := record(frame(2, 1, "second")); !bytes.Equal(second, want) {
		t.Errorf("the batch became %q, want %q", second, want)
	}
	if third, frames := q.take(second); frames != 1 || !bytes.Equal(third, record(frame(2, 1, "third"))) {
		t.Errorf("%d frames: %q", frames, third)
	}
}
