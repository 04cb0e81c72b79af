package lan

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// These tests run on Unix sockets, as QEMU does. They wait for the next event,
// never for a time to pass.

const deadline = time.Minute // for an event that comes at once or not at all

func listenAt(t testing.TB, n *Network, name string) (*Port, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	p, err := n.Listen(name, path)
	if err != nil {
		t.Fatal(err)
	}
	return p, path
}

func dial(t testing.TB, p *Port, path string) *peer {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(deadline))
	return &peer{t, conn, bufio.NewReader(conn), p}
}

// arrived sends from p until the switch knows p's station, so that what was said
// before is done and p is connected for what others send.
func (p *peer) arrived(n *Network, station byte) {
	p.t.Helper()
	p.send(frame(station, station, "here"))
	until(p.t, "the station of "+p.port.Name()+" is learned", func() bool {
		for _, e := range n.Table() {
			if e.Port == p.port.Name() && e.MAC[5] == station {
				return true
			}
		}
		return false
	})
}

// until polls for what has no event to wait on.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	end := time.Now().Add(deadline)
	for !done() {
		if time.Now().After(end) {
			t.Fatalf("after %v not yet: %s", deadline, what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestListenAndReconnect(t *testing.T) {
	n := New("lan")
	defer closed(t, n)
	a, pathA := listenAt(t, n, "a")
	b, pathB := listenAt(t, n, "b")
	if info, err := os.Stat(pathA); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("socket has mode %v, %v, want 0600", info.Mode(), err)
	}
	alice := dial(t, a, pathA)
	alice.arrived(n, 1)
	for life := range 3 {
		bob := dial(t, b, pathB)
		bob.arrived(n, 2)
		alice.wants(frame(2, 2, "here"))
		alice.send(frame(2, 1, fmt.Sprint("life ", life)))
		bob.wants(frame(2, 1, fmt.Sprint("life ", life)))
		bob.conn.Close()
		until(t, "b's station is forgotten", func() bool { return len(n.Table()) == 1 })
	}
}

// TestOnePeerAtATime: a second peer is served after the first left.
func TestOnePeerAtATime(t *testing.T) {
	n := New("lan")
	defer closed(t, n)
	a, pathA := listenAt(t, n, "a")
	b, pathB := listenAt(t, n, "b")
	other := dial(t, b, pathB)
	other.arrived(n, 2)
	first := dial(t, a, pathA)
	first.arrived(n, 1)
	other.wants(frame(1, 1, "here"))
	second := dial(t, a, pathA)
	second.send(frame(0xff, 3, "not yet"))
	other.send(frame(1, 2, "to the first"))
	first.wants(frame(1, 2, "to the first"))
	for _, e := range n.Table() {
		if e.MAC[5] == 3 {
			t.Error("the second peer was served beside the first")
		}
	}
	first.conn.Close()
	other.wants(frame(0xff, 3, "not yet"))
}

func TestCorruptLength(t *testing.T) {
	n := New("lan")
	defer closed(t, n)
	a, pathA := listenAt(t, n, "a")
	b, pathB := listenAt(t, n, "b")
	c, pathC := listenAt(t, n, "c")
	alice, bob, carol := dial(t, a, pathA), dial(t, b, pathB), dial(t, c, pathC)
	bob.arrived(n, 2)
	carol.arrived(n, 3)
	bob.wants(frame(3, 3, "here"))

	alice.conn.Write(append(record(frame(2, 1, "sound")), "garbage, and more"...))
	bob.wants(frame(2, 1, "sound"))
	for ended := false; !ended; { // greetings may come before
		_, err := alice.receive()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the corrupt connection was not closed")
		}
		ended = err != nil
	}
	var framing *FramingError
	until(t, "the reason is known", func() bool { return a.Err() != nil })
	if err := a.Err(); !errors.As(err, &framing) {
		t.Errorf("reason is %v, want a FramingError", err)
	}
	carol.send(frame(2, 3, "unaffected"))
	bob.wants(frame(2, 3, "unaffected"))

	again := dial(t, a, pathA)
	again.arrived(n, 1)
	if err := a.Err(); err != nil {
		t.Errorf("the next connection still has the error %v", err)
	}
}

func TestInvalidFrames(t *testing.T) {
	n := New("lan")
	defer closed(t, n)
	a, pathA := listenAt(t, n, "a")
	b, pathB := listenAt(t, n, "b")
	alice, bob := dial(t, a, pathA), dial(t, b, pathB)
	bob.arrived(n, 2)
	longest := frame(2, 1, strings.Repeat("x", maxFrame-minFrame))
	alice.send([]byte{}, frame(2, 1, "")[:13], append(bytes.Clone(longest), 'x'), frame(2, 1, ""), longest)
	bob.wants(frame(2, 1, ""), longest)
	if got := a.Counters(); got.Invalid != 3 || got.RxFrames != 2 {
		t.Errorf("a counted %+v, want 3 invalid and 2 received", got)
	}
}

// TestStoppedGuest: a peer that does not read loses what its queue cannot hold,
// and the others do not notice.
func TestStoppedGuest(t *testing.T) {
	n := New("lan")
	defer closed(t, n)
	a, pathA := listenAt(t, n, "a")
	b, pathB := listenAt(t, n, "b")
	s, pathS := listenAt(t, n, "stopped")
	alice, bob, stopped := dial(t, a, pathA), dial(t, b, pathB), dial(t, s, pathS)
	bob.arrived(n, 2)
	stopped.arrived(n, 3)
	bob.wants(frame(3, 3, "here"))

	flood := bytes.Repeat([]byte("z"), 60000)
	const frames = 200 // 12 MB, a socket and a queue hold far less
	for i := range frames {
		f := frame(0xff, 1, fmt.Sprint(i, string(flood)))
		alice.send(f)
		bob.wants(f)
	}
	until(t, "every frame is sent, queued or dropped", func() bool { return s.Counters().Dropped > 0 })
	if got := b.Counters(); got.Dropped != 0 {
		t.Errorf("b counted %+v, want nothing dropped", got)
	}

	// Once it reads again, what it gets is in order and ends with what comes now.
	last := frame(3, 1, "last")
	received, previous := 0, -1
	go func() {
		// The queue has room again only some time after reading began.
		for range 1000 {
			if _, err := alice.conn.Write(record(last)); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	for {
		f, err := stopped.receive()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(f, last) {
			break
		}
		i := -1
		fmt.Sscanf(string(f[minFrame:]), "%d", &i)
		if i <= previous {
			continue // bob's greeting
		}
		received, previous = received+1, i
	}
	if received == 0 || received == frames {
		t.Errorf("the stopped guest received %d of %d frames, want some", received, frames)
	}
}

// TestCloseWhileBusy closes a network whose every peer sends and does not read.
// Close waits for the goroutines by a WaitGroup, so its return is the proof.
func TestCloseWhileBusy(t *testing.T) {
	n := New("lan")
	var paths []string
	done := make(chan struct{})
	for i := range 4 {
		p, path := listenAt(t, n, fmt.Sprint("p", i))
		paths = append(paths, path)
		c := dial(t, p, path)
		c.arrived(n, byte(i))
		go func() {
			defer func() { done <- struct{}{} }()
			for {
				if _, err := c.conn.Write(record(frame(0xff, byte(i), strings.Repeat("b", 1400)))); err != nil {
					return
				}
			}
		}()
	}
	until(t, "a queue is full", func() bool { return n.Ports()[0].Counters().Dropped > 0 })
	ports := n.Ports()
	closed(t, n)
	for range 4 {
		<-done
	}
	for i, path := range paths {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("socket %s is still there: %v", path, err)
		}
		if err := ports[i].Err(); err != nil {
			t.Errorf("%s ended with %v", ports[i].Name(), err)
		}
	}
}

func TestListenErrors(t *testing.T) {
	n := New("lan")
	defer closed(t, n)
	_, path := listenAt(t, n, "a")
	if _, err := n.Listen("a", path+"2"); err == nil {
		t.Error("two ports of one name")
	}
	if _, err := os.Stat(path + "2"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the refused port left its socket: %v", err)
	}
	if _, err := n.Listen("b", path); err == nil {
		t.Error("two ports at one path")
	}
	if _, err := n.Listen("b", filepath.Join(t.TempDir(), strings.Repeat("long", 30))); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("a path too long for a socket: %v, want advice", err)
	}
}
