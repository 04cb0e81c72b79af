package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/pc"
	"github.com/labrun/labrun/internal/qemu"
	"github.com/labrun/labrun/web"
)

// States is the folder of what machines in pages go on from. A server hands it out.
func States(store *image.Store) string { return filepath.Join(store.Dir(), "states") }

// pageLimit is how long a page may take to fetch a saved state and let it go on.
const pageLimit = 2 * time.Minute

// Browsable says why a machine with this image cannot live in a page; empty: it can.
func Browsable(m MachineConfig, profile image.Profile) string {
	switch {
	case m.Kernel != nil:
		return "it boots a kernel of the course's own"
	case !profile.Browser:
		return fmt.Sprintf("its image %s is not one that a browser can hold (browser = true in images.lock)", m.Image)
	case len(m.Consoles) > 0:
		return "it has more than one console"
	case len(m.NICs) > 1:
		return "it has more than one network card"
	case len(m.NICs) == 1 && m.NICs[0].Uplink:
		return "its network card leads out of the lab"
	}
	return ""
}

func (s viewerSide) Hold(ctx context.Context, machine string, page attach.Page) error {
	m := s.machines[machine]
	if !m.browsable {
		return fmt.Errorf("%s cannot live in a page", machine)
	}
	return m.slot.Hold(ctx, page)
}

// startInPage starts the machine in the page that can hold it. It returns nil without an
// error if it has to boot in QEMU: there is no such page, or it failed, which is told.
func (m *Machine) startInPage(ctx context.Context) (*guest, error) {
	if !m.browsable || !m.slot.Held() {
		return nil, nil
	}
	g, err := m.goOnInPage(ctx)
	if err == nil || ctx.Err() != nil {
		return g, err
	}
	if !errors.Is(err, pc.ErrNoPage) {
		m.lab.notice("%s runs in QEMU and not in the page: %v", m.config.Name, err)
	}
	return nil, nil
}

func (m *Machine) goOnInPage(ctx context.Context) (*guest, error) {
	m.lab.notice("%s gets ready for the browser, which takes a minute the first time", m.config.Name)
	state, err := pc.State(ctx, States(m.lab.options.Store), web.Files(), pc.Kernel{
		Kernel: m.image.Kernel, Initrd: m.image.Initrd, Cmdline: m.profile.Cmdline, Memory: m.config.Memory,
	})
	if err != nil {
		return nil, err
	}
	mac := ""
	if len(m.macs) > 0 {
		mac = m.macs[0]
	}
	starting, cancel := context.WithTimeoutCause(ctx, pageLimit, fmt.Errorf("the page did not start it within %v", pageLimit))
	defer cancel()
	machine, err := m.slot.SwitchOn(starting, filepath.Base(state), mac)
	if err != nil {
		return nil, err
	}
	g, err := m.connect(paged{machine, m.config.Name}, qemu.Spec{}, recording{}, true)
	if err != nil {
		return nil, err
	}
	g.paged = true
	g.tasks.Go(func() {
		defer close(g.settled)
		_ = g.shell.Do(g.ctx, m.hostname())
		if err := m.catchUp(g.ctx, g); err != nil && g.ctx.Err() == nil {
			g.fail(fmt.Errorf("%s did not take its clock and network cards: %w", m.config.Name, err))
		}
		m.identify(g)
		m.repeatPrompt(g)
	})
	return g, nil
}

// errInPage is why a machine in a page is not part of a checkpoint.
var errInPage = errors.New("a machine that lives in a page of a browser cannot be saved here")

// paged is a machine in a page, as a guest's body.
type paged struct {
	*pc.Machine
	name string
}

func (p paged) Exit() *qemu.ExitError {
	exit, ended := p.Machine.Exit()
	if !ended {
		return nil
	}
	reason := map[pc.Reason]qemu.ExitReason{pc.Stopped: qemu.Stopped, pc.PoweredOff: qemu.PoweredOff}
	e := &qemu.ExitError{Machine: p.name, Reason: qemu.Gone, Detail: exit.Error()}
	if known, ok := reason[exit.Reason]; ok {
		e.Reason = known
	}
	return e
}

// errPaged: what it costs is the browser's.
var errPaged = errors.New("it runs in a page of a browser")

func (p paged) Usage() (qemu.Usage, error)  { return qemu.Usage{}, errPaged }
func (p paged) CPU() (time.Duration, error) { return 0, errPaged }
func (p paged) Waited() time.Duration       { return -1 }

// Port is never asked for: see Browsable.
func (p paged) Port(int) net.Conn { return nil }

func (p paged) Delays() map[int]time.Duration { return nil }

func (p paged) Reset(context.Context) error { return p.Machine.Reset() }

// Powerdown pulls the plug: v86 has no power button, and no disk that could suffer.
func (p paged) Powerdown(ctx context.Context) error {
	p.Quit(ctx)
	return nil
}

func (p paged) Quit(context.Context) { p.Machine.Kill() }

func (p paged) SetCarrier(_ context.Context, _ int, up bool) error {
	p.Machine.SetCarrier(up)
	return nil
}

func (p paged) Plug(context.Context) error              { return nil }
func (p paged) Pause(context.Context) error             { return errInPage }
func (p paged) Continue(context.Context) error          { return nil }
func (p paged) Save(context.Context, string) error      { return errInPage }
func (p paged) SaveWhole(context.Context, string) error { return errInPage }
