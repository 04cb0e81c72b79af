package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/google/renameio/v2"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/qemu"
)

// checkpointFormat is raised when checkpoints of earlier labruns are of no use.
const checkpointFormat = 1

// checkpoint is what is written of a whole lab, beside the files of its machines.
type checkpoint struct {
	Format   int                     `json:"format"`
	Machines map[string]savedMachine `json:"machines"`
}

// savedMachine is one machine of a checkpoint: NAME.state and NAME.console if it
// was on, NAME.qcow2 if it has ever been.
type savedMachine struct {
	Key  string `json:"key"` // all that its state depends on
	On   bool   `json:"on"`
	Disk bool   `json:"disk"`
	User string `json:"user,omitempty"` // who had logged in at its console
	// Users are those at its further consoles.
	Users []string `json:"users,omitempty"`
	// Claims are the addresses that the switch has heard of, by card: what the guest
	// said of them it will not say again.
	Claims    [][]netip.Addr `json:"claims,omitempty"`
	Unplugged []bool         `json:"unplugged,omitempty"` // the cards whose cables are out, which the state knows, too
}

// StaleError says that a checkpoint does not fit the lab any more, or is damaged.
type StaleError struct {
	Cause error
	Off   bool // all machines are off now, as before their first boot: one could not go on from it
}

func (e *StaleError) Error() string { return fmt.Sprintf("checkpoint: %v", e.Cause) }

// Unwrap returns the cause.
func (e *StaleError) Unwrap() error { return e.Cause }

// manifest is the checkpoint's own file. It is written last, so that a checkpoint
// that has it is whole.
const manifest = "checkpoint.json"

// checkpointKey names all that a machine's state depends on.
func (m *Machine) checkpointKey() string {
	spec := m.spec("disk")
	argv := spec.Argv(qemu.Descriptors{NICs: make([]int, len(spec.NICs)), Consoles: make([]int, spec.Consoles)})
	parts := []any{m.platform().Description, m.image.Digest, argv, m.config.Hostname}
	for _, c := range m.config.Consoles { // who is logged in there is part of it
		parts = append(parts, c.Name, c.User)
	}
	data, err := json.Marshal(parts)
	if err != nil {
		panic(err) // they are strings and numbers
	}
	return string(data)
}

