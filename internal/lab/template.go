package lab

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
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

// Of a machine there can be two templates. The bare one was saved at the first prompt after
// a boot, without network cards: it fits any lab. The wired one was made of it, and has what
// a guest takes longest for when it is restored: its lab's network cards, found and named,
// with their cables out, and the name that the lab gives it.

const (
	// templateFormat is raised when templates of earlier labruns are of no use.
	templateFormat = 5
	// templateConsole is the template's file of all that the console said.
	templateConsole = "console"
	// templateRoom is what a template takes beside the machine's memory, in bytes.
	templateRoom = 32 << 20

	// promptLimit is how long a guest may take to its first prompt if a template
	// is to be made of it: its network cards have to wait for that.
	promptLimit = 2 * time.Minute
	// promptStill is how long a prompt has to stand still.
	promptStill = 100 * time.Millisecond
	// savableLimit is how long a guest at its first prompt may take until its terminal is as
	// the prompt needs it, which it mostly is before.
	savableLimit = 10 * time.Second
	// wiredLimit is how long a guest may take to find its network cards and come to rest, which
	// is 2 s under emulation where the host has time; and restLooks is how often in a row it has
	// to be found at rest: between two of its programs it is for a moment, too.
	wiredLimit = 2 * time.Minute
	restLooks  = 4
	// restTime is how long a guest is left alone before it is saved, if nobody waits for it: until udev's workers have
	// ended, DHCP clients are in the background and the kernel has done what it puts off until after its boot. What a
	// state has still before it, each machine that goes on from there does again, in code that is new to the emulator:
	// half of what a restored router computed.
	restTime = 6 * time.Second
	// mostNamed is up to how many templates of an image one more is made for a machine that the lab gives
	// a name. There may be as many names as students, and templates share no memory.
	mostNamed = 12
)

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

// wirable reports whether the machine is to have a wired template. Machines of one lab that
// have the same image are not: their cards differ in their addresses, which a guest keeps
// in its memory, so each would need one, and they would share no memory any more. Nor are those
// with further consoles, which are plugged in like cards.
func (m *Machine) wirable() bool {
	return (len(m.config.NICs) > 0 || m.renamed()) && len(m.config.Consoles) == 0 && !m.duplicate &&
		m.image.NICModel == "" // of the usual card it is known that its cable's state is saved with it
}

// wires reports whether a wired template is to be made of the machine.
func (m *Machine) wires() bool {
	if !m.wirable() || !m.renamed() {
		return m.wirable()
	}
	n, err := m.lab.options.Store.TemplatesOf(m.image)
	return err == nil && n < mostNamed
}

// templateKey names the machine's bare or wired template by all that a saved state depends on.
// Where anything differs, it is another template.
func (m *Machine) templateKey(wired bool) string {
	spec := m.spec("disk")
	spec.Name, spec.Consoles, spec.Savable = "template", 0, true
	spec.Kernel = "kernel"
	if spec.Initrd != "" {
		spec.Initrd = "initrd"
	}
	var cards []string
	if wired {
		for _, nic := range spec.NICs {
			cards = append(cards, fmt.Sprint(nic.MAC, nic.User))
		}
		cards = append(cards, m.hostname(), m.profile.Guest.FindCards(), m.profile.Guest.AskWired(m.macs))
	}
	spec.NICs = nil
	c := m.profile.Console
	data, err := json.Marshal([]any{
		templateFormat, m.platform().Description, m.image.Digest, spec.Argv(qemu.Descriptors{}), control.Lessons(),
		fmt.Sprint(c.LoginPrompt, c.PasswordPrompt, c.ShellPrompt, c.Poke), m.profile.Guest.AskSavable(), cards,
	})
	if err != nil {
		panic(err) // they are strings and numbers
	}
	return fmt.Sprintf("%s-%x", m.image.Name, sha256.Sum256(data))[:len(m.image.Name)+17]
}

// drafts are the templates that are being made of a machine; nil: not that one.
type drafts struct {
	bare, wired *image.Draft
	unhurried   bool // nobody waits for the machine
}

func (d drafts) drop() {
	for _, draft := range []*image.Draft{d.bare, d.wired} {
		if draft != nil {
			draft.Drop()
		}
	}
}

// templateSize is what the machine's template takes at most, in bytes.
func (m *Machine) templateSize() int64 { return int64(m.config.Memory)<<20 + templateRoom }

// draft begins one of the machine's templates. It returns nil if another labrun is at
// it, or if there is no room, which is told.
func (m *Machine) draft(ctx context.Context, key string, wired bool) *image.Draft {
	draft, err := m.lab.options.Store.NewTemplate(ctx, m.image.Name, key, m.templateSize(), false)
	switch {
	case err == nil:
		return draft
	case !errors.Is(err, image.ErrTemplateBusy) && ctx.Err() == nil:
		m.notKept(err, wired)
	}
	return nil
}

func (m *Machine) notKept(err error, wired bool) {
	if wired {
		m.lab.notice("%s will find its network cards anew next time, too, because its state with them could not be saved: %v",
			m.config.Name, err)
		return
	}
	m.lab.notice("%s will boot next time, too, because its state could not be saved: %v", m.config.Image, err)
}

// save makes templates of a machine at its first prompt, and connects it, whatever became
// of them.
func (m *Machine) save(g *guest, d drafts) (bare, wired error) {
	if d.bare != nil {
		bare = m.saveAtPrompt(g, d.bare, d.unhurried)
	}
	if d.wired != nil && bare == nil {
		if wired = m.wire(g); wired == nil {
			wired = m.saveAtPrompt(g, d.wired, d.unhurried)
		}
	}
	g.port.forget()
	switch {
	case g.ctx.Err() != nil:
	case g.wired:
		m.resync(g)
	default:
		m.plugCards(g)
	}
	close(g.settled)
	if bare != nil {
		d.drop()
		return bare, nil
	}
	return m.keep(d.bare, nil, ""), m.keep(d.wired, wired, ", with its network cards")
}

