package lan

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These tests run on Unix sockets, as QEMU does. They wait for the next event,
// never for a time to pass.

const deadline = 30 * time.Minute // for an event that comes at once or not at all

// socketPair returns both ends of a stream.
func socketPair(t testing.TB) (ends [2]*os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, fd := range fds {
		ends[i] = os.NewFile(uintptr(fd), "socket pair")
		t.Cleanup(func() { ends[i].Close() })
	}
	return ends
}

func fileConn(t testing.TB, f *os.File) net.Conn {
	t.Helper()
	conn, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	f.Close() // FileConn duplicated it
	t.Cleanup(func() { conn.Close() })
	return conn
}

// connect adds a port with a peer over a socket pair.
func connect(t testing.TB, n *Network, name string) *peer {
	t.Helper()
	ends := socketPair(t)
	port, err := n.Attach(name, fileConn(t, ends[0]))
	if err != nil {
		t.Fatal(err)
	}
	conn := fileConn(t, ends[1])
	conn.SetDeadline(time.Now().Add(deadline))
	return &peer{t, conn, bufio.NewReader(conn), port}
}

// announce broadcasts from station, until the others have it.
func (p *peer) announce(station byte, others ...*peer) {
	p.t.Helper()
	p.send(frame(0xff, station, "here"))
	for _, o := range others {
		o.wants(frame(0xff, station, "here"))
	}
}

// TestReboot: a peer that returns gets a new port of the same name.
func TestReboot(t *testing.T) {
	n := New("lan")
	defer closed(t, n)
	alice := connect(t, n, "alice")
	for life := range 3 {
		bob := connect(t, n, "bob")
		bob.announce(2, alice)
		alice.send(frame(2, 1, fmt.Sprint("life ", life)))
		bob.wants(frame(2, 1, fmt.Sprint("life ", life)))
		bob.conn.Close()
		bob.port.Close()
		if got := n.Table(); len(got) != 1 || got[0].Port != "alice" {
			t.Errorf("table is %+v without bob, want alice's station", got)
		}
	}
}

func TestCorruptLength(t *testing.T) {
	n := New("lan")
	defer closed(t, n)
	alice, bob, carol := connect(t, n, "alice"), connect(t, n, "bob"), connect(t, n, "carol")
	bob.announce(2, alice, carol)

	alice.conn.Write(append(record(frame(2, 1, "sound")), "garbage, and more"...))
	bob.wants(frame(2, 1, "sound"))
	if f, err := alice.receive(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %q, %v after a corrupt length, want a closed connection", f, err)
	}
	alice.port.done.Wait()
	if err := alice.port.Err(); !lostPlace(err) || !strings.Contains(err.Error(), "alice") {
		t.Errorf("reason is %v, want alice's protocol", err)
	}
	carol.send(frame(2, 3, "unaffected"))
	bob.wants(frame(2, 3, "unaffected"))
}

func TestInvalidFrames(t *testing.T) {
	n := New("lan")
	defer closed(t, n)
	alice, bob := connect(t, n, "alice"), connect(t, n, "bob")
	longest := frame(2, 1, strings.Repeat("x", maxFrame-minFrame))
	alice.send([]byte{}, frame(2, 1, "")[:13], append(bytes.Clone(longest), 'x'), frame(2, 1, ""), longest)
	bob.wants(frame(2, 1, ""), longest)
	alice.conn.Close()
	alice.port.done.Wait()
	if got := alice.port.Counters(); got.Invalid != 3 || got.RxFrames != 2 || got.RxBytes != minFrame+maxFrame {
		t.Errorf("alice counted %+v, want 3 invalid and 2 received", got)
	}
}

// TestStoppedGuest: a peer that does not read loses what its queue cannot hold,
// and the others do not notice.
func TestStoppedGuest(t *testing.T) {
	n := New("lan")
	defer closed(t, n)
	alice, bob, stopped := connect(t, n, "alice"), connect(t, n, "bob"), connect(t, n, "stopped")
	bob.announce(2, alice, stopped)

	flood := strings.Repeat("z", 60000)
	const frames = 200 // 12 MB; a socket and a queue hold far less
	for i := range frames {
		f := frame(0xff, 1, fmt.Sprintf("%08d %s", i, flood))
		alice.send(f)
		bob.wants(f)
	}
	// The switch is done with one frame before it takes the next.
	alice.send(frame(2, 1, "done"))
	bob.wants(frame(2, 1, "done"))
	dropped := stopped.port.Counters().Dropped
	if dropped == 0 || dropped == frames {
		t.Fatalf("%d of %d frames dropped for a peer that does not read, want some", dropped, frames)
	}
	if got := bob.port.Counters(); got.Dropped != 0 {
		t.Errorf("bob counted %+v, want nothing dropped", got)
	}

	// Once it reads again it gets the others in order, and all that come now.
	previous := -1
	for range frames - dropped {
		f, err := stopped.receive()
		if err != nil {
			t.Fatal(err)
		}
		var i int
		if _, err := fmt.Sscanf(string(f[minFrame:]), "%d", &i); err != nil || i <= previous {
			t.Fatalf("frame %d after frame %d (%v)", i, previous, err)
		}
		previous = i
	}
	alice.send(frame(0xff, 1, "last"))
	stopped.wants(frame(0xff, 1, "last"))
}

// TestCloseWhileBusy closes a network whose every peer sends and does not read.
// Close waits for the goroutines by a WaitGroup, so its return is the proof.
func TestCloseWhileBusy(t *testing.T) {
	n := New("lan")
	const peers, enough = 4, 5000 // 7 MB from each; a socket and a queue hold far less
	busy, done := make(chan bool), make(chan bool)
	for i := range peers {
		p := connect(t, n, fmt.Sprint("p", i))
		go func() {
			defer func() { done <- true }()
			f := record(frame(0xff, byte(i), strings.Repeat("b", 1400)))
			for sent := 0; ; sent++ {
				if sent == enough {
					busy <- true
				}
				if _, err := p.conn.Write(f); err != nil {
					if sent < enough {
						t.Errorf("write %d: %v", sent, err)
						busy <- true
					}
					return
				}
			}
		}()
	}
	for range peers {
		<-busy
	}
	ports := n.Ports()
	closed(t, n)
	for range peers {
		<-done
	}
	for _, p := range ports {
		if err := p.Err(); err != nil {
			t.Errorf("%s ended with %v", p.Name(), err)
		}
		if p.Counters().Dropped == 0 {
			t.Errorf("%s dropped nothing: it was not busy", p.Name())
		}
	}
}

// TestWriteFailure: the reason is kept when it is the sending that fails.
func TestWriteFailure(t *testing.T) {
	n := New("lan")
	defer closed(t, n)
	alice := connect(t, n, "alice")
	ends := socketPair(t)
	noBuffers := os.NewSyscallError("write", syscall.ENOBUFS)
	port, err := n.Attach("broken", failingWriter{fileConn(t, ends[0]), noBuffers})
	if err != nil {
		t.Fatal(err)
	}
	alice.send(frame(0xff, 1, "x"))
	port.done.Wait()
	if got := port.Err(); !errors.Is(got, noBuffers) {
		t.Errorf("reason is %v, want %v", got, noBuffers)
	}
	if got := port.Counters(); got.Lost != 1 || got.TxFrames != 0 {
		t.Errorf("counted %+v, want 1 lost", got)
	}
}

type failingWriter struct {
	net.Conn
	err error
}

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }
