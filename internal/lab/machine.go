package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/control"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guestos"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lan"
	"github.com/labrun/labrun/internal/pc"
	"github.com/labrun/labrun/internal/qemu"
	"github.com/labrun/labrun/internal/workshop"
)

// Machine is one machine of a lab, booted or not. Its methods are safe for
// concurrent use; those that need a running guest fail with NotBootedError
// before Boot.
type Machine struct {
	lab       *Lab
	config    MachineConfig
	profile   image.Profile
	macs      []string
	image     *image.Image       // set by Lab.Prepare
	workshop  *workshop.Workshop // where its own kernel is made; nil: it has its image's
	duplicate bool               // a machine declared before it has the same image

	slot  pc.Slot       // its place in a page
	power chan struct{} // has room while nobody switches the machine on or off, which may take long

	mu        sync.Mutex // held for moments only
	guest     *guest     // the present or last incarnation
	boots     int
	started   chan struct{} // closed when the machine is next switched on
	permitted bool          // viewers may switch it on
	records   error         // what could not be written of earlier transcripts
}

// guest is one incarnation of a machine, from power on to power off.
type guest struct {
	process    body
	port       port        // the console's: serial, or the screen
	screen     *screenPort // nil: the machine has none
	console    *console.Console
	control    *console.Console // nil: the image has no control channel
	shell      *control.Shell
	transcript *console.Transcript
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

// NotBootedError says that a machine was used before boot.
type NotBootedError struct{ Machine string }

func (e *NotBootedError) Error() string {
	return fmt.Sprintf("%s is not running: boot(%s) starts it", e.Machine, e.Machine)
}

// Name returns the machine's name in the mission.
func (m *Machine) Name() string { return m.config.Name }

// Config returns the machine's declaration, after Prepare with defaults filled in.
func (m *Machine) Config() MachineConfig { return m.config }

// Profile returns what the image lock says of the machine's image.
func (m *Machine) Profile() image.Profile { return m.profile }

// MAC returns the hardware address of network card i.
func (m *Machine) MAC(i int) string { return m.macs[i] }

// hardware is the address of card i in bytes.
func (m *Machine) hardware(i int) net.HardwareAddr {
	address, err := net.ParseMAC(m.macs[i])
	if err != nil {
		panic(err) // they come from a lock that was checked, or were made here
	}
	return address
}

// cardName names network card i as the guest sees it, for ports and captures.
func (m *Machine) cardName(i int) string {
	if i < len(m.profile.NICs) {
		return m.config.Name + "/" + m.profile.NICs[i].Name
	}
	return fmt.Sprintf("%s/nic%d", m.config.Name, i)
}

// Running reports whether the machine's emulator runs.
func (m *Machine) Running() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.guest != nil && m.guest.process.Exit() == nil
}

// current returns the incarnation to talk to. A machine that ended by itself
// still has one, so that its console can say how.
func (m *Machine) current() (*guest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.guest == nil {
		return nil, &NotBootedError{m.config.Name}
	}
	return m.guest, nil
}

// Console returns the machine's console.
func (m *Machine) Console() (*console.Console, error) {
	g, err := m.current()
	if err != nil {
		return nil, err
	}
	return g.console, nil
}

// arch is the machine's processor, which its image's profile names. Before Prepare it is
// that of the image's best source.
func (m *Machine) arch() qemu.Arch {
	name := m.profile.Arch
	if m.image != nil {
		name = m.image.Arch
	} else if m.config.Kernel != nil && m.config.Kernel.Arch != "" {
		name = m.config.Kernel.Arch
	}
	arch, _ := qemu.ArchOf(name) // it was checked with the lock
	return arch
}

// accel is what executes its instructions: KVM only those of this computer's processor.
func (m *Machine) accel() qemu.Accel {
	if m.lab.accel.Accel == qemu.KVM && m.arch().Fits() {
		return qemu.KVM
	}
	return qemu.TCG
}

// platform is what its saved states depend on of this computer.
func (m *Machine) platform() qemu.Platform { return m.lab.hosts[m.arch().Name] }

