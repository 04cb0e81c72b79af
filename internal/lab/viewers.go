package lab

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guestos"
)

// Permit lets viewers switch machines on from now on.
func (l *Lab) Permit(machines ...*Machine) {
	for _, m := range machines {
		m.mu.Lock()
		m.permitted = true
		m.mu.Unlock()
	}
}

// AwaitRunning waits until the machine runs.
func (m *Machine) AwaitRunning(ctx context.Context) error {
	_, err := m.Own().await(ctx, nil, true)
	return err
}

// await returns the running machine, if its console there is not other. With wait it
// waits for that, else it returns nil at once.
func (s Station) await(ctx context.Context, other *console.Console, wait bool) (*guest, error) {
	m := s.machine
	for {
		m.mu.Lock()
		g, started := m.guest, m.started
		m.mu.Unlock()
		if g != nil && g.process.Exit() == nil && s.of(g) != other {
			return g, nil
		}
		if !wait {
			return nil, ctx.Err()
		}
		select {
		case <-started:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Session returns the run's private folder, which is what `labrun attach` finds it by. It
// is removed with the lab, even if labrun is killed.
func (l *Lab) Session() string { return l.session.dir }

// Names are the machines' names, in the order of the mission.
func (l *Lab) Names() []string { return slices.Clone(l.order) }

// Consoles are the names of all consoles, as Station.Name has them, in the order of the
// mission.
func (l *Lab) Consoles() []string {
	var names []string
	for _, s := range l.Stations() {
		names = append(names, s.Name())
	}
	return names
}

// Viewers tells how many sit at a console.
func (l *Lab) Viewers(console string) int { return l.viewers.Viewers(console) }

// keyed has what people type at a console told of.
func (l *Lab) keyed(console string) func(keys, at string, printed int64) {
	return func(keys, at string, printed int64) {
		l.options.Events.Key(event.Keyed{Console: console, Keys: keys, At: at, Printed: printed})
	}
}

// viewerSide is the lab as its viewers see it.
type viewerSide struct{ *Lab }

// HandOver lets viewers type at the consoles and switch machines on from now on: labrun
// types no more.
func (l *Lab) HandOver() { l.handed.Store(true) }

func (s viewerSide) Interactive(name string) bool {
	station, _ := s.Station(name)
	return s.handed.Load() || s.options.Interactive && !station.Played()
}

func (s viewerSide) Await(
	ctx context.Context, name string, other *console.Console, wait bool,
) (*console.Console, error) {
	station, _ := s.Station(name)
	g, err := station.await(ctx, other, wait)
	if g == nil {
		return nil, err
	}
	return station.of(g), nil
}

func (s viewerSide) Screen(ctx context.Context, machine string) (attach.Display, error) {
	m := s.machines[machine]
	if m.profile.Display == "" {
		return attach.Display{}, attach.ErrNoScreen
	}
	g, err := m.Own().await(ctx, nil, true)
	if err != nil {
		return attach.Display{}, err
	}
	rfb, err := g.qemu().Viewer(ctx)
	return attach.Display{RFB: rfb, Console: g.console, Press: g.qemu().Press, Touched: g.screen.hurry}, err
}

// PowerOn switches a machine on that may be: the mission has come to it, or it
// was on before.
func (s viewerSide) PowerOn(ctx context.Context, name string) error {
	station, _ := s.Station(name)
	m := station.machine
	m.mu.Lock()
	permitted := m.permitted || m.boots > 0
	m.mu.Unlock()
	if !permitted {
		return attach.ErrNotYet
	}
	return s.Boot(ctx, m)
}

// resizeLimit is how long a guest may take to learn its terminal's size: one that
// boots does not listen yet.
const resizeLimit = 2 * time.Minute

// Resize tells a guest how large its terminal is, where that can be done without
// typing at it.
func (s viewerSide) Resize(ctx context.Context, name string, columns, rows int) {
	station, _ := s.Station(name)
	m := station.machine
	g, err := m.current()
	if err != nil || g.control == nil || station.number == 0 && m.profile.Display != "" || g.process.Exit() != nil {
		return // a screen has its own size
	}
	if g.settle(ctx) != nil {
		return
	}
	command := m.profile.Guest.Resize(rows, columns)
	if station.number > 0 {
		command = guestos.ResizeConsole(station.number, rows, columns)
	}
	// Nothing depends on it: a guest without stty keeps 80 by 24.
	g.shell.Run(ctx, command, resizeLimit)
}

func (s viewerSide) Status() attach.Status {
	status := attach.Status{
		PID: os.Getpid(), Mission: s.options.Mission, Title: s.options.Title,
		Guided: s.options.Interactive, Student: s.options.Student, Started: s.opened,
	}
	if s.options.Place != nil {
		status.Place = s.options.Place()
	}
	for _, m := range s.Machines() {
		state := attach.MachineStatus{Browser: m.browsable, Name: m.Name(), On: m.Running(), Screen: m.profile.Display != ""}
		if g, err := m.current(); err == nil && state.On {
			state.Seconds = time.Since(g.process.Started()).Seconds()
		}
		for _, further := range m.Stations()[1:] {
			state.Consoles = append(state.Consoles, attach.ConsoleStatus{Name: further.Name(), Played: further.Played()})
		}
		status.Machines = append(status.Machines, state)
	}
	return status
}

func (s viewerSide) Events() *event.Log { return s.options.Events }

func (s viewerSide) Command(ctx context.Context, word, text string, number int) error {
	if s.options.Command == nil {
		return attach.ErrNoStudent
	}
	return s.options.Command(ctx, word, text, number)
}

func (s viewerSide) Invited() bool { return s.options.Invited != nil && s.options.Invited() }

func (s viewerSide) Stop() {
	if s.options.Stop != nil {
		s.options.Stop()
	}
}
