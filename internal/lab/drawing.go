package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/lan"
)

// bell tells whoever waits that something may have changed.
type bell struct {
	mu   sync.Mutex // held for moments only
	next chan struct{}
}

func newBell() *bell { return &bell{next: make(chan struct{})} }

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.next)
	b.next = make(chan struct{})
}

// rings returns a channel that is closed when the bell next rings.
func (b *bell) rings() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next
}

// Drawing is how the machines are wired at this moment. An address is one that the switch
// has heard its card claim or be lent, the latest first; no guest is asked, and one that
// its guest has given up in silence stays until another takes it or the machine is off.
// The channel is closed when all that may be otherwise.
func (s viewerSide) Drawing() (attach.Drawing, <-chan struct{}) {
	changed := s.changes.rings() // first, so that no change is missed
	drawing := attach.Drawing{Networks: s.segments, Machines: []attach.DrawnMachine{}}
	for _, m := range s.Machines() {
		drawing.Machines = append(drawing.Machines, m.draw())
	}
	return drawing, changed
}

func (m *Machine) draw() attach.DrawnMachine {
	m.mu.Lock()
	g := m.guest
	m.mu.Unlock()
	on := g != nil && g.process.Exit() == nil
	drawn := attach.DrawnMachine{Name: m.Name(), On: on, Cards: []attach.DrawnCard{}}
	for i, nic := range m.config.NICs {
		card := attach.DrawnCard{
			Name: strings.TrimPrefix(m.cardName(i), m.Name()+"/"), MAC: m.macs[i], Uplink: nic.Uplink,
			Plugged: !on || !g.unplugged[i].Load(), Addresses: []string{},
		}
		if !nic.Uplink {
			card.Network = nic.Network
		}
		if on && g.neighbours[i] != nil {
			for _, a := range slices.Backward(g.neighbours[i].Claims()) {
				card.Addresses = append(card.Addresses, a.String())
			}
		}
		drawn.Cards = append(drawn.Cards, card)
	}
	return drawn
}

// Packets has told what crosses a network, from the first boot on, until ctx ends.
func (s viewerSide) Packets(
	ctx context.Context, network string, tell func(packets []lan.Packet, skipped uint64) error,
) error {
	for {
		changed := s.changes.rings()
		if c := s.capture(network); c != nil {
			return c.capture.Follow(ctx, tell)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Capture opens what was captured of a network until now.
func (s viewerSide) Capture(network string) (io.ReadCloser, error) {
	c := s.capture(network)
	if c == nil {
		return nil, fmt.Errorf("nothing has crossed %s yet: no machine was switched on", network)
	}
	return c.open()
}

// open returns what is whole of the file at this moment.
func (c *capture) open() (_ io.ReadCloser, err error) {
	if err := c.flush(); err != nil {
		return nil, fmt.Errorf("read the capture of %s: %w", c.network, err)
	}
	file, err := os.Open(c.file.Name())
	if err != nil {
		return nil, fmt.Errorf("read the capture of %s: %w", c.network, err)
	}
	size, err := lan.WholeSize(file)
	if err != nil {
		file.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(file, 0, size), file}, nil
}
