package cli

import (
	"context"

	"github.com/labrun/labrun/internal/event"
)

// view shows a run's events on a goroutine of its own, so that a terminal that is paused,
// or a program that reads slowly, does not stop the lab.
type view struct {
	events *event.Log
	sink   func(event.Record)
	shown  int // so many events
	stop   func()
}

// show begins to show events. A nil view shows nothing.
func show(events *event.Log, sink func(event.Record)) *view {
	v := &view{events: events, sink: sink}
	v.begin()
	return v
}

func (v *view) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		at := 0
		for record := range v.events.Follow(ctx) {
			if at++; at > v.shown {
				v.sink(record)
				v.shown = at
			}
		}
	}()
	v.stop = func() {
		cancel()
		<-done
	}
}

// catchUp waits until all is shown that has happened: what somebody is told then stands
// below it.
func (v *view) catchUp() {
	if v != nil {
		v.stop()
		v.begin()
	}
}

// close shows the rest.
func (v *view) close() {
	if v != nil {
		v.stop()
	}
}
