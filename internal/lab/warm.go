package lab

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/labrun/labrun/internal/control"
	"github.com/labrun/labrun/internal/guestos"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/qemu"
)

const (
	// restoreLimit is how long a restored guest may be silent. Unless the host is
	// overrun, it answers within a tenth of a second.
	restoreLimit = 30 * time.Second
	// clockDrift is how long a guest may take to say that it has noted the time, and clockTries how
	// often it is asked.
	clockDrift = 400 * time.Millisecond
	clockTries = 5
	// resyncLimit is how long a restored guest may take to set its clock and find its
	// cards, which is a tenth of a second where the host has time; then it hangs.
	resyncLimit = time.Minute
)

// errHangs says that a restored guest does not go on.
var errHangs = errors.New("it hangs")

// warm reports whether the machine may start from a template, and tells why not.
func (m *Machine) warm() bool {
	if m.lab.options.Cold || m.workshop != nil { // a kernel that is being worked on boots
		return false
	}
	if why := m.coldBecause(); why != "" {
		if !m.lab.options.Interactive { // a student can do nothing about it
			m.lab.notice("%s boots cold, because %s", m.config.Image, why)
		}
		return false
	}
	return true
}

// wake lets the machine go on from the best template that there is of it, and makes its
// disk. It returns no guest and no error if the machine has to boot: there is no template, or
// it was of no use, which is told. What is missing is to be made of the guest.
func (m *Machine) wake(ctx context.Context) (*guest, drafts, error) {
	var d drafts
	if m.wirable() {
		g, err := m.restore(ctx, m.templateKey(true), true, nil)
		if g != nil || ctx.Err() != nil {
			return g, d, err
		}
		if err != nil {
			m.lab.notice("%s finds its network cards anew, because its state with them was of no use: %v", m.config.Name, err)
		}
	}
	wires := m.wires()
	if wires {
		d.wired = m.draft(ctx, m.templateKey(true), true)
	}
	key := m.templateKey(false)
	g, err := m.restore(ctx, key, false, d.wired)
	switch {
	case g != nil:
		return g, d, nil
	case ctx.Err() != nil:
		d.drop()
		return nil, drafts{}, err
	case err != nil:
		m.lab.notice("%s boots cold, because its saved state was of no use: %v", m.config.Name, err)
	}
	// Who makes the wired one makes both.
	if !wires || d.wired != nil {
		if d.bare = m.draft(ctx, key, false); d.bare == nil {
			d.drop()
			d = drafts{}
		}
	}
	return nil, d, nil
}

