package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/control"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guestos"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lan"
	"github.com/labrun/labrun/internal/qemu"
)

// guest is one incarnation of a machine, from power on to power off.
type guest struct {
	process    body
	port       port        // the console's: serial, or the screen
	screen     *screenPort // nil: the machine has none
	console    *console.Console
	control    *console.Console // nil: the image has no control channel
	shell      *control.Shell
	transcript *console.Transcript
	stations   []*station       // the machine's further consoles
	announced  chan struct{}    // see announcements; nil: nobody asks
	ports      []*lan.Port      // of each card, nil for the uplink
	neighbours []*lan.Neighbour // what the switch knows of each card; nil for the uplink
	unplugged  []atomic.Bool    // each card's cable is out
	ctx        context.Context  // ends with the machine
	cancel     context.CancelCauseFunc
	failed     chan struct{}   // closed when the consoles know why the machine ended
	watched    chan struct{}   // closed when the watcher has ended
	settled    chan struct{}   // closed when the control channel is the mission's
	open       <-chan struct{} // closed when the console is the mission's; nil: it always is
	warm       bool            // it was restored
	wired      bool            // it has its network cards from a saved state, or will be saved with them; told before its tasks begin, or by them
	paged      bool            // it runs in a page
	template   string          // the key of what it was restored from; empty: it booted, or comes from a checkpoint
	entered    atomic.Bool     // somebody was let in at the console
	public     atomic.Bool     // its boot was told, so its end is
	ready      sync.Once       // the first prompt is announced once
	up         atomic.Bool     // a prompt or the control shell was seen
	restarted  atomic.Bool     // after a crash while starting
	bootedFrom []byte          // by BootFrom; guarded by the machine's power
	tasks      sync.WaitGroup
}

// recording is what a console has shown before a machine goes on, and who had logged
// in there.
type recording struct {
	text     []byte
	user     string
	stations []recording // of the further consoles; none: they have shown nothing
}

// launch starts the emulator and connects all that belongs to the machine.
// A machine that goes on from a saved state has printed what is recorded, and is
// stopped when launch returns. If it is held, what is typed at its console waits until it
// has settled: nobody's typing may get into a template, or come before a new name.
func (m *Machine) launch(ctx context.Context, spec qemu.Spec, before recording, held bool) (*guest, error) {
	if err := m.makeVariables(ctx, spec); err != nil {
		return nil, err
	}
	process, err := qemu.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	return m.connect(process, spec, before, held)
}

// connect connects all that belongs to the machine to what it runs in: see launch.
func (m *Machine) connect(process body, spec qemu.Spec, before recording, held bool) (*guest, error) {
	var err error
	g := &guest{
		process: process, warm: spec.Saved != nil,
		failed: make(chan struct{}), watched: make(chan struct{}), settled: make(chan struct{}),
		unplugged: make([]atomic.Bool, len(m.config.NICs)),
	}
	g.ctx, g.cancel = context.WithCancelCause(context.Background())
	if held {
		g.open = g.settled
	}
	said := replay{recorded: before.text}
	var seen []byte
	if spec.Savable {
		seen = slices.Clone(before.text)
	}
	options := console.Options{
		Name: m.config.Name, Prompts: prompts(m.profile.Console), Noise: m.profile.Console.Noise,
		Line: m.profile.Console.Line, User: before.user,
		Open: g.open, Keyed: m.lab.keyed(m.config.Name),
	}
	if process.Control() == nil {
		options.History = control.History // files travel over the console
	}
	if m.lab.options.Records != "" {
		rows := 24
		if spec.Display != "" {
			rows = 25
		}
		g.transcript, err = console.NewTranscript(m.lab.options.Records, m.recordName(), 80, rows, m.profile.Console.Noise)
		if err != nil {
			process.Close()
			return nil, fmt.Errorf("boot %s: transcript: %w", m.config.Name, err)
		}
		options.Transcript = g.transcript
		if g.warm {
			g.transcript.Mark("recorded when the machine was saved")
			said.live = func() { g.transcript.Mark("live") }
		}
	}
	if g.stations, err = m.newStations(); err != nil {
		process.Close()
		if g.transcript != nil {
			err = errors.Join(err, g.transcript.Close())
		}
		return nil, fmt.Errorf("boot %s: transcript: %w", m.config.Name, err)
	}
	built := make(chan struct{})
	options.Watch = guestos.WatchPanics(func(line string) {
		<-built // its first words may come before the next line is over
		m.panicked(g, line)
	})
	if spec.Display != "" {
		g.screen = newScreenPort(g.qemu(), g.failed, said, spec.Savable, seen)
		g.port = g.screen
	} else {
		g.port = &serialPort{channel: channel{process.Console(), g.failed}, replay: said, recording: spec.Savable, seen: seen}
	}
	g.console = console.New(g.port, options)
	close(built)
	if port := process.Control(); port != nil {
		g.control = console.New(&channel{port, g.failed}, console.Options{
			Name: m.config.Name + "'s control channel", History: control.History,
		})
		if g.warm {
			g.shell = control.Resume(g.control, m.controls(g))
		} else {
			g.shell = control.New(g.control, m.controls(g))
		}
	} else if g.screen != nil {
		// A screen shows some lines at a time, and what it has shown nobody can repeat.
		g.shell = control.None(m.controls(g), errOnlyScreen)
	} else {
		g.shell = control.NewForeign(g.console, m.controls(g))
	}
	m.connectStations(g, before.stations)
	m.lab.guests.Store(g, nil)
	go g.watch(m.lab, m.config.Name)
	for i, nic := range m.config.NICs {
		if nic.Uplink {
			g.ports, g.neighbours = append(g.ports, nil), append(g.neighbours, nil)
			continue
		}
		port, err := m.lab.networks[nic.Network].Attach(m.cardName(i), process.NIC(i))
		if err != nil {
			g.end()
			return nil, fmt.Errorf("boot %s: network %s: %w", m.config.Name, nic.Network, err)
		}
		g.ports, g.neighbours = append(g.ports, port), append(g.neighbours, port.Neighbour(m.hardware(i)))
	}
	return g, nil
}

