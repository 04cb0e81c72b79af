package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lan"
	"github.com/labrun/labrun/internal/qemu"
	"github.com/labrun/labrun/internal/workshop"
)

// MostMachines is how many machines a lab may have: a slip in a script must not take the
// host down.
const MostMachines = 128

// MachineConfig declares a machine.
type MachineConfig struct {
	Name  string
	Image string // a name in images.lock; empty: none
	// Derived is what its image has beyond that; nil: nothing. An image is made of the two.
	Derived *image.Derivation
	NICs    []NICConfig // in the order of the guest's cards
	Memory  int         // MiB; 0: as the image says
	CPUs    int         // 0: as the image says

	Hostname string // what the guest calls itself, one label; empty: as the image does

	Consoles []ConsoleConfig // besides its own

	// Kernel is the course's own; nil: the image's. With it there need be no image.
	Kernel *KernelConfig
}

// NICConfig declares a network card: on a network of the lab, or on the uplink,
// which is QEMU's user-mode network.
type NICConfig struct {
	Network string // ignored if Uplink
	Uplink  bool
}

// Config declares a lab.
type Config struct {
	Networks []string
	Machines []MachineConfig
}

// Options are what a lab needs from its surroundings.
type Options struct {
	Store    *image.Store
	Events   *event.Log
	Records  string // folder for transcripts and packet captures; empty: none are kept
	Pictures string // folder for screenshots; empty: in Records
	Cold     bool   // boot every machine, and make no templates
	Resting  bool   // the machines will do little: of those that are restored, count only what they take at their prompt

	// Workshops is where students have their copies of the sources of a course's own kernels;
	// empty: they are in the session's folder, and go with it.
	Workshops string

	// What people see of the run and may do to it from other terminals.
	Mission, Title string        // the mission's file and title
	Student        string        // the ID of who plays; empty: they have said none
	Interactive    bool          // they may type at the consoles and switch machines on
	Stop           func()        // they want the run to stop; nil: they cannot
	Place          func() string // where the run is, in words; nil: nothing is said

	// Command takes a word for the dialogue with the student, as attach.Lab has it; nil:
	// there is no student.
	Command func(ctx context.Context, word, text string, number int) error

	// Class is the socket of the class that the run reports to; empty: none. Invited reports whether
	// its teacher may type; nil: never.
	Class   string
	Invited func() bool
}

// EnvironmentError says that the host cannot run the lab: no QEMU, no image, too
// little memory or disk.
type EnvironmentError struct{ Cause error }

func (e *EnvironmentError) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *EnvironmentError) Unwrap() error { return e.Cause }

// Lab is the machines and networks of one run. Its methods are safe for
// concurrent use.
type Lab struct {
	options  Options
	session  *session
	viewers  *attach.Server
	opened   time.Time
	networks map[string]*lan.Network
	segments []string // their names, in the order of the mission
	changes  *bell    // rings when the lab may be drawn otherwise, and when its captures begin
	captures []*capture
	machines map[string]*Machine
	order    []string
	accel    qemu.Verdict
	hosts    map[string]qemu.Platform // by processor: what saved states depend on besides the machine

	resyncLimit, savableLimit, stillLimit time.Duration // as the constants say; a test has them shorter

	preparing chan struct{} // has room while nobody prepares
	prepared  bool          // guarded by it

	mu        sync.Mutex // held for moments only
	terminals []*Terminal

	guests sync.Map // of *guest: those whose emulator runs, also while they are started

	noticing sync.Mutex
	noticed  map[string]bool

	handed atomic.Bool // see HandOver

	takingDown, closing sync.Once
	takenDown, closed   error
}

