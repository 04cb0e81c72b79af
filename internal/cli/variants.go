package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/labrun/labrun/internal/course"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/report"
	"github.com/labrun/labrun/internal/run"
)

// mostImagined bounds a slip of the keyboard.
const mostImagined = 1000

// imagined is one of the students as whom a mission is played.
type imagined struct {
	mission *mission.Mission // as it is drawn for them; nil: there is nothing to play
	trial   mission.Trial    // before it is made
	made    mission.Trial    // once it is done
	done    chan struct{}    // closed then
}

// proveVariants plays a mission as imagined students, on fresh machines for each. Of those
// who draw the same, the first one plays.
func (p *program) proveVariants(
	ctx context.Context, file string, lock *image.Lock, f testFlags, to *proof,
	load func(course.Student) (*mission.Mission, error),
) error {
	who, err := p.who()
	if err != nil {
		return err
	}
	var students []*imagined
	firsts := map[string]course.ID{} // by what they draw
	for n := range f.variants {
		who.ID, who.Imagined = course.ID(fmt.Sprintf("s%02d", n+1)), true
		s := &imagined{done: make(chan struct{})}
		m, err := load(who)
		var broken *mission.Error
		switch {
		case errors.As(err, &broken) && broken.Kind == mission.Script: // with this draw it cannot even be loaded
			s.trial = mission.Trial{As: string(who.ID), Name: string(who.ID), Position: file, Failure: err.Error()}
		case err != nil:
			return err
		case firsts[m.Drawn()] != "":
			s.trial = m.Variant()
			s.trial.NotTried = fmt.Sprintf("the same is drawn for %s", firsts[m.Drawn()])
		default:
			s.mission, s.trial = m, m.Variant()
			firsts[m.Drawn()] = who.ID
		}
		students = append(students, s)
	}

	events := &event.Log{} // of the first lab, which makes what the others start from
	style := report.StyleOf(p.Err, p.Getenv)
	events.Attach(report.NewTerminal(p.Err, p.Err, style, style, true).Record)
	store, err := p.store(lock, progressTo(events))
	if err != nil {
		return err
	}
	defer store.Close()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var playing sync.WaitGroup
	defer playing.Wait()
	side := 1 // how many labs are used side by side
	play := func(s *imagined, events *event.Log) {
		defer close(s.done)
		s.made = s.trial
		if s.mission == nil || ctx.Err() != nil {
			return
		}
		err := run.OnLab(ctx, s.mission, lab.Options{Store: store, Events: events}, func(ctx context.Context, l *lab.Lab) (err error) {
			if s == students[0] {
				side = jobs(s.mission, l, f.jobs)
			}
			s.made, err = s.mission.ProveVariant(ctx, l)
			return err
		})
		if err != nil {
			cancel(err)
		}
	}
	playing.Go(func() { play(students[0], events) })
	for n, s := range students {
		to.begins(s.trial, len(students)-n-1)
		<-s.done
		if ctx.Err() != nil {
			return mission.Classify(ctx, context.Cause(ctx))
		}
		if s.made.Failure != "" {
			again := append([]string{"labrun", "--as", s.made.As}, p.student.again()...)
			s.made.Remedy = fmt.Sprintf("`%s %s` plays it so", strings.Join(again, " "), file)
		}
		to.tell(s.made)
		if n > 0 {
			continue
		}
		var next atomic.Int64
		for range side { // what labs start from is there now
			playing.Go(func() {
				for n := next.Add(1); n < int64(len(students)); n = next.Add(1) {
					play(students[n], &event.Log{})
				}
			})
		}
	}
	return nil
}
