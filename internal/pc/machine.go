package pc

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labrun/labrun/internal/host"
)

// Reason tells why a machine ended.
type Reason int

// The reasons, from the most wanted to the least.
const (
	Stopped    Reason = iota // labrun ended it
	PoweredOff               // the guest powered itself off
	Gone                     // its page was closed, or lost its connection
	Crashed                  // the emulator failed
)

// Exit says how a machine ended.
type Exit struct {
	Reason Reason
	Detail string // of a crash
}

// ready is what a guest's control shell has said before it was saved.
const ready = "labrun control ready\n"

// Machine is a machine that runs in a page. Its methods are safe for concurrent use.
type Machine struct {
	page    Page
	console port
	control port
	nic     port
	started time.Time

	up        chan struct{} // has a token once it runs
	unplugged atomic.Bool
	finishing sync.Once
	done      chan struct{}
	exit      Exit // set before done is closed
	tasks     sync.WaitGroup
}

// port is a channel of the machine, a pair of sockets as QEMU's: ours is the lab's end, its
// the page's.
type port struct{ ours, its net.Conn }

func newPort() (p port, err error) {
	ours, its, err := host.SocketPair("port")
	if err != nil {
		return port{}, err
	}
	defer ours.Close() // FileConn duplicates it
	defer its.Close()
	if p.ours, err = net.FileConn(ours); err != nil {
		return port{}, err
	}
	p.its, err = net.FileConn(its)
	return p, err
}

func newMachine(page Page) (*Machine, error) {
	m := &Machine{page: page, started: time.Now(), up: make(chan struct{}, 1), done: make(chan struct{})}
	for _, p := range []*port{&m.console, &m.control, &m.nic} {
		var err error
		if *p, err = newPort(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// start switches the machine on in its page.
func (m *Machine) start(ctx context.Context, state, mac string) error {
	on, err := json.Marshal(map[string]string{"state": state, "mac": mac})
	if err != nil {
		return err
	}
	if err := m.send(messageOn, on); err != nil {
		return err
	}
	select {
	case <-m.up:
	case <-m.done:
		return m.exit
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	m.tasks.Go(func() { m.bytes(messageConsole, m.console.its) })
	m.tasks.Go(func() { m.bytes(messageControl, m.control.its) })
	m.tasks.Go(m.frames)
	return nil
}

// Error says why.
func (e Exit) Error() string {
	switch e.Reason {
	case Gone:
		return "the page that it ran in was closed, or has lost its connection"
	case Crashed:
		return "the emulator in the page failed: " + e.Detail
	}
	return "it was switched off"
}

func (m *Machine) send(kind byte, payload []byte) error {
	return m.page.Send(append([]byte{kind}, payload...))
}

// hear takes what the page says. It waits for who reads the ports, which always goes on.
func (m *Machine) hear(kind byte, payload []byte) {
	switch kind {
	case messageUp: // what was said before it was saved comes first
		m.console.its.Write(payload)
		m.control.its.Write([]byte(ready))
		select {
		case m.up <- struct{}{}:
		default: // it was reset
		}
	case messageConsole:
		m.console.its.Write(payload)
	case messageControl:
		m.control.its.Write(payload)
	case messageFrame:
		if !m.unplugged.Load() {
			m.nic.its.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...))
		}
	case messageDown:
		exit := Exit{Reason: PoweredOff, Detail: string(payload)}
		if exit.Detail != "" {
			exit.Reason = Crashed
		}
		m.finish(exit)
	}
}

// bytes passes on what is typed at a port.
func (m *Machine) bytes(kind byte, from io.Reader) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			err = errors.Join(err, m.send(kind, buffer[:n]))
		}
		if err != nil {
			return
		}
	}
}

// longestFrame bounds a frame of Ethernet, in bytes; the lab's switch has no longer ones.
const longestFrame = 65536

// frames passes on what the switch sends, which QEMU's framing gives its length.
func (m *Machine) frames() {
	var head [4]byte
	for {
		if _, err := io.ReadFull(m.nic.its, head[:]); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(head[:])
		if n > longestFrame {
			return
		}
		frame := make([]byte, n)
		if _, err := io.ReadFull(m.nic.its, frame); err != nil {
			return
		}
		if !m.unplugged.Load() && m.send(messageFrame, frame) != nil {
			return
		}
	}
}

// Console returns the first serial port.
func (m *Machine) Console() net.Conn { return m.console.ours }

// Control returns the second serial port.
func (m *Machine) Control() net.Conn { return m.control.ours }

// NIC returns the lab's end of the only network card, with the framing of QEMU's.
func (m *Machine) NIC(int) net.Conn { return m.nic.ours }

// Started returns the moment the machine was started.
func (m *Machine) Started() time.Time { return m.started }

// Done is closed when the machine has ended; Exit then tells why.
func (m *Machine) Done() <-chan struct{} { return m.done }

// Exit returns why the machine ended; false while it runs.
func (m *Machine) Exit() (Exit, bool) {
	select {
	case <-m.done:
		return m.exit, true
	default:
		return Exit{}, false
	}
}

// Reset has the machine go on from its saved state once more: it has nothing else to boot.
func (m *Machine) Reset() error { return m.send(messageReset, nil) }

// SetCarrier puts the network card's cable in or pulls it out. The guest is not told: what
// is sent is lost.
func (m *Machine) SetCarrier(in bool) { m.unplugged.Store(!in) }

// Kill ends the machine.
func (m *Machine) Kill() {
	if _, ended := m.Exit(); ended {
		return
	}
	m.send(messageOff, nil) // a page that has gone has no machine any more
	m.finish(Exit{Reason: Stopped})
}

// finish ends the machine for a reason, once.
func (m *Machine) finish(exit Exit) {
	m.finishing.Do(func() {
		m.exit = exit
		close(m.done)
		for _, p := range []port{m.console, m.control, m.nic} {
			p.its.Close()
		}
	})
}

// Close ends the machine, if it still runs, and releases what it holds.
func (m *Machine) Close() {
	m.Kill()
	for _, p := range []port{m.console, m.control, m.nic} {
		p.ours.Close()
	}
	m.tasks.Wait()
}