func (m *Machine) spec(overlay string) qemu.Spec {
	spec := qemu.Spec{
		Name: m.config.Name, Memory: m.config.Memory, CPUs: m.config.CPUs, Accel: m.accel(),
		DiskBus: m.image.DiskBus, NICModel: m.image.NICModel, Control: m.profile.Control != "",
		Display: m.image.Display, Medium: m.image.Medium, Arch: m.image.Arch, Board: m.image.Board, NoACPI: m.image.NoACPI,
	}
	if m.image.Firmware == "uefi" {
		spec.UEFICode, _, _ = qemu.UEFI()
		spec.UEFIVariables = m.variables()
	}
	if m.image.BIOS {
		spec.Control = false
	} else {
		spec.Kernel, spec.Initrd, spec.Cmdline = m.image.Kernel, m.image.Initrd, m.profile.Cmdline
	}
	if m.workshop != nil {
		spec.Alone, _ = m.checkKernel() // what is wrong with it was said before it was booted
	}
	if m.image.Disk != "" {
		spec.Disk, spec.DiskFormat = overlay, "qcow2"
	}
	for i, nic := range m.config.NICs {
		spec.NICs = append(spec.NICs, qemu.NIC{MAC: m.macs[i], User: nic.Uplink})
	}
	return spec
}

// start powers the machine on, or lets it go on from its template. Its disk is an
// overlay that lives as long as the lab, so what a guest wrote survives a
// shutdown and the next boot: that one has to be cold.
func (m *Machine) start(ctx context.Context) error {
	release, err := m.takePower(ctx)
	if err != nil {
		return err
	}
	defer release()
	m.closeGuest()
	if err := m.makeKernel(ctx); err != nil {
		return err
	}
	if m.config.Hostname != "" && !m.renamed() {
		m.lab.notice("%s keeps the name that its image gives it: labrun has no control channel to it", m.config.Name)
	}
	if g, err := m.startInPage(ctx); g != nil || err != nil {
		if err == nil {
			m.adopt(g)
		}
		return err
	}
	var draft *image.Draft
	_, used := os.Stat(m.overlay())
	fresh := used != nil // else its disk has all that is set once
	if fresh && m.warm() {
		key := m.templateKey()
		g, err := m.restore(ctx, key)
		if err != nil {
			return err
		}
		if g != nil {
			m.adopt(g)
			return nil
		}
		draft = m.draft(ctx, key)
	}
	renaming := fresh && draft == nil && m.renamed() && m.arch().Plugs()
	g, err := m.boot(ctx, draft, renaming)
	if err != nil {
		return err
	}
	if m.accel() == qemu.TCG && m.config.Kernel == nil {
		g.tasks.Go(func() { m.unstick(g) })
	}
	g.tasks.Go(func() {
		switch {
		case draft != nil:
			if err := m.save(g, draft); err != nil && g.ctx.Err() == nil {
				m.notKept(err)
			}
			return
		case renaming:
			m.plugCards(g)
		default:
			if fresh && m.renamed() {
				_ = g.shell.Do(g.ctx, m.hostname()) // its DHCP client may have told the old name
			}
			if g.control != nil {
				// An emulated kernel that boots on a busy host may miss seconds. One
				// that ends before has no use for the time.
				_ = m.setClock(g.ctx, g)
			}
			m.identify(g)
		}
		close(g.settled)
	})
	m.adopt(g)
	return nil
}

