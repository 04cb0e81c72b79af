package lab

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/control"
	"github.com/labrun/labrun/internal/guestos"
	"github.com/labrun/labrun/internal/image"
)

// ConsoleConfig declares a console of a machine besides its own.
type ConsoleConfig struct {
	Name   string // one word: the console is called MACHINE/NAME
	User   string // who is logged in there from the start; empty: a login prompt waits
	Played bool   // labrun alone types there, also where a student sits: it plays somebody
}

// MostConsoles is how many consoles a machine may have besides its own.
const MostConsoles = 8

// usualPorts is how many serial ports Debian's kernels have room for unless they are told,
// console and control channel included.
const usualPorts = 4

// ConsolesRefused says why a machine cannot have further consoles; empty: it can.
func ConsolesRefused(m MachineConfig, p image.Profile) string {
	switch {
	case m.Kernel != nil:
		return "it boots a kernel of the course's own, of which labrun does not know how people log in"
	case p.Control == "":
		return fmt.Sprintf("labrun has no control channel to its image %s, by which it would start them", m.Image)
	case p.Console.LoginPrompt == nil:
		return fmt.Sprintf("its image %s has no users who log in", m.Image)
	case p.Board == "isapc":
		return "its board is older than the cards with their serial ports"
	}
	return ""
}

// A Station is a place where people are at work at a machine: its own console, or one that
// the lab asks for besides. Its methods are safe for concurrent use, and fail with
// NotBootedError before the machine's first boot.
type Station struct {
	machine *Machine
	number  int // 0: the machine's own
}

// Own returns the machine's own console.
func (m *Machine) Own() Station { return Station{machine: m} }

// Stations returns the machine's consoles: its own, and then the others as they are declared.
func (m *Machine) Stations() []Station {
	all := []Station{m.Own()}
	for i := range m.config.Consoles {
		all = append(all, Station{m, i + 1})
	}
	return all
}

// Stations returns all consoles of all machines, in the order of their declaration.
func (l *Lab) Stations() []Station {
	var all []Station
	for _, m := range l.Machines() {
		all = append(all, m.Stations()...)
	}
	return all
}

// Station returns the console that is called name, as Station.Name has it; false if there
// is none.
func (l *Lab) Station(name string) (Station, bool) {
	for _, s := range l.Stations() {
		if s.Name() == name {
			return s, true
		}
	}
	return Station{}, false
}

// ConsoleName is what a console besides the machine's own is called.
func ConsoleName(machine, console string) string { return machine + "/" + console }

// Name returns what the console is called: as its machine, or MACHINE/NAME.
func (s Station) Name() string {
	if s.number == 0 {
		return s.machine.Name()
	}
	return ConsoleName(s.machine.Name(), s.config().Name)
}

// Machine returns whose console it is.
func (s Station) Machine() *Machine { return s.machine }

// config is the declaration of one that is not the machine's own.
func (s Station) config() ConsoleConfig { return s.machine.config.Consoles[s.number-1] }

// Played reports whether labrun alone types there.
func (s Station) Played() bool { return s.number > 0 && s.config().Played }

// LetsIn reports whether a user is logged in there without a password.
func (s Station) LetsIn(user string) bool {
	return s.number > 0 && user != "" && s.config().User == user
}

// of is the console in an incarnation of the machine.
func (s Station) of(g *guest) *console.Console {
	if s.number == 0 {
		return g.console
	}
	return g.stations[s.number-1].console
}

// current returns the machine's incarnation to talk to, and the console there.
func (s Station) current() (*guest, *console.Console, error) {
	g, err := s.machine.current()
	if err != nil {
		return nil, nil, err
	}
	return g, s.of(g), nil
}

// Console returns the console.
func (s Station) Console() (*console.Console, error) {
	_, c, err := s.current()
	return c, err
}

// Credentials returns the user and password given, or where they are empty those that are
// meant: who is logged in there from the start, or else the user of the machine's image, and
// that one's password.
func (s Station) Credentials(user, password string) (string, string) {
	own := s.machine.profile.Console
	if s.number > 0 {
		user = cmp.Or(user, s.config().User)
	}
	return cmp.Or(user, own.User), cmp.Or(password, own.Password)
}

// station is a further console in one incarnation of a machine.
type station struct {
	console    *console.Console
	transcript *console.Transcript // nil: none is kept
	began      chan struct{}       // closed when somebody is let in: what is typed before waits
}

