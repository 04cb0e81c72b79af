package event

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// texts are those of the notices that a follower of the log gets.
func texts(followed iter.Seq[Record]) []string {
	var all []string
	for r := range followed {
		all = append(all, r.Event.(Notice).Text)
	}
	return all
}

// Whenever somebody begins to follow, they get everything from the beginning, once and in
// the order of the sinks.
func TestFollowersMissNothing(t *testing.T) {
	var l Log
	var want []string
	l.Attach(func(r Record) { want = append(want, r.Event.(Notice).Text) })
	got := make([][]string, 10)
	var emitting, following sync.WaitGroup
	for i := range got {
		emitting.Go(func() {
			for n := range 50 {
				l.Emit(Notice{Text: strconv.Itoa(50*i + n)})
			}
			following.Go(func() { got[i] = texts(l.Follow(t.Context())) })
		})
	}
	emitting.Wait()
	l.Close()
	following.Wait()
	if len(want) != 500 {
		t.Fatalf("the sink saw %d events", len(want))
	}
	for i, all := range append(got, texts(l.Follow(t.Context()))) {
		if !slices.Equal(all, want) {
			t.Errorf("follower %d got %d events: %v, and the sink %v", i, len(all), all, want)
		}
	}
}

// A follower that does not come back for more holds nobody up, and can leave while it waits.
func TestFollowersAreNotWaitedFor(t *testing.T) {
	var l Log
	l.Emit(Notice{Text: "first"})
	ctx, cancel := context.WithCancel(t.Context())
	stuck, going, left := make(chan struct{}), make(chan struct{}), make(chan []string)
	go func() {
		got := []string{}
		for r := range l.Follow(ctx) {
			if len(got) == 0 {
				close(stuck)
				<-going
			}
			if got = append(got, r.Event.(Notice).Text); len(got) == 1001 {
				cancel() // it would wait now
			}
		}
		left <- got
	}()
	<-stuck
	for i := range 1000 {
		l.Emit(Notice{Text: strconv.Itoa(i)})
	}
	close(going)
	if got := <-left; len(got) != 1001 || got[1000] != "999" {
		t.Errorf("it got %d events: %v", len(got), got)
	}
}

// A sink that is held up holds up no follower.
func TestFollowersDoNotWaitForSinks(t *testing.T) {
	var l Log
	entered, release := make(chan struct{}), make(chan struct{})
	l.Attach(func(Record) { close(entered); <-release })
	var emitting sync.WaitGroup
	emitting.Go(func() { l.Emit(Notice{Text: "seen"}) })
	<-entered
	for r := range l.Follow(t.Context()) {
		if r.Event != (Notice{Text: "seen"}) {
			t.Errorf("got %+v", r)
		}
		break
	}
	close(release)
	emitting.Wait()
}