// New lays out a lab; nothing boots yet. The caller closes it.
func New(config Config, options Options) (*Lab, error) {
	l := &Lab{
		options: options, opened: time.Now(),
		networks: map[string]*lan.Network{}, machines: map[string]*Machine{}, noticed: map[string]bool{},
		hosts:     map[string]qemu.Platform{},
		preparing: make(chan struct{}, 1), segments: append([]string{}, config.Networks...), changes: newBell(),
		resyncLimit: resyncLimit, savableLimit: savableLimit, stillLimit: stillLimit,
	}
	taken, images := map[string]bool{}, map[string]bool{}
	for _, mc := range config.Machines {
		if mc.Derived != nil {
			var err error
			if mc.Image, err = options.Store.Derive(mc.Derived); err != nil {
				return nil, fmt.Errorf("machine %s: %w", mc.Name, err)
			}
		}
		profile, ok := options.Store.Profile(mc.Image)
		if !ok && (mc.Kernel == nil || mc.Image != "") {
			return nil, fmt.Errorf("machine %s: no image is called %q", mc.Name, mc.Image)
		}
		if why := ConsolesRefused(mc, profile); why != "" && len(mc.Consoles) > 0 {
			return nil, fmt.Errorf("machine %s has no further consoles: %s", mc.Name, why)
		}
		m := &Machine{
			lab: l, config: mc, profile: profile, duplicate: mc.Image != "" && images[mc.Image],
			browsable: Browsable(mc, profile) == "",
			power:     make(chan struct{}, 1), started: make(chan struct{}),
		}
		images[mc.Image] = true
		for i := range mc.NICs {
			m.macs = append(m.macs, pickMAC(profile, mc.Name, i, taken))
		}
		l.machines[mc.Name] = m
		l.order = append(l.order, mc.Name)
	}
	var err error
	if l.session, err = openSession(Sessions(options.Store), options.Mission); err != nil {
		return nil, &EnvironmentError{err}
	}
	if err := l.openWorkshops(); err != nil {
		return nil, &EnvironmentError{errors.Join(err, l.session.close())}
	}
	for _, name := range config.Networks {
		l.networks[name] = lan.NewWatched(name, l.changes.ring)
	}
	if l.viewers, err = attach.Serve(l.session.dir, viewerSide{l}); err != nil {
		return nil, &EnvironmentError{errors.Join(err, l.session.close())}
	}
	if options.Class != "" {
		l.viewers.Report(options.Class)
	}
	return l, nil
}

// Machine returns a machine by name; nil if there is none.
func (l *Lab) Machine(name string) *Machine { return l.machines[name] }

// Machines returns the machines in the order of their declaration.
func (l *Lab) Machines() []*Machine {
	machines := make([]*Machine, 0, len(l.order))
	for _, name := range l.order {
		machines = append(machines, l.machines[name])
	}
	return machines
}

// Running reports whether a machine of the lab is on.
func (l *Lab) Running() bool { return slices.ContainsFunc(l.Machines(), (*Machine).Running) }

// Interactive reports whether a student may type at the lab's consoles.
func (l *Lab) Interactive() bool { return l.options.Interactive }

// Prepare gets everything that booting needs: the images, built or fetched if
// they are not at hand, and the verdict on acceleration. It may take minutes the
// first time and reports progress. Calling it again costs nothing.
func (l *Lab) Prepare(ctx context.Context) error {
	select {
	case l.preparing <- struct{}{}:
		defer func() { <-l.preparing }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if l.prepared {
		return nil
	}
	told := map[string]bool{}
	kernel, native := "", qemu.Arches[0]
	if err := l.installed(); err != nil {
		return &EnvironmentError{err}
	}
	for _, m := range l.Machines() {
		if m.config.Image != "" && m.image == nil {
			img, err := l.options.Store.Ensure(ctx, m.config.Image)
			if err != nil {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				return &EnvironmentError{err}
			}
			if err := checkFirmware(img); err != nil {
				return err
			}
			m.image = img
			m.profile.Has, m.profile.Lacks = img.Has, img.Lacks
			if img.BIOS && len(m.config.Consoles) > 0 {
				return &EnvironmentError{fmt.Errorf("machine %s has no further consoles: it boots from a disk of its own, "+
					"without a control channel by which labrun would start them", m.Name())}
			}
			if img.StandIn != "" && !told[m.config.Image] {
				told[m.config.Image] = true
				text := fmt.Sprintf("%s: the stand-in %s is used: %s", m.config.Image, img.StandIn, img.Why)
				l.options.Events.Emit(event.Notice{Text: text})
			}
			if kernel == "" && img.Kernel != "" && m.arch().Fits() {
				kernel, native = img.Kernel, m.arch()
			}
		}
		if m.workshop != nil {
			m.prepareKernel()
		}
		m.config.Memory = cmp.Or(m.config.Memory, m.image.Memory)
		m.config.CPUs = cmp.Or(m.config.CPUs, m.image.CPUs)
	}
	verdict, err := qemu.Probe(ctx, native, kernel, l.options.Store.Dir())
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &EnvironmentError{err}
	}
	l.accel = verdict
	for _, m := range l.Machines() {
		if cards, n := m.profile.NICs, len(m.config.NICs); m.profile.Leases != "" && n > 0 && n < len(cards) {
			var names []string
			for _, card := range cards {
				names = append(names, card.Name)
			}
			l.notice("%s routes between its cards, which are %s in that order, and has %d of them: "+
				"give it all in nics (the first may be a network, too)",
				m.Name(), strings.Join(names, " and "), n)
		}
	}
	if verdict.Accel == qemu.TCG && slices.ContainsFunc(l.Machines(), func(m *Machine) bool { return m.arch().Fits() }) {
		l.options.Events.Emit(event.Notice{Text: "software emulation (slower): " + verdict.Reason})
	}
	for _, m := range l.Machines() {
		arch := m.arch()
		if _, known := l.hosts[arch.Name]; known {
			continue
		}
		if verdict.Accel == qemu.KVM && m.accel() == qemu.TCG {
			l.notice("%s is emulated (slower): this computer has another processor than %s", m.Name(), arch.Name)
		}
		if l.hosts[arch.Name], err = qemu.Host(ctx, arch, m.accel()); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return &EnvironmentError{err}
		}
	}
	l.prepared = true
	return nil
}