// Checkpoint saves the whole lab as it is now into a folder, which must not be
// there yet: all machines are stopped at one instant, saved, and let run on.
// Frames that are under way between them are not saved; a restored network has lost
// them, as networks do. If it fails, the lab runs on and nothing is left.
//
// No command of labrun's may be under way on a machine, since its answer would be
// lost; one that starts meanwhile waits.
func (l *Lab) Checkpoint(ctx context.Context, dir string) (err error) {
	if err := l.Prepare(ctx); err != nil {
		return err
	}
	for _, m := range l.Machines() {
		if m.Running() && m.arch().LosesTimer && m.config.Kernel == nil {
			return fmt.Errorf("save %s: a system on a %s does not go on from a saved state", m.Name(), m.arch().Name)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	state := checkpoint{Format: checkpointFormat, Machines: map[string]savedMachine{}}
	var on []*guest
	var names []string
	for _, m := range l.Machines() {
		saved := savedMachine{Key: m.checkpointKey()}
		if g, err := m.current(); err == nil && g.process.Exit() == nil {
			if err := g.settle(ctx); err != nil {
				return err
			}
			if g.control != nil {
				// A guest that goes on from here has to know labrun's functions.
				if err := g.shell.Do(ctx, ":"); err != nil {
					return fmt.Errorf("checkpoint: %w", err)
				}
			}
			release := g.shell.Hold()
			defer release()
			saved.On, saved.User = true, g.console.User()
			for _, s := range g.stations {
				saved.Users = append(saved.Users, s.console.User())
			}
			for i, known := range g.neighbours {
				var claims []netip.Addr
				if known != nil {
					claims = known.Claims()
				}
				saved.Claims = append(saved.Claims, claims)
				saved.Unplugged = append(saved.Unplugged, g.unplugged[i].Load())
			}
			on, names = append(on, g), append(names, m.Name())
		}
		_, missing := os.Stat(m.overlay())
		saved.Disk = missing == nil
		state.Machines[m.Name()] = saved
	}
	defer func() {
		for _, g := range on {
			if running := g.process.Continue(context.Background()); running != nil && g.process.Exit() == nil {
				err = errors.Join(err, running)
			}
		}
	}()
	for _, g := range on { // one after the other, so that they stop within milliseconds
		if err := g.process.Pause(ctx); err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	errs := make([]error, len(on))
	var saving sync.WaitGroup
	for i, g := range on {
		saving.Go(func() { errs[i] = g.saveWhole(ctx, filepath.Join(dir, names[i])) })
	}
	saving.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	for _, m := range l.Machines() {
		if state.Machines[m.Name()].Disk {
			if err := copyFile(ctx, filepath.Join(dir, m.Name()+".qcow2"), m.overlay()); err != nil {
				return fmt.Errorf("checkpoint: %w", err)
			}
		}
		if err := m.saveWorkshop(dir); err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	data, err := json.Marshal(state)
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(dir, manifest), data, 0o600)
}

// saveWhole saves a paused guest, and what its console has said.
func (g *guest) saveWhole(ctx context.Context, base string) error {
	if err := g.process.SaveWhole(ctx, base+".state"); err != nil {
		return err
	}
	if g.screen != nil { // it was looked at a moment ago
		if err := g.screen.settle(ctx); err != nil {
			return err
		}
	}
	if err := saveSaid(ctx, g.console, base+".console"); err != nil {
		return err
	}
	return g.saveStations(ctx, base)
}

// saveSaid writes what a console has said into a file.
func saveSaid(ctx context.Context, c *console.Console, file string) error {
	var said []byte
	if !c.LastByte().IsZero() { // else there is nothing, and Follow would wait
		var err error
		if said, _, err = c.Follow(ctx, 0); err != nil {
			return err
		}
	}
	return os.WriteFile(file, said, 0o600)
}

func copyFile(ctx context.Context, to, from string) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	return host.CopySparse(ctx, to, file, nil)
}

// Restore brings the whole lab to a checkpoint: machines that run are replaced,
// those that were off then are switched off. A checkpoint that does not fit is a
// *StaleError, and the lab is left alone; if a machine cannot go on from it, all are
// left switched off, as before their first boot.
func (l *Lab) Restore(ctx context.Context, dir string) error {
	if err := l.Prepare(ctx); err != nil {
		return err
	}
	var state checkpoint
	data, err := os.ReadFile(filepath.Join(dir, manifest))
	if err == nil {
		err = json.Unmarshal(data, &state)
	}
	if err == nil && state.Format != checkpointFormat {
		err = fmt.Errorf("it has the format %d, and not %d", state.Format, checkpointFormat)
	}
	if err != nil {
		return &StaleError{Cause: err}
	}
	if len(state.Machines) != len(l.machines) {
		return &StaleError{Cause: errors.New("the mission has other machines now")}
	}
	var off []*Machine
	for _, m := range l.Machines() {
		saved, known := state.Machines[m.Name()]
		if !known || saved.Key != m.checkpointKey() {
			return &StaleError{
				Cause: fmt.Errorf("%s is another machine now: its image, its shape or QEMU has changed", m.Name()),
			}
		}
		if saved.On && !m.Running() {
			off = append(off, m)
		}
	}
	if err := l.checkRoom(off); err != nil {
		return &EnvironmentError{err}
	}
	if err := l.record(); err != nil {
		return &EnvironmentError{err}
	}
	err = l.goOnFrom(ctx, dir, state)
	var crash *PanicError
	if errors.Is(err, errHangs) || errors.As(err, &crash) {
		l.notice("%v, as may happen under emulation; the lab goes back once more", err)
		err = l.goOnFrom(ctx, dir, state)
	}
	if err == nil {
		return nil
	}
	l.Blank()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &StaleError{Cause: err, Off: true}
}

// goOnFrom replaces all machines by those of a checkpoint and lets them run. When it returns,
// each has answered: under emulation a restored kernel may hang (see resync), and who came
// later would wait for it.
func (l *Lab) goOnFrom(ctx context.Context, dir string, state checkpoint) error {
	machines := l.Machines()
	if err := each(machines, func(m *Machine) error {
		return m.goOnFrom(ctx, dir, state.Machines[m.Name()])
	}); err != nil {
		return err
	}
	// All are in place; now they run, as they were stopped: at one instant.
	for _, m := range machines {
		if g, err := m.current(); err == nil {
			if err := g.process.Continue(ctx); err != nil {
				return fmt.Errorf("%s: %w", m.Name(), err)
			}
		}
	}
	return each(machines, func(m *Machine) error {
		g, err := m.current()
		if err != nil {
			return nil // it is off
		}
		if err := m.hasGoneOn(ctx, g); err != nil {
			return err
		}
		g.tasks.Go(func() {
			defer close(g.settled)
			m.resyncClock(g)
		})
		return nil
	})
}

// each calls do for all machines at the same time and returns what failed.
func each(machines []*Machine, do func(*Machine) error) error {
	errs := make([]error, len(machines))
	var all sync.WaitGroup
	for i, m := range machines {
		all.Go(func() { errs[i] = do(m) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// hasGoneOn waits until a guest that goes on from a checkpoint answers.
func (m *Machine) hasGoneOn(ctx context.Context, g *guest) error {
	if g.control == nil {
		return nil
	}
	ctx, cancel := m.lab.Within(ctx, m.lab.resyncLimit, errHangs)
	defer cancel()
	err := g.shell.Do(ctx, ":")
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s did not go on from its saved state: %w", m.Name(), err)
	}
	return nil
}

// Blank switches all machines off and forgets what they wrote, as before their first boot.
func (l *Lab) Blank() {
	for _, m := range l.Machines() {
		m.stop()
		os.Remove(m.overlay())
	}
}

// goOnFrom replaces the machine by the saved one, which is stopped when it returns.
func (m *Machine) goOnFrom(ctx context.Context, dir string, saved savedMachine) error {
	release, err := m.takePower(ctx)
	if err != nil {
		return err
	}
	defer release()
	m.closeGuest()
	os.Remove(m.overlay())
	base := filepath.Join(dir, m.Name())
	if err := m.restoreWorkshop(dir); err != nil {
		return err
	}
	if saved.Disk {
		err = copyFile(ctx, m.overlay(), base+".qcow2")
	}
	if err != nil || !saved.On {
		m.mu.Lock()
		defer m.mu.Unlock()
		if saved.Disk {
			m.boots = max(m.boots, 1)
		}
		return err
	}
	said, err := os.ReadFile(base + ".console")
	if err != nil {
		return err
	}
	stations, err := readStations(base, saved.Users)
	if err != nil {
		return err
	}
	spec := m.spec(m.overlay())
	spec.Saved = &qemu.Saved{State: base + ".state"}
	g, err := m.launch(ctx, spec, recording{said, saved.User, stations}, false)
	if err != nil {
		return err
	}
	for i, claims := range saved.Claims {
		if i < len(g.neighbours) && g.neighbours[i] != nil {
			g.neighbours[i].Recall(claims)
		}
	}
	for i, out := range saved.Unplugged[:min(len(saved.Unplugged), len(g.unplugged))] {
		g.unplugged[i].Store(out)
	}
	g.up.Store(true)
	g.ready.Do(func() {}) // it was, before
	m.keepLettingIn(g)
	m.adopt(g)
	return nil
}

// resyncClock tells a machine that goes on from a checkpoint what has happened meanwhile:
// time has passed.
func (m *Machine) resyncClock(g *guest) {
	if g.control == nil {
		return
	}
	ctx, cancel := m.lab.Within(g.ctx, m.lab.resyncLimit, errHangs)
	defer cancel()
	if err := m.atTime(ctx, g, m.profile.Guest.Resync); err != nil && g.ctx.Err() == nil {
		text := fmt.Sprintf("%s's clock is as it was at the checkpoint: %v", m.Name(), err)
		m.lab.options.Events.Emit(event.Notice{Text: text})
	}
}
