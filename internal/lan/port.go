package lan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A Port is one socket of the switch, with the cable to its peer. Its methods may
// be called from any goroutine.
type Port struct {
	network  *Network
	name     string
	listener net.Listener // nil for an attached port
	queue    *queue
	done     sync.WaitGroup // the goroutine that serves the port

	link     atomic.Pointer[Link]
	rxFrames atomic.Uint64
	rxBytes  atomic.Uint64
	txFrames atomic.Uint64
	txBytes  atomic.Uint64
	lost     atomic.Uint64 // besides what the queue counts
	invalid  atomic.Uint64

	mu     sync.Mutex
	conn   net.Conn // guarded by mu; the peer, nil while there is none
	err    error    // guarded by mu
	closed bool     // guarded by mu
}

// Counters says what crossed a port. The directions are the switch's: Rx came
// from the peer, Tx was sent to it. Bytes are those of the frames alone.
type Counters struct {
	RxFrames, RxBytes uint64 // accepted and forwarded
	TxFrames, TxBytes uint64 // handed to the peer's socket
	Dropped           uint64 // found the port's queue full
	Lost              uint64 // fell to the link (cut or loss, both directions), or found no peer connected
	Invalid           uint64 // too short or too long to be a frame
}

// Name returns the name the port was made with.
func (p *Port) Name() string { return p.name }

// Counters returns the port's counts since it was made, over all its peers.
func (p *Port) Counters() Counters {
	q := p.queue.lostFrames()
	return Counters{
		RxFrames: p.rxFrames.Load(), RxBytes: p.rxBytes.Load(),
		TxFrames: p.txFrames.Load(), TxBytes: p.txBytes.Load(),
		Dropped: q.dropped,
		Lost:    q.lost + p.lost.Load(),
		Invalid: p.invalid.Load(),
	}
}

// Link returns the condition of the port's cable.
func (p *Port) Link() Link { return *p.link.Load() }

// SetLink changes the condition of the port's cable at once, for this peer and
// later ones; SetLink(Link{}) repairs it. A cut also loses what is in flight; what
// the peer's socket already holds arrives. It fails only for values out of range.
func (p *Port) SetLink(l Link) error {
	if err := l.validate(); err != nil {
		return fmt.Errorf("set link %s: %w", p.name, err)
	}
	p.mu.Lock() // keeps the two directions alike when two callers meet
	defer p.mu.Unlock()
	p.link.Store(&l)
	p.queue.setLink(l)
	return nil
}

// Err returns why the last connection ended, when it was not the peer leaving:
// a *FramingError, say. It is nil while a peer is connected.
func (p *Port) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Close disconnects the peer, removes the port from its network and its socket
// from the disk, and waits for the port's goroutines. Closing again does nothing.
func (p *Port) Close() error {
	p.mu.Lock()
	var err error
	if !p.closed {
		p.closed = true
		if p.listener != nil {
			err = p.listener.Close()
		}
		if p.conn != nil {
			p.conn.Close()
		}
	}
	p.mu.Unlock()
	p.done.Wait()
	p.network.remove(p)
	return err
}

// listen makes a socket that only its owner can use. The mode is set on the
// descriptor before it is bound, so the file never had another.
func listen(path string) (net.Listener, error) {
	const maxPath = len(syscall.RawSockaddrUnix{}.Path) - 1
	if len(path) > maxPath {
		return nil, fmt.Errorf("%s: the path has %d bytes, a socket's may have %d: use a shorter TMPDIR", path, len(path), maxPath)
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), 0o600) }); e != nil {
			return e
		}
		return err
	}}
	return config.Listen(context.Background(), "unix", path)
}

// accept serves one peer after the other until the port is closed.
func (p *Port) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			p.mu.Lock()
			if !p.closed {
				p.err = fmt.Errorf("accept %s: %w", p.name, err)
			}
			p.mu.Unlock()
			return
		}
		p.serve(conn)
	}
}

// serve connects the port to conn until either end closes it.
func (p *Port) serve(conn net.Conn) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		conn.Close()
		return
	}
	p.conn, p.err = conn, nil
	p.mu.Unlock()

	p.queue.connect(true)
	stop := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() { p.send(conn, stop) })
	err := p.receive(conn)
	p.queue.connect(false)
	conn.Close()
	close(stop)
	sender.Wait()
	p.network.table.forgetPort(p)

	p.mu.Lock()
	p.conn = nil
	if !p.closed && !left(err) {
		p.err = err
	}
	p.mu.Unlock()
}

// left reports whether err is a peer that ended the connection, by design or by
// being killed.
func left(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed)
}

// receive forwards what the peer sends until the connection ends.
func (p *Port) receive(conn net.Conn) error {
	frames := newFrameReader(conn)
	for {
		if err := frames.fill(); err != nil {
			return err
		}
		err := p.network.forward(p, frames, time.Now())
		p.invalid.Add(frames.invalid)
		frames.invalid = 0
		if err != nil {
			return err
		}
	}
}

// send writes what is queued until stop. Its only wait besides the queue is the
// write itself, which closing conn ends.
func (p *Port) send(conn net.Conn, stop <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var batch []byte
	for {
		var frames uint64
		var wait time.Duration
		batch, frames, wait = p.queue.take(batch)
		if frames > 0 {
			if _, err := conn.Write(batch); err != nil {
				p.lost.Add(frames)
				conn.Close() // receive sees it and ends the connection
				<-stop
				return
			}
			p.txFrames.Add(frames)
			p.txBytes.Add(uint64(len(batch)) - frames*headerSize)
			continue
		}
		var due <-chan time.Time
		if wait > 0 {
			timer.Reset(wait)
			due = timer.C
		}
		select {
		case <-p.queue.wake:
		case <-due:
		case <-stop:
			return
		}
	}
}
