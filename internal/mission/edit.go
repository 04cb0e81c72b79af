package mission

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/lab"
)

// Editions are a mission that its author may edit while a student is led through it: what was
// saved is read again, and from the next look on, or a redo, the student is led through the
// new edition. One that cannot be loaded, or does not fit the lab that runs, is left alone.
// As a guide.Mission it is the present edition.
type Editions struct {
	now  atomic.Pointer[Mission]
	next atomic.Pointer[Mission] // that the lesson takes at its next look; nil: there is none

	// Tell is told what has changed, or why that cannot be taken; nil: nobody is.
	Tell func(text string)
}

// NewEditions begins with the mission as it was loaded.
func NewEditions(m *Mission) *Editions {
	e := &Editions{}
	e.now.Store(m)
	return e
}

// Title implements guide.Mission.
func (e *Editions) Title() string { return e.now.Load().Title() }

// GuideSteps implements guide.Mission.
func (e *Editions) GuideSteps() []guide.Step { return e.now.Load().GuideSteps() }

// Languages implements guide.Mission.
func (e *Editions) Languages() []string { return e.now.Load().Languages() }

// TellIn implements guide.Mission.
func (e *Editions) TellIn(tag string) (bool, error) { return e.now.Load().TellIn(tag) }

// Forms implements guide.Mission.
func (e *Editions) Forms(text string) []string { return e.now.Load().Forms(text) }

// Guide is the mission's Guide, of whichever edition there is by then.
func (e *Editions) Guide(
	ctx context.Context, l *lab.Lab, events *event.Log, d *guide.Dialogue, from int, folder string,
) error {
	m := e.now.Load()
	if m.Stamp() == "" {
		return m.guide(ctx, l, events, d, from, folder, nil)
	}
	watching, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.watch(watching, d)
	}()
	defer func() {
		cancel()
		<-ended
	}()
	return m.guide(ctx, l, events, d, from, folder, e)
}

// editPause is the pause between two looks at the files; a test has it shorter.
var editPause = time.Second

// watch looks whether the files have changed, and loads them then.
func (e *Editions) watch(ctx context.Context, d *guide.Dialogue) {
	tick := time.NewTicker(editPause)
	defer tick.Stop()
	last := e.now.Load().Stamp()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		newest := e.newest()
		stamp := newest.Stamp()
		if stamp == last {
			continue
		}
		last = stamp
		next, err := newest.again(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			e.tell("the edited mission is not taken, and the one before goes on: %v", err)
		default:
			e.tell("%s was edited: %s", next.File, strings.Join(differences(newest.Declared(), next.Declared()), ", "))
			e.next.Store(next)
			d.Interrupt(ctx)
		}
	}
}

// newest is the edition that was loaded last.
func (e *Editions) newest() *Mission {
	if next := e.next.Load(); next != nil {
		return next
	}
	return e.now.Load()
}

func (e *Editions) tell(format string, args ...any) {
	if e.Tell != nil {
		e.Tell(fmt.Sprintf(format, args...))
	}
}

// again loads the mission once more, if that fits the same lab.
func (m *Mission) again(ctx context.Context) (*Mission, error) {
	s, err := m.Script.Again(ctx)
	next, err := missionOf(ctx, s, err)
	if err != nil {
		return nil, err
	}
	return next, fits(m.Declared(), next.Declared())
}

// fits says why a lab and a dialogue that began with one edition cannot go on with another.
func fits(now, next builtins.Declaration) error {
	names := func(d builtins.Declaration) (all []string) {
		for _, s := range d.Steps {
			all = append(all, s.Function.Name())
		}
		return all
	}
	board := func(a, b builtins.Step) bool { return a.Challenge == b.Challenge }
	switch {
	case !slices.Equal(now.Networks, next.Networks):
		return errors.New("it declares other networks: start the guide again")
	case !reflect.DeepEqual(now.Machines, next.Machines):
		return errors.New("it declares other machines: start the guide again")
	case !slices.Equal(now.Variants, next.Variants):
		return errors.New("it draws other variants: start the guide again")
	case !slices.Equal(names(now), names(next)) || !slices.EqualFunc(now.Steps, next.Steps, board):
		return errors.New("it has other steps, or in another order: start the guide again")
	}
	return nil
}

// differences tells in words what an edition says otherwise.
func differences(now, next builtins.Declaration) (all []string) {
	for i, step := range next.Steps {
		if before := now.Steps[i]; before.Title != step.Title || before.Narration != step.Narration {
			all = append(all, fmt.Sprintf("the text of step %d", i+1))
		}
	}
	if len(all) == 0 {
		return []string{"what its steps do, or the hints and texts in them"}
	}
	return all
}

// renew has the lesson go on with the edition that was loaded last, if there is a new one.
func (l *lesson) renew() {
	if l.editions == nil {
		return
	}
	next := l.editions.next.Swap(nil)
	if next == nil {
		return
	}
	// Meanwhile the student may have chosen another language.
	if tag := l.editions.now.Load().Language(); tag != next.Language() {
		next.TellIn(tag) // what there is no translation for stays in its own
	}
	next.session.Act(l.lab, l.events)
	l.m = next
	l.student.Renew(next.session)
	l.editions.now.Store(next)
	l.dialogue.Edited()
}