// restore lets the machine go on from the template called key, until it has answered. With a
// draft, its own template with network cards is to be made of it. It returns nil without an
// error if there is no such template.
func (m *Machine) restore(ctx context.Context, key string, wired bool, draft *image.Draft) (*guest, error) {
	template, err := m.lab.options.Store.Template(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var g *guest
	if err == nil {
		g, err = m.resume(ctx, template, wired, draft)
	}
	if err == nil {
		g.template = key
		return g, nil
	}
	os.Remove(m.overlay())
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, errors.Join(err, m.lab.options.Store.DiscardTemplate(key))
}

// resume lets a machine go on from a template, until it has answered.
func (m *Machine) resume(ctx context.Context, template *image.Template, wired bool, draft *image.Draft) (*guest, error) {
	recorded, err := os.ReadFile(template.Path(templateConsole))
	if err != nil {
		return nil, err
	}
	// A copy, of a megabyte or so, and no overlay: the disk is opened again when a checkpoint
	// is restored, when the template may be gone, or another one of the same name.
	if err := copyFile(ctx, m.overlay(), template.Path(qemu.SavedDisk)); err != nil {
		return nil, err
	}
	spec := m.spec(m.overlay())
	spec.Savable = draft != nil
	spec.Saved = &qemu.Saved{
		Memory: template.Path(qemu.SavedMemory), State: template.Path(qemu.SavedState),
		ReadOnly: m.platform().MapsReadOnly, Wired: wired,
	}
	settling := !wired && m.renamed()
	g, err := m.launch(ctx, spec, recording{text: recorded}, draft != nil || settling)
	if err != nil {
		return nil, err
	}
	g.wired = wired
	answer := func() error {
		ctx, cancel := m.lab.Within(ctx, restoreLimit, fmt.Errorf("it did not answer within %v", restoreLimit))
		defer cancel()
		if !wired && draft == nil && !settling { // else its DHCP client would give away the old name
			if err := g.process.Plug(ctx); err != nil {
				return err
			}
		}
		if err := g.process.Continue(ctx); err != nil {
			return err
		}
		if wired || draft != nil {
			return g.shell.Do(ctx, ":")
		}
		if err := g.shell.Do(ctx, m.hostname()); err != nil || !settling {
			return err
		}
		return g.process.Plug(ctx)
	}
	if err := answer(); err != nil {
		g.end()
		return nil, err
	}
	g.up.Store(true)
	return g, nil
}

// settle lets a guest that was restored, or has booted to be saved, catch up with the world, and makes
// the templates of it that are missing.
func (m *Machine) settle(g *guest, d drafts) {
	if d == (drafts{}) {
		defer close(g.settled)
		m.resync(g)
		return
	}
	bare, wired := m.save(g, d)
	switch {
	case g.ctx.Err() != nil: // it has ended before
	case bare != nil:
		m.notKept(bare, false)
	case wired != nil:
		m.notKept(wired, true)
	}
}

// plugCards gives a guest that was started without its network cards its name and then the
// cards, since its DHCP client tells the name, and lets it catch up.
func (m *Machine) plugCards(g *guest) {
	_ = g.shell.Do(g.ctx, m.hostname())
	if err := g.process.Plug(g.ctx); err != nil && g.ctx.Err() == nil {
		g.fail(fmt.Errorf("plug in %s's network cards: %w", m.config.Name, err))
	}
	m.resync(g)
}

// resync lets a guest that was saved, or comes from a saved one, catch up with the world.
// The emulation may let a restored kernel hang when it finds its cards, as it lets kernels
// crash that start (see stillLimit): seen with Linux 7.1 on two CPUs twice in some two
// thousand restores. Such a machine is reset, once, and boots.
func (m *Machine) resync(g *guest) {
	var err error
	if g.warm { // one that boots may take its time
		ctx, cancel := m.lab.Within(g.ctx, m.lab.resyncLimit, errHangs)
		err = m.catchUp(ctx, g)
		cancel()
	} else {
		err = m.catchUp(g.ctx, g)
	}
	if errors.Is(err, errHangs) && g.restarted.CompareAndSwap(false, true) {
		m.lab.notice("%s did not go on from its saved state, as may happen under emulation; it is started again",
			m.config.Name)
		err = m.resetHung(g)
	}
	// A guest that was reset meanwhile finds its cards and the time as it boots.
	if err != nil && !errors.Is(err, control.ErrRestarted) && g.ctx.Err() == nil {
		g.fail(fmt.Errorf("%s did not take its clock and network cards: %w: --cold boots it in another way",
			m.config.Name, err))
	}
	m.identify(g)
	m.letIn(g)
	m.repeatPrompt(g)
}

// resetHung resets a guest that hangs, until it shows a prompt.
func (m *Machine) resetHung(g *guest) error {
	g.shell.Restarting()
	reset := time.Now()
	if err := g.process.Reset(g.ctx); err != nil {
		return err
	}
	if err := m.catchUp(g.ctx, g); err != nil {
		return err
	}
	// What stands on the console may still be the prompt of before.
	for !g.console.LastByte().After(reset) {
		if err := host.Sleep(g.ctx, promptStill); err != nil {
			return err
		}
	}
	return m.firstPrompt(g.ctx, g)
}

// catchUp tells a guest what has happened while it was saved, and connects it: it finds its cards,
// or has them already, and their cables are put in.
func (m *Machine) catchUp(ctx context.Context, g *guest) error {
	err := m.atTime(ctx, g, func(noted time.Time) string {
		say := m.profile.Guest.Resync(noted)
		if !g.wired {
			say += "; " + m.profile.Guest.FindCards()
		}
		return say
	})
	if err != nil || !g.wired || len(m.config.NICs) == 0 {
		return err
	}
	if err := m.setCables(ctx, g, true); err != nil {
		return err
	}
	return g.shell.Do(ctx, m.profile.Guest.CablesIn())
}

// setCables pulls out the cables of all network cards, or puts them in. That is none of the
// student's, so the lab is drawn with cables all the time.
func (m *Machine) setCables(ctx context.Context, g *guest, in bool) error {
	for i := range m.config.NICs {
		if err := g.process.SetCarrier(ctx, i, in); err != nil {
			return err
		}
	}
	return nil
}

// noteTime has a guest note its uptime, and says what time it was then. On a busy host, where it may have
// heard that late, it notes it again. Programs that set clocks start late there, too, and are not repeated: they
// know by the uptime what time it has become.
func (m *Machine) noteTime(ctx context.Context, g *guest) (time.Time, error) {
	for try := 1; ; try++ {
		sent := time.Now()
		err := g.shell.Do(ctx, guestos.NoteTime)
		took := time.Since(sent)
		if err != nil || took <= clockDrift || try == clockTries {
			return sent.Add(took / 2), err
		}
	}
}

// setClock tells a guest that has booted the time.
func (m *Machine) setClock(ctx context.Context, g *guest) error {
	return m.atTime(ctx, g, guestos.SetClock)
}

// atTime has a guest do what depends on the time: say is told what time it was when the guest noted its uptime.
func (m *Machine) atTime(ctx context.Context, g *guest, say func(noted time.Time) string) error {
	noted, err := m.noteTime(ctx, g)
	if err != nil {
		return err
	}
	return g.shell.Do(ctx, say(noted))
}

// identify makes a machine another one than one declared before it that has the same
// image, restored or not. What fails here is left as it was.
func (m *Machine) identify(g *guest) {
	own := sha256.Sum256([]byte(m.config.Name))
	if command := m.profile.Guest.Identify(own[:16]); command != "" && m.duplicate && !m.image.BIOS {
		_ = g.shell.Do(g.ctx, command)
	}
}

// distrust takes note that a guest did not let in at once whom its image says it lets in.
// If nobody has been let in since it was restored, its saved state may be at fault, so that
// is given up: whatever it is, it does not come back each time.
func (m *Machine) distrust(g *guest, user, password string) {
	if g.template == "" || g.entered.Load() || user != m.profile.Console.User || password != m.profile.Console.Password {
		return
	}
	g.entered.Store(true) // once
	// The one with network cards was made of the other.
	err := errors.Join(m.lab.options.Store.DiscardTemplate(g.template), m.lab.options.Store.DiscardTemplate(m.templateKey(false)))
	if err != nil {
		m.lab.notice("%s's saved state could not be removed: %v", m.config.Image, err)
		return
	}
	m.lab.notice("%s will boot next time: its saved state is given up, "+
		"because the first login there was not taken at once", m.config.Image)
}