// controls are what the guest's shell has to know.
func (m *Machine) controls(g *guest) control.Options {
	o := control.Options{Machine: m.config.Name, Within: m.lab.Within, Cards: m.macs}
	if !m.lab.options.Interactive { // else it is for the student to press Enter
		o.Rest = func(ctx context.Context) error { return m.rest(ctx, g) }
	}
	return o
}

// rest waits until labrun may type a line of its own at the console. Enter is pressed as
// for a prompt that is waited for.
func (m *Machine) rest(ctx context.Context, g *guest) error {
	eager := m.profile.Console.Poke && !g.up.Load()
	_, err := pressing(ctx, g.console, eager, func(ctx context.Context) (console.Match, error) {
		return console.Match{}, g.console.AtRest(ctx)
	})
	return err
}

// settle waits until the control channel is the mission's.
func (g *guest) settle(ctx context.Context) error {
	select {
	case <-g.settled:
		return nil
	case <-g.failed:
		return nil // the shell knows why
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func prompts(p image.ConsoleProfile) console.Prompts {
	return console.Prompts{Login: p.LoginPrompt, Password: p.PasswordPrompt, Shell: p.ShellPrompt}
}

// fail ends every wait on the machine, now and later, with err.
func (g *guest) fail(err error) {
	g.console.Fail(err)
	for _, s := range g.stations {
		s.console.Fail(err)
	}
	if g.control != nil {
		g.control.Fail(err)
	}
}

// watch waits for the end of the emulator and tells everybody why it came.
func (g *guest) watch(l *Lab, name string) {
	defer close(g.watched)
	<-g.process.Done()
	l.guests.Delete(g)
	l.changes.ring()
	exit := g.process.Exit()
	g.fail(exit)
	close(g.failed)
	g.cancel(exit)
	if !g.public.Load() {
		return
	}
	state := "stopped"
	if exit.Reason != qemu.Stopped && exit.Reason != qemu.PoweredOff {
		state = "failed"
	}
	l.options.Events.Emit(event.Machine{
		Name: name, State: state, Detail: exit.Error(), Seconds: time.Since(g.process.Started()).Seconds(),
	})
}

// close releases what an ended incarnation holds and returns what its transcript
// could not write.
func (g *guest) close() error {
	g.process.Close()
	g.tasks.Wait()
	for _, port := range g.ports {
		if port != nil {
			port.Close()
		}
	}
	g.console.Close()
	if g.control != nil {
		g.control.Close()
	}
	var errs []error
	for _, s := range g.stations {
		errs = append(errs, s.close())
	}
	if g.transcript != nil {
		errs = append(errs, g.transcript.Close())
	}
	return errors.Join(errs...)
}

// end ends the machine without asking the guest, and closes it.
func (g *guest) end() error {
	g.process.Quit(context.Background())
	<-g.watched
	return g.close()
}

// powerOff has a guest without a power button switch itself off.
func (g *guest) powerOff(ctx context.Context) error {
	if err := g.settle(ctx); err != nil {
		return err
	}
	// The machine may be off before the answer comes.
	if err := g.shell.Do(ctx, "poweroff"); err != nil && ctx.Err() != nil {
		return fmt.Errorf("the guest did not power off: %w", context.Cause(ctx))
	}
	select {
	case <-g.process.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the guest did not power off: %w", context.Cause(ctx))
	}
}
