package lan

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Network is one Ethernet segment: a switch and its ports. Its methods may be
// called from any goroutine.
type Network struct {
	name  string
	began time.Time
	table table

	// These are replaced, never changed, so that forwarding reads them without a
	// lock.
	ports      atomic.Pointer[[]*Port]
	captures   atomic.Pointer[[]*Capture]
	neighbours atomic.Pointer[map[mac]*Neighbour]

	mu     sync.Mutex // serialises their changes
	closed bool       // guarded by mu

	notify func() // what is known of a neighbour's addresses has changed
}

// New returns a network without ports.
func New(name string) *Network { return NewWatched(name, func() {}) }

// NewWatched is New with a function that is called whenever the addresses that a
// neighbour claims are others than before. It must not wait, nor ask the network.
func NewWatched(name string, notify func()) *Network {
	n := &Network{name: name, began: time.Now(), notify: notify, table: table{stations: make(map[mac]*station)}}
	n.ports.Store(new([]*Port))
	n.captures.Store(new([]*Capture))
	n.neighbours.Store(&map[mac]*Neighbour{})
	return n
}

// Name returns the name the network was made with.
func (n *Network) Name() string { return n.name }

// Attach adds a port whose peer is at the other end of conn, a stream in QEMU's
// framing; what other ports send from now on is queued for it. The port owns conn
// from then on. When the peer leaves, its port stays until it is closed, so that
// its counters can be read. Attach fails, and leaves conn to the caller, when the
// network is closed or has a port of that name.
func (n *Network) Attach(port string, conn net.Conn) (*Port, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, fmt.Errorf("attach %s: network %s: %w", port, n.name, net.ErrClosed)
	}
	ports := *n.ports.Load()
	if slices.ContainsFunc(ports, func(p *Port) bool { return p.name == port }) {
		return nil, fmt.Errorf("attach %s: network %s already has a port of that name", port, n.name)
	}
	p := &Port{network: n, name: port, conn: conn, queue: newQueue()}
	ports = append(slices.Clone(ports), p)
	n.ports.Store(&ports)
	p.done.Go(p.serve)
	return p, nil
}

func (n *Network) remove(p *Port) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ports := slices.DeleteFunc(slices.Clone(*n.ports.Load()), func(q *Port) bool { return p == q })
	n.ports.Store(&ports)
	n.forsake(p)
}

// Ports returns the ports in the order they were added.
func (n *Network) Ports() []*Port { return slices.Clone(*n.ports.Load()) }

// Table returns the addresses learned and not yet forgotten, in order. The switch
// forgets an address 300 seconds after its last frame, or when its port loses its
// peer.
func (n *Network) Table() []Entry { return n.table.entries(time.Since(n.began)) }

// Close closes the ports and the captures, in this order, and waits for every
// goroutine of the network. It returns what the captures could not write, joined.
// Closing again does nothing.
func (n *Network) Close() error {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	for _, p := range n.Ports() {
		p.Close()
	}
	var errs []error
	for _, c := range *n.captures.Load() {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// forward passes on every complete frame in r, all of which arrived at from by
// now. It returns an error when the rest of the stream cannot be read.
func (n *Network) forward(from *Port, r *frameReader, now time.Time) error {
	var (
		// A run is adjoining records that share dst and src, at r.buf[start:end].
		dst, src   mac
		start, end int
		frames     uint64
		err        error
	)
	flush := func() {
		if frames > 0 {
			n.deliver(from, dst, src, r.buf[start:end], frames, now)
		}
	}
	for {
		var s, e int
		s, e, err = r.next()
		if e == 0 {
			break
		}
		d, c := addresses(r.buf[s:e])
		n.hear(c, r.buf[s+headerSize:e], now)
		if d == ownMAC {
			continue // it was an answer, which is nobody else's
		}
		if frames > 0 && s == end && d == dst && c == src {
			end = e
			frames++
			continue
		}
		flush()
		start, end, dst, src, frames = s, e, d, c, 1
	}
	flush()
	return err
}

// deliver counts and captures a run, and queues it at the port its destination is
// behind, or at every other port when that is unknown.
func (n *Network) deliver(from *Port, dst, src mac, run []byte, frames uint64, now time.Time) {
	from.rxFrames.Add(frames)
	from.rxBytes.Add(uint64(len(run)) - frames*headerSize)
	for _, c := range *n.captures.Load() {
		c.add(from, run, frames, now)
	}
	to := n.table.route(from, dst, src, now.Sub(n.began))
	switch to {
	case from: // its neighbour has it already
	case nil:
		for _, p := range *n.ports.Load() {
			if p != from {
				p.queue.put(run, frames)
			}
		}
	default:
		to.queue.put(run, frames)
	}
}
