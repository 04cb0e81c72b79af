package lan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// told is what a follower was told at once.
type told struct {
	numbers []uint64
	skipped uint64
}

// follower follows a capture until stop is called.
func follower(t *testing.T, c *Capture, slow func()) (heard <-chan told, stop func()) {
	t.Helper()
	all := make(chan told, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- c.Follow(ctx, func(packets []Packet, skipped uint64) error {
			slow()
			one := told{skipped: skipped}
			for _, p := range packets {
				one.numbers = append(one.numbers, p.Number)
			}
			all <- one
			return nil
		})
	}()
	return all, func() {
		t.Helper()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("following ended with %v", err)
		}
	}
}

func span(from, to uint64) (numbers []uint64) {
	for ; from <= to; from++ {
		numbers = append(numbers, from)
	}
	return numbers
}

func (want told) is(t *testing.T, got told) {
	t.Helper()
	if !slices.Equal(got.numbers, want.numbers) || got.skipped != want.skipped {
		t.Errorf("told %v after %d others, want %v after %d", got.numbers, got.skipped, want.numbers, want.skipped)
	}
}

// A follower is told the newest that came before, then what comes, and of a flood the newest.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New("lan")
		a := attach(t, n, "a")
		c, err := n.Capture(io.Discard, nil)
		if err != nil {
			t.Fatal(err)
		}
		send := func(frames int) {
			for range frames {
				a.send(frame(2, 1, "x"))
			}
			synctest.Wait()
		}
		send(followFirst + 50)
		heard, stop := follower(t, c, func() {})
		told{span(51, followFirst+50), 50}.is(t, <-heard)
		at := uint64(followFirst + 50)
		send(1)
		told{span(at+1, at+1), 0}.is(t, <-heard)
		send(3 * newestFrames)
		at += 1 + 3*newestFrames
		told{span(at-followMost+1, at), 3*newestFrames - followMost}.is(t, <-heard)
		time.Sleep(time.Hour)
		send(1)
		told{span(at+1, at+1), 0}.is(t, <-heard)
		// What the capture leaves out is told as well.
		c.add(a.port, record(frame(2, 1, "x")), CapturePackets, time.Now())
		told{nil, CapturePackets}.is(t, <-heard)
		stop()
		closed(t, n)
	})
}

// A follower who does not come back holds up neither the network nor another one.
func TestSlowFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New("lan")
		a := attach(t, n, "a")
		c, err := n.Capture(io.Discard, nil)
		if err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		late, stopLate := follower(t, c, func() { <-release })
		quick, stop := follower(t, c, func() {})
		a.send(frame(2, 1, "x"))
		told{span(1, 1), 0}.is(t, <-quick)
		time.Sleep(time.Second)
		for at := uint64(2); at < 2000; at++ {
			a.send(frame(2, 1, "x"))
			synctest.Wait()
			if at%100 == 1 {
				time.Sleep(time.Second)
			}
		}
		close(release)
		told{span(1, 1), 0}.is(t, <-late)
		told{span(1900, 1999), 1898}.is(t, <-late)
		seen := 1
		for len(quick) > 0 {
			one := <-quick
			seen += len(one.numbers) + int(one.skipped)
		}
		time.Sleep(time.Second)
		for len(quick) > 0 {
			one := <-quick
			seen += len(one.numbers) + int(one.skipped)
		}
		if seen != 1999 {
			t.Errorf("the other was told of %d", seen)
		}
		stop()
		stopLate()
		closed(t, n)
	})
}

func TestWholeSize(t *testing.T) {
	var file bytes.Buffer
	f := captureFile{w: &file, network: "lan", interfaces: map[string]int{}}
	var wholes []int64
	for i := range 3 {
		if err := f.frame(captured{port: "a", at: time.Unix(1000, 0)}, make([]byte, 61+i)); err != nil {
			t.Fatal(err)
		}
		if err := f.flush(); err != nil {
			t.Fatal(err)
		}
		wholes = append(wholes, int64(file.Len()))
	}
	for cut := range file.Len() + 1 {
		size, err := WholeSize(bytes.NewReader(file.Bytes()[:cut]))
		if err != nil || size > int64(cut) {
			t.Fatalf("of %d bytes %d are whole, %v", cut, size, err)
		}
		for _, whole := range wholes {
			if whole <= int64(cut) && size < whole {
				t.Fatalf("of %d bytes only %d are whole", cut, size)
			}
		}
	}
	if _, err := WholeSize(bytes.NewReader(make([]byte, 100))); err == nil {
		t.Error("zeroes are a capture")
	}
}
