package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/term"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/guide/terminal"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/phrase"
	"github.com/labrun/labrun/internal/report"
	"github.com/labrun/labrun/internal/run"
)

// guide leads a student through a mission.
func (p *program) guide(
	ctx context.Context, m *mission.Mission, name string, store *image.Store, events *event.Log, f runFlags, junit *resultFile,
) error {
	if f.headless {
		defer p.detach()()
	}
	if f.tmux && p.Getenv("TMUX") == "" {
		return p.insideTmux(ctx)
	}
	state, err := p.state()
	if err != nil {
		return err
	}
	progress, err := run.OpenProgress(state, m)
	var busy *guide.BusyError
	switch {
	case errors.As(err, &busy):
		return &usageError{phrase.In(p.spoken()).Say("fail second", busy.PID)}
	case err != nil:
		return &environmentError{err}
	}
	defer progress.Close()

	command := strings.Join(append(p.student.again(), name), " ")
	if p.lang != "" { // whoever does what the guide says gets the same language again
		command = "--lang " + p.lang + " " + command
	}
	student := &run.Student{
		Progress: progress, Language: phrase.In(p.spoken()), Command: command, Anew: f.restart, Author: f.author,
		Stays: f.headless || p.keyboard() != nil, // in a pipe, nobody would end it
	}
	if f.watch {
		student.Edited = func(text string) { events.Emit(event.Notice{Text: text}) }
	}
	if !f.headless {
		student.Meet = p.meetInTerminal(events, f)
	}
	return p.play(ctx, m, run.Options{Store: store, Events: events, Student: student, Class: p.Getenv("LABRUN_CLASS")}, nil, f, junit)
}

// detach has labrun go on without whoever started it: when their terminal hangs up, and when
// nobody reads what it says. So it leads a student whose view is another program, until they
// say quit or somebody stops it. It is undone by what is returned.
func (p *program) detach() (undo func()) {
	p.detached.Store(true)
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE) // a write fails, then, and does not end the process
	return func() { signal.Stop(broken) }
}

// meetInTerminal has a student see the dialogue here, and what takes long before it begins.
func (p *program) meetInTerminal(
	events *event.Log, f runFlags,
) func(context.Context, *guide.Dialogue, *lab.Lab) (leave func()) {
	style := report.StyleOf(p.Out, p.Getenv)
	// The dialogue tells the story itself; the report adds what takes long before it begins.
	long := report.NewTerminal(p.Out, p.Err, style, report.StyleOf(p.Err, p.Getenv), false)
	events.Attach(func(r event.Record) {
		switch r.Event.(type) {
		case event.Progress, event.Notice:
			long.Record(r)
		}
	})
	return func(ctx context.Context, d *guide.Dialogue, l *lab.Lab) (leave func()) {
		closePanes := func() {}
		if f.tmux { // they come first: they decide how wide the guide's own is
			closePanes = p.openPanes(ctx, l)
		}
		view := terminal.New(terminal.Options{
			In: p.In, Out: p.Out, Width: p.width, Color: style.Color,
			Panes: f.tmux, Machines: &consoles{p, l},
		}, d)
		events.Attach(view.Record)
		ctx, cancel := context.WithCancel(ctx)
		var listening sync.WaitGroup
		listening.Go(func() { view.Run(ctx) })
		return func() {
			cancel()
			listening.Wait()
			closePanes()
		}
	}
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

// consoles are those of a lab's machines, for a student in the guide's own terminal.
type consoles struct {
	*program
	*lab.Lab
}

// Open sits at a console in the guide's own terminal.
func (c *consoles) Open(ctx context.Context, name string, keys io.Reader, done <-chan struct{}, note string) error {
	in := c.keyboard()
	if in == nil {
		return terminal.ErrNone
	}
	viewing, cancel := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		select {
		case <-done:
			fmt.Fprintf(c.Out, "\r\n[labrun: %s]\r\n", note)
		case <-viewing.Done():
		}
	}()
	err := attach.View(viewing, c.Session(), name, attach.Terminal{In: keys, Out: c.Out, TTY: in})
	cancel()
	<-told
	return err
}