// installed returns what emulator is missing. It is asked for before any image is built.
func (l *Lab) installed() error {
	for _, m := range l.Machines() {
		if err := m.arch().Installed(); err != nil {
			return err
		}
	}
	return nil
}

// notice tells the user something, once.
func (l *Lab) notice(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.noticing.Lock()
	defer l.noticing.Unlock()
	if !l.noticed[text] {
		l.noticed[text] = true
		l.options.Events.Emit(event.Notice{Text: text})
	}
}

// Boot starts machines side by side and returns when their emulators run; the
// guests boot on. A machine that runs already is left alone. If one cannot be
// started, those that this call started are stopped again.
func (l *Lab) Boot(ctx context.Context, machines ...*Machine) error {
	if err := l.Prepare(ctx); err != nil {
		return err
	}
	var starting []*Machine
	for _, m := range machines {
		if m.Running() {
			continue
		}
		starting = append(starting, m)
	}
	if err := l.checkRoom(starting); err != nil {
		return &EnvironmentError{err}
	}
	if err := l.record(); err != nil {
		return &EnvironmentError{err}
	}
	errs := make([]error, len(starting))
	// More at a time would not be faster, and a machine that is restored has to
	// answer within a limit.
	turns := make(chan struct{}, 2*host.CPUs())
	var wait sync.WaitGroup
	for i, m := range starting {
		wait.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			if errs[i] = context.Cause(ctx); errs[i] == nil {
				errs[i] = m.start(ctx)
			}
		})
	}
	wait.Wait()
	err := errors.Join(errs...)
	if err == nil {
		return nil
	}
	for i, m := range starting {
		if errs[i] == nil {
			m.stop()
		}
	}
	var built *workshop.BuildError
	var kernel *KernelError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &built), errors.As(err, &kernel):
		return err // no fault of this computer
	}
	return &EnvironmentError{err}
}

// record makes the records folder and starts the packet captures, with the first
// boot: a run that fails before leaves none. Without records the captures are in the
// session's folder, since a mission may ask for packets.
func (l *Lab) record() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.captures != nil {
		return nil
	}
	folder := cmp.Or(l.options.Records, l.session.dir)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make the records folder: %w", err)
	}
	l.captures = []*capture{}
	for name, network := range l.networks {
		c, err := startCapture(network, filepath.Join(folder, name+".pcap"), func() {
			l.notice("%s.pcap is full: %d packets, or %d MiB, are kept of a network. "+
				"The network goes on, and what crosses it from now on is not seen", name, lan.CapturePackets,
				lan.CaptureBytes>>20)
		})
		if err != nil {
			return err
		}
		l.captures = append(l.captures, c)
	}
	l.changes.ring()
	return nil
}

// TakeDown ends every machine and host terminal, then the networks. It returns what could
// not be written of the records, and what could not be ended. Nobody sits at a console any
// more, but the session goes on, so that whoever follows the run hears how it ended. Doing
// it again changes nothing.
func (l *Lab) TakeDown() error {
	l.takingDown.Do(func() { l.takenDown = l.takeDown() })
	return l.takenDown
}

// Close takes the lab down, and ends the session. Closing again changes nothing.
func (l *Lab) Close() error {
	l.closing.Do(func() {
		l.closed = l.TakeDown()
		l.viewers.Close()
		l.closed = errors.Join(l.closed, l.session.close())
	})
	return l.closed
}

func (l *Lab) takeDown() error {
	l.viewers.Dismiss()
	var wait sync.WaitGroup
	for _, m := range l.machines {
		wait.Go(m.stop)
	}
	l.mu.Lock()
	terminals := l.terminals
	l.terminals = nil
	l.mu.Unlock()
	errs := make([]error, len(terminals))
	for i, t := range terminals {
		wait.Go(func() { errs[i] = t.Close() })
	}
	wait.Wait()
	for _, m := range l.machines {
		errs = append(errs, m.recordErr())
	}
	for _, c := range l.captures {
		errs = append(errs, c.close())
	}
	for _, n := range l.networks {
		errs = append(errs, n.Close())
	}
	return errors.Join(errs...)
}
