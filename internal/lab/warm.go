package lab

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/control"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/qemu"
)

const (
	// templateFormat is raised when templates of earlier labruns are of no use.
	templateFormat = 3
	// templateConsole is the template's file of all that the console said.
	templateConsole = "console"
	// templateRoom is what a template takes beside the machine's memory, in bytes.
	templateRoom = 32 << 20

	// restoreLimit is how long a restored guest may be silent. Unless the host is
	// overrun, it answers within a tenth of a second.
	restoreLimit = 30 * time.Second
	// clockDrift is how late a guest may hear the time, and clockTries how often it
	// is told again.
	clockDrift = 400 * time.Millisecond
	clockTries = 5
	// promptLimit is how long a guest may take to its first prompt if a template
	// is to be made of it: its network cards have to wait for that.
	promptLimit = 2 * time.Minute
	// promptStill is how long a prompt has to stand still.
	promptStill = 100 * time.Millisecond
	// resyncLimit is how long a restored guest may take to set its clock and find its
	// cards, which is a tenth of a second where the host has time; then it hangs.
	resyncLimit = time.Minute
	// savableLimit is how long a guest at its first prompt may take until its terminal is as
	// the prompt needs it, which it mostly is before.
	savableLimit = 10 * time.Second
)

// errHangs says that a restored guest does not go on.
var errHangs = errors.New("it hangs")

// coldBecause says why no template can be made of the machine; empty if one can.
func (m *Machine) coldBecause() string {
	switch {
	case m.image.BIOS:
		return "it boots from a disk of its own, without a control channel for labrun"
	case m.profile.Control == "":
		return "its image has no control channel"
	case m.image.Disk == "":
		return "it has no disk"
	case !m.arch().Plugs():
		return "no network card can be plugged into its board while it runs"
	}
	return ""
}

// templateKey names the template that the machine can start from, by all that a
// saved state depends on. Where anything differs, it is another template.
func (m *Machine) templateKey() string {
	spec := m.spec("disk")
	spec.Name, spec.NICs, spec.Consoles, spec.Savable = "template", nil, 0, true
	spec.Kernel = "kernel"
	if spec.Initrd != "" {
		spec.Initrd = "initrd"
	}
	c := m.profile.Console
	data, err := json.Marshal([]any{
		templateFormat, m.platform().Description, m.image.Digest, spec.Argv(qemu.Descriptors{}), control.Lessons(),
		fmt.Sprint(c.LoginPrompt, c.PasswordPrompt, c.ShellPrompt, c.Poke), m.profile.Guest.AskSavable(),
	})
	if err != nil {
		panic(err) // they are strings and numbers
	}
	return fmt.Sprintf("%s-%x", m.image.Name, sha256.Sum256(data))[:len(m.image.Name)+17]
}