// newStations returns the further consoles of an incarnation that comes next, not connected yet.
func (m *Machine) newStations() (all []*station, err error) {
	for _, config := range m.config.Consoles {
		s := &station{began: make(chan struct{})}
		if m.lab.options.Records != "" {
			name := m.recordName() + "." + config.Name
			if s.transcript, err = console.NewTranscript(m.lab.options.Records, name, 80, 24, nil); err != nil {
				for _, made := range all {
					err = errors.Join(err, made.transcript.Close())
				}
				return nil, err
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// connectStations connects the further consoles to their ports. Before is what they have
// shown before the machine goes on; none: it boots, or comes from a template.
func (m *Machine) connectStations(g *guest, before []recording) {
	for i, s := range g.stations {
		config := m.config.Consoles[i]
		name := ConsoleName(m.config.Name, config.Name)
		options := console.Options{
			Name: name, Prompts: prompts(m.profile.Console),
			Line: m.profile.Console.Line, User: config.User, Open: s.began, Keyed: m.lab.keyed(name),
		}
		if s.transcript != nil {
			options.Transcript = s.transcript
		}
		said := replay{}
		if i < len(before) {
			close(s.began)
			said.recorded, options.User = before[i].text, before[i].user
			if s.transcript != nil {
				s.transcript.Mark("recorded when the machine was saved")
				said.live = func() { s.transcript.Mark("live") }
			}
		}
		s.console = console.New(&serialPort{channel: channel{g.process.Port(i), g.failed}, replay: said}, options)
	}
	if len(g.stations) > 0 {
		g.announced = make(chan struct{}, 1)
		g.control.Watch(g.announcements())
	}
}

// close releases what belongs to the console, when its machine has ended.
func (s *station) close() error {
	s.console.Close()
	if s.transcript == nil {
		return nil
	}
	return s.transcript.Close()
}

// recordName names the records of the incarnation that comes next. Package report knows it.
func (m *Machine) recordName() string {
	if m.boots == 0 {
		return m.config.Name
	}
	return fmt.Sprintf("%s-%d", m.config.Name, m.boots+1)
}

// letInLimit is how long a guest may take to find the ports of its further consoles and to
// start what lets people in there, which is some tenths of a second.
const letInLimit = time.Minute

// letIn has somebody let in at each of the machine's further consoles, once its control
// channel answers and its cards are plugged in, and again whenever the guest has booted
// anew. It returns when that was done the first time; the rest is done until the machine
// ends.
func (m *Machine) letIn(g *guest) {
	if len(g.stations) == 0 {
		return
	}
	m.keepConsoles(g)
	for _, s := range g.stations {
		close(s.began)
	}
	select {
	case <-g.announced: // of the boot that it was done for
	default:
	}
	m.keepLettingIn(g)
}

// keepLettingIn is letIn for a machine where that was done before it was saved.
func (m *Machine) keepLettingIn(g *guest) {
	if len(g.stations) == 0 {
		return
	}
	g.tasks.Go(func() {
		for {
			select {
			case <-g.announced:
				m.keepConsoles(g)
			case <-g.ctx.Done():
				return
			}
		}
	})
}

// keepConsoles has the guest keep people logged in. Where it cannot, that is told.
func (m *Machine) keepConsoles(g *guest) {
	var users []string
	for _, c := range m.config.Consoles {
		users = append(users, c.User)
	}
	r, err := g.shell.Run(g.ctx, guestos.KeepConsoles(m.profile.Control, users), letInLimit)
	switch {
	case g.ctx.Err() != nil, errors.Is(err, control.ErrRestarted): // then it is done once more
	case err != nil:
		m.lab.notice("nobody is logged in at %s's further consoles: %v", m.Name(), err)
	case r.Status != 0:
		m.lab.notice("nobody is logged in at %s's further consoles: %s", m.Name(), bytes.TrimSpace([]byte(r.Stderr)))
	}
}

// announcements returns what looks at the control channel, so that g.announced holds a value
// whenever the shell there has announced itself since: the guest has booted.
func (g *guest) announcements() func(chunk []byte) {
	var end []byte // of what came before: a word may come in pieces
	return func(chunk []byte) {
		text := append(end, chunk...)
		if bytes.Contains(text, []byte(control.Ready)) {
			select {
			case g.announced <- struct{}{}:
			default:
			}
			text = nil
		}
		end = bytes.Clone(text[max(0, len(text)-len(control.Ready)+1):])
	}
}

// stationFile is the file of what further console i has said, of a machine that is saved.
func stationFile(base string, i int) string { return fmt.Sprintf("%s.%d.console", base, i+1) }

// saveStations saves what the further consoles of a paused guest have said.
func (g *guest) saveStations(ctx context.Context, base string) error {
	for i, s := range g.stations {
		if err := saveSaid(ctx, s.console, stationFile(base, i)); err != nil {
			return err
		}
	}
	return nil
}

// readStations reads what the further consoles had said when the machine was saved.
func readStations(base string, users []string) (all []recording, err error) {
	for i, user := range users {
		text, err := os.ReadFile(stationFile(base, i))
		if err != nil {
			return nil, err
		}
		all = append(all, recording{text: text, user: user})
	}
	return all, nil
}