// wire gives a guest at its first prompt its name and its network cards, with their cables
// out, and waits until it has found them.
func (m *Machine) wire(g *guest) error {
	ctx, cancel := m.lab.Within(g.ctx, wiredLimit, fmt.Errorf("it did not come to rest within %v", wiredLimit))
	defer cancel()
	if err := g.shell.Do(ctx, m.hostname()); err != nil { // its DHCP client tells it
		return err
	}
	// Its time stands still meanwhile. With a cable in for a moment it might be lent an
	// address, of which later routers would know nothing.
	if err := g.process.Pause(ctx); err != nil {
		return err
	}
	err := g.process.Plug(ctx)
	if err == nil {
		g.wired = true
		err = m.setCables(ctx, g, false)
	}
	if err := errors.Join(err, g.process.Continue(g.ctx)); err != nil {
		return err
	}
	if err := g.shell.Do(ctx, m.profile.Guest.FindCards()); err != nil {
		return err
	}
	for looks := 0; looks < restLooks; {
		said, err := g.shell.Ask(ctx, m.profile.Guest.AskWired(m.macs))
		if err != nil {
			return err
		}
		if looks++; said != "wired" {
			looks = 0
		}
		if err := pause(ctx, 1); err != nil {
			return err
		}
	}
	m.repeatPrompt(g)
	return nil
}

// keep makes a template of a draft, unless there is none or that was not saved; what it is,
// is for people. The machine may have ended meanwhile: what is saved is of use without it.
func (m *Machine) keep(draft *image.Draft, saved error, what string) error {
	if draft == nil {
		return saved
	}
	if saved != nil {
		draft.Drop()
		return saved
	}
	shape := fmt.Sprintf("%d MiB, %d CPUs, %s%s", m.config.Memory, m.config.CPUs, m.accel(), what)
	var writable []string
	if !m.platform().MapsReadOnly {
		writable = []string{qemu.SavedMemory}
	}
	return draft.Keep(context.Background(), m.image, shape, writable...)
}

// saveAtPrompt saves a guest at its first prompt into a draft: unhurried, once it has been left alone for restTime.
func (m *Machine) saveAtPrompt(g *guest, draft *image.Draft, unhurried bool) error {
	ctx, cancel := m.lab.Within(g.ctx, promptLimit, fmt.Errorf("no prompt within %v", promptLimit))
	defer cancel()
	if err := m.firstPrompt(ctx, g); err != nil {
		return err
	}
	if err := m.savable(ctx, g); err != nil {
		return err
	}
	if unhurried {
		if err := host.Sleep(ctx, restTime); err != nil {
			return err
		}
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

// usual is a machine of an image with the network cards that the image is known to have, as
// missions mostly have it: a router's first one leads out.
func usual(name string, p image.Profile) Config {
	m := MachineConfig{Name: name, Image: name}
	for i := range p.NICs {
		m.NICs = append(m.NICs, NICConfig{Network: "lan", Uplink: i == 0 && p.Leases != ""})
	}
	return Config{Networks: []string{"lan"}, Machines: []MachineConfig{m}}
}

// MakeTemplate makes the templates that machines of an image start from, with the
// memory, CPUs and network cards that the image's profile says, unless they are there. It boots
// a machine for that, or waits for another labrun that does. It returns why there
// can be none for this image; empty if there are now.
func MakeTemplate(ctx context.Context, name string, o Options) (why string, err error) {
	o.Mission, o.Title = "labrun images", "a template of "+name // as labrun ps shows it
	profile, _ := o.Store.Profile(name)
	l, err := New(usual(name, profile), o)
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
	d := drafts{unhurried: true}
	if d.bare, err = m.begin(ctx, m.templateKey(false)); err == nil && m.wirable() {
		d.wired, err = m.begin(ctx, m.templateKey(true))
	}
	if err == nil && (d.bare != nil || d.wired != nil) {
		err = l.checkRoom([]*Machine{m})
	}
	if err != nil {
		d.drop()
		return "", err
	}
	var g *guest
	if d.bare == nil && d.wired != nil {
		g, err = m.restore(ctx, m.templateKey(false), false, d.wired)
		if g == nil && ctx.Err() == nil { // it was of no use
			d.bare, err = m.begin(ctx, m.templateKey(false))
		}
		if err != nil {
			d.drop()
			return "", err
		}
	}
	if d.bare != nil {
		o.Events.Emit(event.Progress{Subject: name, Phase: "save", Note: "booting it once, to save it at its first prompt"})
		g, err = m.boot(ctx, d, false)
	}
	if g == nil {
		return "", err
	}
	defer g.end()
	defer context.AfterFunc(ctx, g.process.Kill)()
	if err := errors.Join(m.save(g, d)); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("save %s at its prompt: %w", name, err)
	}
	return "", nil
}

// begin begins the template called key, and waits for another labrun that makes it; nil if it
// is there.
func (m *Machine) begin(ctx context.Context, key string) (*image.Draft, error) {
	store := m.lab.options.Store
	if _, err := store.Template(ctx, key); err == nil {
		return nil, nil
	}
	draft, err := store.NewTemplate(ctx, m.image.Name, key, m.templateSize(), true)
	if err != nil {
		return nil, err
	}
	if _, err := store.Template(ctx, key); err == nil {
		draft.Drop()
		return nil, nil
	}
	return draft, nil
}
