package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/control"
	"github.com/labrun/labrun/internal/guestos"
	"github.com/labrun/labrun/internal/host"
)

const (
	// addressEvery is the longest pause between two questions to a guest with a control
	// channel. Most addresses come by DHCP, which the switch hears; only what is set by
	// hand is waited for.
	addressEvery = time.Second
	// A guest without a control channel is asked at its console, which is the
	// student's, only if watching and ARP do not tell within askFirst, and ever more
	// seldom.
	askFirst = 10 * time.Second
	// cannotRun is from which status on a shell says that it could not run a command.
	cannotRun = 126
)

// Address returns the IPv4 address of the machine on a network, and waits for it
// until ctx ends. An empty network means the first card that is not the uplink.
//
// A guest with a control channel is asked; it knows best. The address of any other is
// what the switch has heard and the card answers to by ARP at this moment.
func (m *Machine) Address(ctx context.Context, network string) (netip.Addr, error) {
	card, err := m.Card(network)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("address of %s: %w", m.Name(), err)
	}
	g, err := m.current()
	if err != nil {
		return netip.Addr{}, err
	}
	find := m.watchAddress
	if g.control != nil {
		find = m.askAddress
	}
	address, said, err := find(ctx, g, card)
	switch {
	case err == nil || ctx.Err() == nil:
		return address, err
	case said != "":
		said = "; asked, it says: " + said
	}
	return address, fmt.Errorf("address of %s: its card %s on %s has none: %w: %s%s",
		m.Name(), m.macs[card], m.config.NICs[card].Network, err, g.neighbours[card].Manner(), said)
}

// askAddress asks the guest until it has an address on a card. It returns what the
// guest said last where it could not tell.
func (m *Machine) askAddress(ctx context.Context, g *guest, card int) (address netip.Addr, said string, err error) {
	for try := 0; ; try++ {
		news := g.neighbours[card].News()
		var asked error
		address, said, asked = m.addressNow(ctx, card)
		if address.IsValid() || asked != nil && ctx.Err() == nil {
			return address, said, asked
		}
		timer := time.NewTimer(min(pollFirst<<min(try, 8), addressEvery))
		select {
		case <-news:
			try = 0 // the guest may take a moment to use its lease
		case <-timer.C:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		timer.Stop()
		if err != nil {
			return netip.Addr{}, said, err
		}
	}
}

// addressNow asks the guest for the address on a card; invalid if there is none now,
// with what the guest said against it. What cannot run is an error.
func (m *Machine) addressNow(ctx context.Context, card int) (address netip.Addr, said string, err error) {
	result, err := m.ask(ctx, m.profile.Guest.AskAddress(m.macs[card]))
	switch {
	case err != nil:
		return address, "", err
	case result.Status >= cannotRun:
		return address, "", fmt.Errorf("address of %s: its guest cannot tell: %s", m.Name(), complaint(result))
	case result.Status != 0: // its interfaces may be getting their names
		return address, complaint(result), nil
	}
	if address, err = guestos.ParseAddress(result.Stdout); err != nil {
		err = fmt.Errorf("address of %s: its guest cannot tell: %w", m.Name(), err)
	}
	return address, "", err
}

// watchAddress waits until a card that nobody can ask answers to an address: one that
// the switch has heard of, or that the image is known for. If none is found so, the
// guest is asked after all.
func (m *Machine) watchAddress(ctx context.Context, g *guest, card int) (address netip.Addr, said string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer context.AfterFunc(g.ctx, func() { cancel(context.Cause(g.ctx)) })()
	var expected []netip.Addr
	if nics := m.profile.NICs; card < len(nics) && nics[card].Address.IsValid() {
		expected = append(expected, nics[card].Address)
	}
	var seen, told netip.Addr
	var ways sync.WaitGroup
	ways.Go(func() {
		if seen, err = g.neighbours[card].Await(ctx, expected...); err == nil {
			cancel(nil)
		}
	})
	ways.Go(func() {
		if told, said = m.askSeldom(ctx, g, card); told.IsValid() {
			cancel(nil)
		}
	})
	ways.Wait()
	cancel(nil)
	switch {
	case seen.IsValid():
		return seen, "", nil
	case told.IsValid():
		return told, "", nil
	}
	return netip.Addr{}, said, err
}

// askSeldom asks a guest at its console for the address on a card, whenever its shell
// waits there, until ctx ends or the guest cannot tell, and returns what it said.
func (m *Machine) askSeldom(ctx context.Context, g *guest, card int) (address netip.Addr, said string) {
	for wait := askFirst; host.Sleep(ctx, wait) == nil; wait *= 2 {
		if g.console.Waiting() != console.ShellPrompt {
			continue
		}
		var err error
		if address, said, err = m.addressNow(ctx, card); address.IsValid() {
			return address, ""
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return address, err.Error()
		}
	}
	return address, said
}

// complaint is what a command that failed has said, on one line.
func complaint(r control.Result) string {
	said := strings.Join(strings.Fields(r.Stderr+" "+r.Stdout), " ")
	if said == "" {
		return fmt.Sprintf("status %d", r.Status)
	}
	return fmt.Sprintf("%s (status %d)", said, r.Status)
}

// Card returns the number of the machine's card on a network; an empty name
// means the first card that is not the uplink.
func (m *Machine) Card(network string) (int, error) {
	for i, nic := range m.config.NICs {
		if !nic.Uplink && (network == "" || nic.Network == network) {
			return i, nil
		}
	}
	if network == "" {
		return 0, fmt.Errorf("%s has no card on any network of the lab", m.Name())
	}
	return 0, fmt.Errorf("%s has no card on network %s", m.Name(), network)
}

// SetCable pulls the cable of the machine's card on a network out, or puts it back;
// an empty name means the first card that is not the uplink. The guest sees that its
// card has lost its carrier. A machine that is started has all its cables in.
func (m *Machine) SetCable(ctx context.Context, network string, in bool) error {
	card, err := m.Card(network)
	if err != nil {
		return err
	}
	g, err := m.current()
	if err != nil {
		return err
	}
	if err := g.settle(ctx); err != nil { // its cards may still be on their way
		return err
	}
	if err := g.process.SetCarrier(ctx, card, in); err != nil {
		return err
	}
	g.unplugged[card].Store(!in)
	m.lab.changes.ring()
	return nil
}
