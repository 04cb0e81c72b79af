package mission

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/lab"
)

// newTestCrew has labs without machines, and tells the names of trials, and how many labs
// are open besides the first.
func newTestCrew(t *testing.T, ctx context.Context, jobs int) (c *crew, told *[]string, open *atomic.Int32) {
	told, open = new([]string), new(atomic.Int32)
	return newCrew(ctx, Proof{
		Jobs: jobs, Begins: func(Trial, int) {}, Tell: func(trial Trial) { *told = append(*told, trial.Name) },
		Beside: func(ctx context.Context, use func(context.Context, *Mission, *lab.Lab, *event.Log) error) error {
			open.Add(1)
			defer open.Add(-1)
			return use(ctx, load(t, folder("lab.star", scriptOf("pass"))), nil, nil)
		},
	}), told, open
}

// Trials that end in any order are told in that of the script.
func TestACrewTellsInOrder(t *testing.T) {
	t.Parallel()
	c, told, open := newTestCrew(t, t.Context(), 3)
	first, second := c.group(), c.group()
	second.tell(Trial{Name: "6"})
	later := make(chan struct{}) // closed when the last trial of the first group has ended
	for i := range 5 {
		slot := first.add(Trial{Name: strconv.Itoa(i + 1)})
		c.do(func(*bench) error {
			trial := slot.begin()
			if i == 4 {
				defer close(later)
			} else if i == 0 {
				<-later
			}
			slot.end(trial)
			return nil
		})
	}
	first.close()
	second.close()
	if err := errors.Join(c.finish(&bench{}), c.close()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(*told, " "); got != "1 2 3 4 5 6" || open.Load() != 0 {
		t.Errorf("it told %q, and %d labs are open", got, open.Load())
	}
}

// What ends one lab, or the user, ends all, and no lab stays open.
func TestACrewEnds(t *testing.T) {
	t.Parallel()
	broken := errors.New("the machine died")
	for _, interrupted := range []bool{false, true} {
		ctx, interrupt := context.WithCancelCause(t.Context())
		c, told, open := newTestCrew(t, ctx, 2)
		var begun atomic.Int32
		both := make(chan struct{}) // closed when both labs are at work
		for i := range 2 {
			c.do(func(*bench) error {
				if begun.Add(1) == 2 {
					close(both)
				}
				<-both
				switch {
				case interrupted:
					interrupt(ErrInterrupted)
				case i == 0:
					return broken
				}
				<-c.ctx.Done()
				return context.Cause(c.ctx)
			})
		}
		c.do(func(*bench) error { t.Error("more is begun"); return nil })
		want := broken
		if interrupted {
			want = ErrInterrupted
		}
		if err := c.finish(&bench{}); !errors.Is(err, want) {
			t.Errorf("it ended with %v", err)
		}
		if err := c.close(); !errors.Is(err, want) || open.Load() != 0 || slices.Contains(*told, "") {
			t.Errorf("it closed with %v, and %d labs are open", err, open.Load())
		}
		interrupt(nil)
	}
}
