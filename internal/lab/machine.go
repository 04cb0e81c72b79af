package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/control"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guestos"
	"github.com/labrun/labrun/internal/image"
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
	browsable bool               // it can live in a page
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
	if spec.Consoles = len(m.config.Consoles); 2+spec.Consoles > usualPorts {
		spec.Cmdline += fmt.Sprintf(" 8250.nr_uarts=%d", 2+spec.Consoles)
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
	var d drafts
	_, used := os.Stat(m.overlay())
	fresh := used != nil // else its disk has all that is set once
	if fresh && m.warm() {
		var g *guest
		if g, d, err = m.wake(ctx); err != nil {
			return err
		}
		if g != nil {
			m.adopt(g)
			g.tasks.Go(func() { m.settle(g, d) })
			return nil
		}
	}
	renaming := fresh && d.bare == nil && m.renamed() && m.arch().Plugs()
	g, err := m.boot(ctx, d, renaming)
	if err != nil {
		return err
	}
	if m.accel() == qemu.TCG && m.config.Kernel == nil {
		g.tasks.Go(func() { m.unstick(g) })
	}
	g.tasks.Go(func() {
		switch {
		case d.bare != nil:
			m.settle(g, d)
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
			m.letIn(g)
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

// boot powers the machine on. With drafts, templates are to be made of it. Bare, it
// has no network cards yet.
func (m *Machine) boot(ctx context.Context, d drafts, bare bool) (g *guest, err error) {
	if _, err = os.Stat(m.overlay()); err != nil && m.image.Disk == "" {
		err = nil // it lives in its memory
	} else if err != nil {
		err = m.image.Overlay(ctx, m.overlay())
	}
	if err == nil {
		spec := m.spec(m.overlay())
		spec.Savable, spec.Bare = d.bare != nil, bare
		g, err = m.launch(ctx, spec, recording{}, spec.Savable || bare)
	}
	if err != nil {
		d.drop()
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

// Work returns for how long the machine's processors have computed since its boot, and for how
// long they wanted to while there was none of the computer's for them; false: it is off, or it
// cannot be told.
func (m *Machine) Work() (computed, waited time.Duration, known bool) {
	g, err := m.current()
	if err != nil {
		return 0, 0, false
	}
	computed, err = g.process.CPU()
	waited = g.process.Waited()
	return computed, waited, err == nil && waited >= 0
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

// ask runs a command that looks for something and says it in a few words. Where there is a control channel
// its shell does that itself: each program that Run needs besides is felt on an emulated processor, and
// what is waited for is asked again and again.
func (m *Machine) ask(ctx context.Context, command string) (control.Result, error) {
	g, err := m.current()
	if err != nil {
		return control.Result{}, err
	}
	if g.control == nil {
		return m.Run(ctx, command, time.Minute)
	}
	if err := g.settle(ctx); err != nil {
		return control.Result{}, err
	}
	said, err := g.shell.Ask(ctx, guestos.InALine(command))
	if err != nil {
		return control.Result{}, err
	}
	g.up.Store(true)
	status, words, err := guestos.ParseLine(said)
	if err != nil {
		err = fmt.Errorf("ask %s: %w", m.config.Name, err)
	}
	return control.Result{Status: status, Stdout: words}, err
}

// Programs returns the IDs of the processes that run on the machine, without its kernel's
// own. No program is started there to find out.
func (m *Machine) Programs(ctx context.Context) ([]string, error) {
	g, err := m.current()
	if err != nil {
		return nil, err
	}
	if err := g.settle(ctx); err != nil {
		return nil, err
	}
	said, err := g.shell.Ask(ctx, guestos.AskPrograms)
	return strings.Fields(said), err
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
