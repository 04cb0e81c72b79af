package lab

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/event"
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
	_, err := m.await(ctx, nil, true)
	return err
}

// await returns the running machine, if its console is not other. With wait it
// waits for that, else it returns nil at once.
func (m *Machine) await(ctx context.Context, other *console.Console, wait bool) (*guest, error) {
	for {
		m.mu.Lock()
		g, started := m.guest, m.started
		m.mu.Unlock()
		if g != nil && g.process.Exit() == nil && g.console != other {
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

// Viewers tells how many sit at a machine's console.
func (l *Lab) Viewers(machine string) int { return l.viewers.Viewers(machine) }

// viewerSide is the lab as its viewers see it.
type viewerSide struct{ *Lab }

// HandOver lets viewers type at the consoles and switch machines on from now on: labrun
// types no more.
func (l *Lab) HandOver() { l.handed.Store(true) }

func (s viewerSide) Interactive() bool { return s.options.Interactive || s.handed.Load() }

func (s viewerSide) Await(
	ctx context.Context, machine string, other *console.Console, wait bool,
) (*console.Console, error) {
	g, err := s.machines[machine].await(ctx, other, wait)
	if g == nil {
		return nil, err
	}
	return g.console, nil
}

func (s viewerSide) Screen(ctx context.Context, machine string) (attach.Display, error) {
	m := s.machines[machine]
	if m.profile.Display == "" {
		return attach.Display{}, attach.ErrNoScreen
	}
	g, err := m.await(ctx, nil, true)
	if err != nil {
		return attach.Display{}, err
	}
	rfb, err := g.qemu().Viewer(ctx)
	return attach.Display{RFB: rfb, Console: g.console, Touched: g.screen.hurry}, err
}

// PowerOn switches a machine on that may be: the mission has come to it, or it
// was on before.
func (s viewerSide) PowerOn(ctx context.Context, machine string) error {
	m := s.machines[machine]
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
func (s viewerSide) Resize(ctx context.Context, machine string, columns, rows int) {
	m := s.machines[machine]
	g, err := m.current()
	if err != nil || g.control == nil || m.profile.Display != "" || g.process.Exit() != nil {
		return // a screen has its own size
	}
	if g.settle(ctx) != nil {
		return
	}
	// Nothing depends on it: a guest without stty keeps 80 by 24.
	g.shell.Run(ctx, m.profile.Guest.Resize(rows, columns), resizeLimit)
}

func (s viewerSide) Status() attach.Status {
	status := attach.Status{
		PID: os.Getpid(), Mission: s.options.Mission, Title: s.options.Title,
		Guided: s.options.Interactive, Started: s.opened,
	}
	for _, m := range s.Machines() {
		state := attach.MachineStatus{Browser: m.browsable, Name: m.Name(), On: m.Running(), Screen: m.profile.Display != ""}
		if g, err := m.current(); err == nil && state.On {
			state.Seconds = time.Since(g.process.Started()).Seconds()
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

func (s viewerSide) Stop() {
	if s.options.Stop != nil {
		s.options.Stop()
	}
}