// restore starts the machine from its template and makes its disk. It returns
// nil without an error if the machine has to boot: there is no template, or it
// was of no use, which is told.
func (m *Machine) restore(ctx context.Context, key string) (*guest, error) {
	template, err := m.lab.options.Store.Template(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var g *guest
	if err == nil {
		g, err = m.resume(ctx, template)
	}
	if err == nil {
		g.template = key
		return g, nil
	}
	os.Remove(m.overlay())
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	err = errors.Join(err, m.lab.options.Store.DiscardTemplate(key))
	m.lab.notice("%s boots cold, because its saved state was of no use: %v", m.config.Name, err)
	return nil, nil
}

// resume lets a machine go on from a template, until it has answered.
func (m *Machine) resume(ctx context.Context, template *image.Template) (*guest, error) {
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
	spec.Saved = &qemu.Saved{
		Memory: template.Path(qemu.SavedMemory), State: template.Path(qemu.SavedState),
		ReadOnly: m.platform().MapsReadOnly,
	}
	g, err := m.launch(ctx, spec, recording{text: recorded}, m.renamed())
	if err != nil {
		return nil, err
	}
	answer := func() error {
		ctx, cancel := m.lab.Within(ctx, restoreLimit, fmt.Errorf("it did not answer within %v", restoreLimit))
		defer cancel()
		if !m.renamed() { // else its DHCP client would give away the old name
			if err := g.process.Plug(ctx); err != nil {
				return err
			}
		}
		if err := g.process.Continue(ctx); err != nil {
			return err
		}
		if err := g.shell.Do(ctx, m.hostname()); err != nil || !m.renamed() {
			return err
		}
		return g.process.Plug(ctx)
	}
	if err := answer(); err != nil {
		g.end()
		return nil, err
	}
	g.up.Store(true)
	g.tasks.Go(func() {
		defer close(g.settled)
		m.resync(g)
	})
	return g, nil
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
// The emulation seems to let a restored kernel hang now and then when it finds its
// cards, as it lets kernels crash that start (see panicked): seen with Linux 7.1 twice
// in some two thousand restores. Such a machine is reset, once, and boots.
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

// catchUp tells a guest what has happened while it was saved.
func (m *Machine) catchUp(ctx context.Context, g *guest) error {
	sent := time.Now()
	err := g.shell.Do(ctx, m.profile.Guest.Resync(time.Now()))
	if err == nil && time.Since(sent) > clockDrift {
		err = m.setClock(ctx, g)
	}
	return err
}

// setClock tells a guest the time, and on a busy host, where it may have heard it
// late, again.
func (m *Machine) setClock(ctx context.Context, g *guest) error {
	for try := 1; ; try++ {
		sent := time.Now()
		err := g.shell.Do(ctx, m.profile.Guest.SetClock(time.Now()))
		if err != nil || time.Since(sent) <= clockDrift || try == clockTries {
			return err
		}
	}
}

// identify makes a machine another one than one declared before it that has the same
// image, restored or not. What fails here is left as it was.
func (m *Machine) identify(g *guest) {
	own := sha256.Sum256([]byte(m.config.Name))
	if command := m.profile.Guest.Identify(own[:16]); command != "" && m.duplicate && !m.image.BIOS {
		_ = g.shell.Do(g.ctx, command)
	}
}

// templateSize is what the machine's template takes at most, in bytes.
func (m *Machine) templateSize() int64 { return int64(m.config.Memory)<<20 + templateRoom }

// draft begins the machine's template. It returns nil if another labrun is at
// it, or if there is no room, which is told.
func (m *Machine) draft(ctx context.Context, key string) *image.Draft {
	draft, err := m.lab.options.Store.NewTemplate(ctx, m.image.Name, key, m.templateSize(), false)
	switch {
	case err == nil:
		return draft
	case !errors.Is(err, image.ErrTemplateBusy) && ctx.Err() == nil:
		m.notKept(err)
	}
	return nil
}

func (m *Machine) notKept(err error) {
	m.lab.notice("%s will boot next time, too, because its state could not be saved: %v", m.config.Image, err)
}

// save makes a template of a machine that boots, at its first prompt, and then
// plugs its network cards in, whatever became of the template.
func (m *Machine) save(g *guest, draft *image.Draft) error {
	saved := m.saveAtPrompt(g, draft)
	g.port.forget()
	if g.ctx.Err() == nil {
		m.plugCards(g)
	}
	close(g.settled)
	if saved != nil {
		draft.Drop()
		return saved
	}
	// The machine may end meanwhile: what is saved is of use without it.
	shape := fmt.Sprintf("%d MiB, %d CPUs, %s", m.config.Memory, m.config.CPUs, m.accel())
	var writable []string
	if !m.platform().MapsReadOnly {
		writable = []string{qemu.SavedMemory}
	}
	return draft.Keep(context.Background(), m.image, shape, writable...)
}

func (m *Machine) saveAtPrompt(g *guest, draft *image.Draft) error {
	ctx, cancel := m.lab.Within(g.ctx, promptLimit, fmt.Errorf("no prompt within %v", promptLimit))
	defer cancel()
	if err := m.firstPrompt(ctx, g); err != nil {
		return err
	}
	if err := m.savable(ctx, g); err != nil {
		return err
	}
	if err := g.shell.Do(ctx, "sync"); err != nil {
		return err
	}
	if g.restarted.Load() {
		return errors.New("its kernel crashed while it started")
	}
	saved := g.process.Save(ctx, draft.Dir())
	var said []byte
	if saved == nil {
		said, saved = g.port.said(ctx)
	}
	if saved == nil {
		saved = os.WriteFile(filepath.Join(draft.Dir(), templateConsole), said, 0o600)
	}
	return errors.Join(saved, g.process.Continue(g.ctx))
}

// firstPrompt waits until the console shows a prompt that stands still. It
// leaves the cursor of the console alone, which is the mission's.
func (m *Machine) firstPrompt(ctx context.Context, g *guest) error {
	poked := g.process.Started()
	for {
		last := g.console.LastByte()
		still := time.Since(last)
		switch {
		case g.console.Waiting() != console.NoPrompt && still > promptStill:
			return nil
		case m.profile.Console.Poke && !last.IsZero() && still > pokeSoon && time.Since(poked) > pokeSoon:
			// Past the gate that holds back what is typed meanwhile.
			if _, err := g.port.Write([]byte("\r")); err != nil {
				return err
			}
			poked = time.Now()
		}
		if err := host.Sleep(ctx, promptStill/4); err != nil {
			return err
		}
	}
}

// savable waits until a guest at its first prompt may be saved, as it says itself. What
// stands on the console does not tell: a terminal whose modes another program has changed
// under getty shows the same prompt, and whoever logs in from a state that was saved so
// types a password that never ends, each time.
func (m *Machine) savable(ctx context.Context, g *guest) error {
	waiting, cancel := m.lab.Within(ctx, m.lab.savableLimit, errors.New("its terminal is not as its prompt needs it"))
	defer cancel()
	for try := 0; ; try++ {
		r, err := g.shell.Run(ctx, m.profile.Guest.AskSavable(), promptLimit)
		if err != nil || r.Status == 0 {
			return err
		}
		if err := pause(waiting, try); err != nil {
			return err
		}
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
	if err := m.lab.options.Store.DiscardTemplate(g.template); err != nil {
		m.lab.notice("%s's saved state could not be removed: %v", m.config.Image, err)
		return
	}
	m.lab.notice("%s will boot next time: its saved state is given up, "+
		"because the first login there was not taken at once", m.config.Image)
}

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

// MakeTemplate makes the template that machines of an image start from, with the
// memory and CPUs that the image's profile says, unless it is there. It boots a
// machine for that, or waits for another labrun that does. It returns why there
// can be none for this image; empty if there is one now.
func MakeTemplate(ctx context.Context, name string, o Options) (why string, err error) {
	o.Mission, o.Title = "labrun images", "a template of "+name // as labrun ps shows it
	l, err := New(Config{Machines: []MachineConfig{{Name: name, Image: name}}}, o)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := l.Prepare(ctx); err != nil {
		return "", err
	}
	m := l.Machine(name)
	if why := m.coldBecause(); why != "" {
		return why, nil
	}
	key := m.templateKey()
	missing := func() bool {
		_, err := o.Store.Template(ctx, key)
		return err != nil
	}
	if !missing() {
		return "", nil
	}
	draft, err := o.Store.NewTemplate(ctx, name, key, m.templateSize(), true)
	if err != nil {
		return "", err
	}
	if !missing() {
		draft.Drop()
		return "", nil
	}
	if err := l.checkRoom([]*Machine{m}); err != nil {
		draft.Drop()
		return "", err
	}
	o.Events.Emit(event.Progress{Subject: name, Phase: "save", Note: "booting it once, to save it at its first prompt"})
	g, err := m.boot(ctx, draft, false)
	if err != nil {
		return "", err
	}
	defer g.end()
	defer context.AfterFunc(ctx, g.process.Kill)()
	if err := m.save(g, draft); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("save %s at its prompt: %w", name, err)
	}
	return "", nil
}
