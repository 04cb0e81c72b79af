package lan

import (
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
	network *Network
	name    string
	conn    net.Conn
	queue   *queue
	done    sync.WaitGroup // the goroutine that serves the port

	rxFrames atomic.Uint64
	rxBytes  atomic.Uint64
	txFrames atomic.Uint64
	txBytes  atomic.Uint64
	lost     atomic.Uint64 // besides what the queue counts
	invalid  atomic.Uint64

	mu  sync.Mutex
	err error // guarded by mu
}

// Counters says what crossed a port. The directions are the switch's: Rx came
// from the peer, Tx was sent to it. Bytes are those of the frames alone.
type Counters struct {
	RxFrames, RxBytes uint64 // accepted and forwarded
	TxFrames, TxBytes uint64 // handed to the peer's socket
	Dropped           uint64 // found the port's queue full
	Lost              uint64 // found the peer gone
	Invalid           uint64 // too short or too long to be a frame
}

// Name returns the name the port was made with.
func (p *Port) Name() string { return p.name }

// Counters returns the port's counts since it was made.
func (p *Port) Counters() Counters {
	q := p.queue.unsentFrames()
	return Counters{
		RxFrames: p.rxFrames.Load(), RxBytes: p.rxBytes.Load(),
		TxFrames: p.txFrames.Load(), TxBytes: p.txBytes.Load(),
		Dropped: q.dropped,
		Lost:    q.lost + p.lost.Load(),
		Invalid: p.invalid.Load(),
	}
}

// Err returns why the connection ended. It is nil while it lasts, and when the
// peer left or the port was closed.
func (p *Port) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Close disconnects the peer, removes the port from its network, and waits for
// the port's goroutines. What is queued for the peer is lost. Closing again does
// nothing.
func (p *Port) Close() {
	p.conn.Close()
	p.done.Wait()
	p.network.remove(p)
}

// serve connects the port to its peer until either end closes the connection.
func (p *Port) serve() {
	var (
		sender    sync.WaitGroup
		sendError error
	)
	stop := make(chan struct{})
	sender.Go(func() { sendError = p.send(stop) })
	err := p.receive()
	p.queue.disconnect()
	p.conn.Close() // ends a write that waits for the peer
	close(stop)
	sender.Wait()
	p.network.table.forgetPort(p)

	if left(err) { // which it also is when send closed the connection
		err = sendError
	}
	if !left(err) {
		p.mu.Lock()
		p.err = fmt.Errorf("port %s: %w", p.name, err)
		p.mu.Unlock()
	}
}

// left reports whether a connection that ended with err was ended by the peer, by
// design or by being killed, or by Close.
func left(err error) bool {
	return err == nil ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// receive forwards what the peer sends until the connection ends.
func (p *Port) receive() error {
	frames := newFrameReader(p.conn)
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
// write itself, which closing the connection ends.
func (p *Port) send(stop <-chan struct{}) error {
	var batch []byte
	for {
		var frames uint64
		batch, frames = p.queue.take(batch)
		if frames > 0 {
			if _, err := p.conn.Write(batch); err != nil {
				p.lost.Add(frames)
				p.conn.Close() // so that receive ends too
				return err
			}
			p.txFrames.Add(frames)
			p.txBytes.Add(uint64(len(batch)) - frames*headerSize)
			continue
		}
		select {
		case <-p.queue.wake:
		case <-stop:
			return nil
		}
	}
}