// takePower waits until nobody else switches the machine on or off, and keeps others from
// it until release is called.
func (m *Machine) takePower(ctx context.Context) (release func(), err error) {
	select {
	case m.power <- struct{}{}:
		return func() { <-m.power }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// overlay is the path of the machine's disk.
func (m *Machine) overlay() string { return filepath.Join(m.lab.session.dir, m.config.Name+".qcow2") }

// boot powers the machine on. With a draft, a template is to be made of it. Bare, it
// has no network cards yet.
func (m *Machine) boot(ctx context.Context, draft *image.Draft, bare bool) (g *guest, err error) {
	if _, err = os.Stat(m.overlay()); err != nil && m.image.Disk == "" {
		err = nil // it lives in its memory
	} else if err != nil {
		err = m.image.Overlay(ctx, m.overlay())
	}
	if err == nil {
		spec := m.spec(m.overlay())
		spec.Savable, spec.Bare = draft != nil, bare
		g, err = m.launch(ctx, spec, recording{}, draft != nil || bare)
	}
	if err != nil && draft != nil {
		draft.Drop()
	}
	return g, err
}

// adopt makes g the machine's present incarnation.
func (m *Machine) adopt(g *guest) {
	m.mu.Lock()
	m.guest = g
	m.boots++
	close(m.started)
	m.started = make(chan struct{})
	m.mu.Unlock()
	m.lab.changes.ring()
	g.public.Store(true)
	e := event.Machine{Name: m.config.Name, State: "booting"}
	switch {
	case g.paged:
		e.Detail = "in the page"
	case g.warm:
		e.Detail = "warm"
	}
	m.lab.options.Events.Emit(e)
}

// recording is what a console has shown before a machine goes on, and who had logged
// in there.
type recording struct {
	text []byte
	user string
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
	options := console.Options{
		Name: m.config.Name, Prompts: prompts(m.profile.Console), Noise: m.profile.Console.Noise,
		Line: m.profile.Console.Line, User: before.user,
		Open: g.open,
	}
	if process.Control() == nil {
		options.History = control.History // files travel over the console
	}
	if m.lab.options.Records != "" {
		name := m.config.Name
		if m.boots > 0 {
			name = fmt.Sprintf("%s-%d", name, m.boots+1)
		}
		rows := 24
		if spec.Display != "" {
			rows = 25
		}
		g.transcript, err = console.NewTranscript(m.lab.options.Records, name, 80, rows, m.profile.Console.Noise)
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
	built := make(chan struct{})
	options.Watch = guestos.WatchPanics(func(line string) {
		<-built // its first words may come before the next line is over
		m.panicked(g, line)
	})
	if spec.Display != "" {
		g.screen = newScreenPort(g.qemu(), g.failed, said, spec.Savable)
		g.port = g.screen
	} else {
		g.port = &serialPort{channel: channel{process.Console(), g.failed}, replay: said, recording: spec.Savable}
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
	if g.transcript != nil {
		return g.transcript.Close()
	}
	return nil
}

// end ends the machine without asking the guest, and closes it.
func (g *guest) end() error {
	g.process.Quit(context.Background())
	<-g.watched
	return g.close()
}

// closeGuest ends the present incarnation, if there is one. It is called by who has
// m.power.
func (m *Machine) closeGuest() {
	g, err := m.current()
	if err != nil {
		return
	}
	err = g.end()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil && m.records == nil {
		m.records = err
	}
	m.guest = nil
}

// stop ends the machine without asking the guest.
func (m *Machine) stop() {
	if release, err := m.takePower(context.Background()); err == nil {
		defer release()
		m.closeGuest()
	}
}

func (m *Machine) recordErr() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.records
}

// Shutdown presses the power button, waits for the guest to power off, and pulls
// the plug when ctx ends first; that is an error, after which the machine is off
// all the same. A guest whose board has no such button is told by the control channel;
// where there is none either, or the kernel is the course's own, which may well not listen,
// the plug is pulled at once.
func (m *Machine) Shutdown(ctx context.Context) error {
	g, err := m.current()
	if err != nil {
		return err
	}
	switch {
	case g.process.Exit() != nil, m.workshop != nil:
	case m.arch().PowerButton():
		err = g.process.Powerdown(ctx)
	case g.control != nil:
		err = g.powerOff(ctx)
	}
	m.stop()
	return err
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

// Usage returns what the machine has cost the host since its boot.
func (m *Machine) Usage() (qemu.Usage, error) {
	g, err := m.current()
	if err != nil {
		return qemu.Usage{}, err
	}
	if exit := g.process.Exit(); exit != nil {
		return qemu.Usage{}, exit
	}
	return g.process.Usage()
}

// Run runs a command on the control channel.
func (m *Machine) Run(ctx context.Context, command string, limit time.Duration) (control.Result, error) {
	g, err := m.current()
	if err != nil {
		return control.Result{}, err
	}
	if err := g.settle(ctx); err != nil {
		return control.Result{}, err
	}
	result, err := g.shell.Run(ctx, command, limit)
	if err == nil {
		g.up.Store(true)
	}
	return result, err
}

// ReadFile reads a file of the guest over the control channel.
func (m *Machine) ReadFile(ctx context.Context, path string) ([]byte, error) {
	g, err := m.current()
	if err != nil {
		return nil, err
	}
	if err := g.settle(ctx); err != nil {
		return nil, err
	}
	return g.shell.ReadFile(ctx, path)
}

// WriteFile writes a file of the guest over the control channel.
func (m *Machine) WriteFile(ctx context.Context, path string, data []byte, mode uint32) error {
	g, err := m.current()
	if err != nil {
		return err
	}
	if err := g.settle(ctx); err != nil {
		return err
	}
	return g.shell.WriteFile(ctx, path, data, mode)
}
