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

	// ports and captures are replaced, never changed, so that forwarding reads
	// them without a lock.
	ports    atomic.Pointer[[]*Port]
	captures atomic.Pointer[[]*Capture]

	mu     sync.Mutex // serialises changes to ports and captures
	closed bool       // guarded by mu
}

// New returns a network without ports.
func New(name string) *Network {
	n := &Network{name: name, began: time.Now(), table: table{stations: make(map[mac]*station)}}
	n.ports.Store(new([]*Port))
	n.captures.Store(new([]*Capture))
	return n
}

// Name returns the name the network was made with.
func (n *Network) Name() string { return n.name }

// Listen adds a port whose peers dial a Unix socket at path, which only this user
// may do. One peer is connected at a time; when it leaves, the next is accepted,
// so a machine may be started again. It fails when the network is closed, has a
// port of that name, or cannot listen at path.
func (n *Network) Listen(port, path string) (*Port, error) {
	l, err := listen(path)
	if err != nil {
		return nil, fmt.Errorf("listen %s: %w", port, err)
	}
	p, err := n.add(port, l)
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("listen %s: %w", port, err)
	}
	p.done.Go(p.accept)
	return p, nil
}

// Attach adds a port with conn as its only peer, and owns conn from then on. It
// fails when the network is closed or has a port of that name.
func (n *Network) Attach(port string, conn net.Conn) (*Port, error) {
	p, err := n.add(port, nil)
	if err != nil {
		return nil, fmt.Errorf("attach %s: %w", port, err)
	}
	p.done.Go(func() { p.serve(conn) })
	return p, nil
}

// add makes a port and puts it on the network.
func (n *Network) add(name string, l net.Listener) (*Port, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, fmt.Errorf("network %s: %w", n.name, net.ErrClosed)
	}
	ports := *n.ports.Load()
	if slices.ContainsFunc(ports, func(p *Port) bool { return p.name == name }) {
		return nil, fmt.Errorf("network %s already has a port of that name", n.name)
	}
	p := &Port{network: n, name: name, listener: l, queue: newQueue()}
	p.link.Store(&Link{})
	ports = append(slices.Clone(ports), p)
	n.ports.Store(&ports)
	return p, nil
}

func (n *Network) remove(p *Port) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ports := slices.DeleteFunc(slices.Clone(*n.ports.Load()), func(q *Port) bool { return p == q })
	n.ports.Store(&ports)
}

// Ports returns the ports in the order they were added.
func (n *Network) Ports() []*Port { return slices.Clone(*n.ports.Load()) }

// Table returns the addresses learned and not yet forgotten, in order. The switch
// forgets an address 300 seconds after its last frame, or when its port loses its
// peer.
func (n *Network) Table() []Entry { return n.table.entries(time.Since(n.began)) }

// Close ends the captures, closes the ports and waits for every goroutine of the
// network. It returns what failed, joined. Closing again does nothing.
func (n *Network) Close() error {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	var errs []error
	for _, p := range n.Ports() {
		errs = append(errs, p.Close())
	}
	for _, c := range *n.captures.Load() {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// forward passes on every complete frame in r, all of which arrived at from by
// now. It returns an error when the rest of the stream cannot be read.
func (n *Network) forward(from *Port, r *frameReader, now time.Time) error {
	link, captures := from.Link(), *n.captures.Load()
	var (
		// A run is adjoining records that share dst and src, at r.buf[start:end].
		dst, src            mac
		start, end          int
		runFrames           uint64
		frames, bytes, lost uint64
	)
	flush := func() {
		if runFrames > 0 {
			n.deliver(from, dst, src, r.buf[start:end], runFrames, now)
		}
	}
	var err error
	for {
		var s, e int
		s, e, err = r.next()
		if e == 0 {
			break
		}
		if (link.Cut || link.Loss > 0) && link.loses(from.queue.random) {
			lost++
			continue
		}
		frames++
		bytes += uint64(e - s - headerSize)
		for _, c := range captures {
			c.add(from, r.buf[s+headerSize:e], now)
		}
		d, c := addresses(r.buf[s:e])
		if runFrames > 0 && s == end && d == dst && c == src {
			end = e
			runFrames++
			continue
		}
		flush()
		start, end, dst, src, runFrames = s, e, d, c, 1
	}
	flush()
	from.rxFrames.Add(frames)
	from.rxBytes.Add(bytes)
	from.lost.Add(lost)
	return err
}

// deliver queues a run at the port its destination is behind, or at every other
// port when that is unknown.
func (n *Network) deliver(from *Port, dst, src mac, run []byte, frames uint64, now time.Time) {
	to := n.table.route(from, dst, src, now.Sub(n.began))
	switch to {
	case from: // its neighbour has it already
	case nil:
		for _, p := range *n.ports.Load() {
			if p != from {
				p.queue.put(run, frames, now)
			}
		}
	default:
		to.queue.put(run, frames, now)
	}
}
