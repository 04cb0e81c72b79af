package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/term"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/report"
	"github.com/labrun/labrun/internal/run"
)

// guide leads a student through a mission.
func (p *program) guide(ctx context.Context, m *mission.Mission, name string, store *image.Store, events *event.Log, f runFlags, junit *resultFile) error {
	if f.tmux && p.Getenv("TMUX") == "" {
		return p.insideTmux(ctx)
	}
	state, err := run.StateFolder(p.Getenv)
	if err != nil {
		return &environmentError{err}
	}
	progress, err := run.OpenProgress(state, m)
	var busy *guide.BusyError
	switch {
	case errors.As(err, &busy):
		return &usageError{guide.Phrase(p.spoken(), "fail second", busy.PID)}
	case err != nil:
		return &environmentError{err}
	}
	defer progress.Close()

	style := report.StyleOf(p.Out, p.Getenv)
	machines := &machines{program: p, events: events}
	command := name
	if p.lang != "" { // whoever does what the guide says gets the same language again
		command = "--lang " + p.lang + " " + name
	}
	g := guide.New(guide.Options{
		In: p.In, Out: p.Out, Width: p.width, Color: style.Color, Language: p.spoken(), Command: command, Panes: f.tmux,
		Events: events, Progress: progress, Machines: machines,
	}, m.GuideSteps())
	// The guide tells the story itself; the report adds what takes long before it begins.
	long := report.NewTerminal(p.Out, p.Err, style, report.StyleOf(p.Err, p.Getenv), false)
	events.Attach(func(r event.Record) {
		switch r.Event.(type) {
		case event.Progress, event.Notice:
			long.Record(r)
		}
	})
	from := 0
	welcome := func() {
		g.Welcome(m.Declared().Title, m.Declared().Minutes)
		if f.restart {
			progress.Begin()
		} else {
			from = g.Resume()
		}
	}
	if !f.tmux {
		welcome()
	}
	steps := func(ctx context.Context, l *lab.Lab) (int, error) {
		machines.lab = l
		if f.tmux {
			// The panes come first: they decide how wide the guide's own is.
			defer p.openPanes(ctx, l)()
			welcome()
		}
		err := m.Guide(ctx, l, events, g, from, progress.Machines())
		done := len(progress.Steps)
		if err == nil {
			if done = g.Finish(); done < len(m.Declared().Steps) {
				err = &run.Unfinished{}
			}
			if p.keyboard() != nil && l.Running() { // in a pipe, nobody would end it
				g.Stay(ctx)
			}
			return done, err
		}
		if ctx.Err() != nil || errors.Is(err, guide.ErrQuit) {
			err = &run.Unfinished{Stopped: true}
		}
		g.Stopped()
		return done, err
	}
	return p.play(ctx, m, run.Options{Store: store, Events: events, Play: steps}, f, junit)
}

// width is how many columns the terminal has; 80 where there is none.
func (p *program) width() int {
	if out, ok := p.Out.(interface{ Fd() uintptr }); ok {
		if width, _, err := term.GetSize(int(out.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 80
}

// machines is what the guide can do to the lab at a student's word.
type machines struct {
	*program
	lab    *lab.Lab
	events *event.Log
}

func (m *machines) Names() []string {
	var names []string
	for _, machine := range m.lab.Machines() {
		names = append(names, machine.Name())
	}
	return names
}

func (m *machines) Viewers(name string) int { return m.lab.Viewers(name) }

func (m *machines) Restart(ctx context.Context, name string) error {
	return m.lab.Restart(ctx, m.lab.Machine(name))
}

// Open sits at a console in the guide's own terminal.
func (m *machines) Open(ctx context.Context, name string, keys io.Reader, done <-chan struct{}, note string) error {
	in := m.keyboard()
	if in == nil {
		return guide.ErrNoTerminal
	}
	viewing, cancel := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		select {
		case <-done:
			fmt.Fprintf(m.Out, "\r\n[labrun: %s]\r\n", note)
		case <-viewing.Done():
		}
	}()
	err := attach.View(viewing, m.lab.Session(), name, attach.Terminal{In: keys, Out: m.Out, TTY: in})
	cancel()
	<-told
	return err
}
