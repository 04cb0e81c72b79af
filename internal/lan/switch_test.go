package lan

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// These tests run in synctest bubbles: time is the bubble's, so that delays and
// ageing are exact and a silence of a second costs nothing.

// A peer speaks the wire format by its own code, not the package's.
type peer struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	port *Port
}

// attach adds a port with a peer over a synchronous pipe.
func attach(t testing.TB, n *Network, name string) *peer {
	t.Helper()
	ours, theirs := net.Pipe()
	port, err := n.Attach(name, theirs)
	if err != nil {
		t.Fatal(err)
	}
	return &peer{t, ours, bufio.NewReader(ours), port}
}

// frame makes a frame from station src to station dst; 0xff is broadcast.
func frame(dst, src byte, payload string) []byte {
	f := []byte{0x52, 0x55, 0, 0, 0, dst, 0x52, 0x55, 0, 0, 0, src, 0x88, 0xb5}
	if dst == 0xff {
		copy(f, bytes.Repeat([]byte{0xff}, 6))
	}
	return append(f, payload...)
}

func record(f []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(f))), f...)
}

func (p *peer) send(frames ...[]byte) {
	p.t.Helper()
	var out []byte
	for _, f := range frames {
		out = append(out, record(f)...)
	}
	if _, err := p.conn.Write(out); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

func (p *peer) receive() ([]byte, error) {
	var size uint32
	if err := binary.Read(p.r, binary.BigEndian, &size); err != nil {
		return nil, err
	}
	f := make([]byte, size)
	_, err := io.ReadFull(p.r, f)
	return f, err
}

func (p *peer) wants(frames ...[]byte) {
	p.t.Helper()
	p.conn.SetReadDeadline(time.Now().Add(time.Minute))
	for _, want := range frames {
		got, err := p.receive()
		if err != nil {
			p.t.Fatalf("%s: waiting for %q: %v", p.port.Name(), want[minFrame:], err)
		}
		if !bytes.Equal(got, want) {
			p.t.Fatalf("%s: got %q, want %q", p.port.Name(), got, want)
		}
	}
}

func (p *peer) wantsSilence() {
	p.t.Helper()
	p.conn.SetReadDeadline(time.Now().Add(time.Second))
	if f, err := p.receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Fatalf("%s: got %q, %v, want silence", p.port.Name(), f, err)
	}
}

func TestForwarding(t *testing.T) {
	type hop struct {
		from     int
		dst, src byte
		to       []int // the ports that get the frame
	}
	for _, test := range []struct {
		name string
		hops []hop
	}{
		{"broadcast reaches all others", []hop{{0, 0xff, 1, []int{1, 2}}}},
		{"unknown is flooded", []hop{{0, 2, 1, []int{1, 2}}}},
		{"known goes to one port", []hop{{1, 0xff, 2, []int{0, 2}}, {0, 2, 1, []int{1}}, {1, 1, 2, []int{0}}}},
		{"broadcast stays one after learning", []hop{{1, 0xff, 2, []int{0, 2}}, {0, 0xff, 1, []int{1, 2}}}},
		{"neighbours behind one port", []hop{{0, 0xff, 1, []int{1, 2}}, {0, 1, 2, nil}}},
		{"a station that moved", []hop{{1, 0xff, 2, []int{0, 2}}, {2, 0xff, 2, []int{0, 1}}, {0, 2, 1, []int{2}}}},
		{"stations behind one port", []hop{{1, 0xff, 2, []int{0, 2}}, {1, 0xff, 3, []int{0, 2}}, {0, 2, 1, []int{1}}, {0, 3, 1, []int{1}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := New("lan")
				peers := []*peer{attach(t, n, "a"), attach(t, n, "b"), attach(t, n, "c")}
				for i, h := range test.hops {
					f := frame(h.dst, h.src, fmt.Sprint("hop ", i))
					peers[h.from].send(f)
					for _, to := range h.to {
						peers[to].wants(f)
					}
					for _, p := range peers {
						p.wantsSilence()
					}
				}
				closed(t, n)
			})
		})
	}
}

// closed closes a network; that no goroutine outlives it is checked by the
// bubble, which waits for all of them and knows a deadlock.
func closed(t testing.TB, n *Network) {
	t.Helper()
	if err := n.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// TestBurst sends runs of mixed destinations in one write: each peer gets its own
// frames, in order.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New("lan")
		a, b, c := attach(t, n, "a"), attach(t, n, "b"), attach(t, n, "c")
		b.send(frame(0xff, 2, ""))
		a.wants(frame(0xff, 2, ""))
		c.wants(frame(0xff, 2, ""))
		c.send(frame(0xff, 3, ""))
		a.wants(frame(0xff, 3, ""))
		b.wants(frame(0xff, 3, ""))

		var all, toB, toC [][]byte
		for i := range 300 {
			switch f := frame(2, 1, fmt.Sprintf("%0*d", i, i)); {
			case i%7 == 3:
				f = frame(0xff, 1, fmt.Sprint(i))
				all, toB, toC = append(all, f), append(toB, f), append(toC, f)
			case i%5 == 1:
				f[5] = 3
				all, toC = append(all, f), append(toC, f)
			default:
				all, toB = append(all, f), append(toB, f)
			}
		}
		a.send(all...)
		b.wants(toB...)
		c.wants(toC...)
		b.wantsSilence()
		c.wantsSilence()
		got := a.port.Counters()
		var size uint64
		for _, f := range all {
			size += uint64(len(f))
		}
		if got.RxFrames != 300 || got.RxBytes != size {
			t.Errorf("a counted %+v, want 300 frames of %d bytes received", got, size)
		}
		if got := b.port.Counters(); got.TxFrames != uint64(len(toB))+1 {
			t.Errorf("b counted %+v, want %d frames sent", got, len(toB)+1)
		}
		closed(t, n)
	})
}

func TestAgeing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New("lan")
		a, b, c := attach(t, n, "a"), attach(t, n, "b"), attach(t, n, "c")
		b.send(frame(0xff, 2, ""))
		a.wants(frame(0xff, 2, ""))
		c.wants(frame(0xff, 2, ""))
		time.Sleep(ageLimit - time.Second)
		if got := n.Table(); len(got) != 1 || got[0].MAC.String() != "52:55:00:00:00:02" || got[0].Port != "b" || got[0].Age != ageLimit-time.Second {
			t.Fatalf("table is %+v, want b's station, 299 s old", got)
		}
		time.Sleep(time.Second)
		if got := n.Table(); len(got) != 0 {
			t.Fatalf("table is %+v after ageing, want none", got)
		}
		a.send(frame(2, 1, "flooded again"))
		b.wants(frame(2, 1, "flooded again"))
		c.wants(frame(2, 1, "flooded again"))
		closed(t, n)
	})
}

func TestTableIsBounded(t *testing.T) {
	n := New("lan")
	p := &Port{name: "a"}
	for i := range mac(2 * tableSize) {
		n.table.route(p, 1, i<<1, 0)
	}
	if got := len(n.table.stations); got != tableSize {
		t.Fatalf("table has %d stations, want %d", got, tableSize)
	}
	n.table.route(p, 1, 0xfffff0, ageLimit)
	if got := len(n.table.stations); got != 1 {
		t.Fatalf("table has %d stations after all aged, want the new one", got)
	}
	n.table.route(p, 1, 0x010000000000, ageLimit)
	if got := len(n.table.stations); got != 1 {
		t.Fatalf("the table learned a group address")
	}
}

// TestPeerLeaves: the stations behind a port are forgotten with its peer.
func TestPeerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New("lan")
		a, b := attach(t, n, "a"), attach(t, n, "b")
		b.send(frame(0xff, 2, ""))
		a.wants(frame(0xff, 2, ""))
		b.conn.Close()
		synctest.Wait()
		if got := n.Table(); len(got) != 0 {
			t.Errorf("table is %+v, want none", got)
		}
		if err := b.port.Err(); err != nil {
			t.Errorf("a peer that left is an error: %v", err)
		}
		a.send(frame(2, 1, "to nobody"))
		synctest.Wait()
		if got := b.port.Counters(); got.Lost != 1 {
			t.Errorf("b counted %+v, want 1 lost", got)
		}
		closed(t, n)
	})
}

func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New("lan")
		a := attach(t, n, "a")
		if _, err := n.Attach("a", nil); err == nil {
			t.Error("two ports of one name")
		}
		a.port.Close()
		if got := n.Ports(); len(got) != 0 {
			t.Errorf("ports are %v after the only one closed", got)
		}
		attach(t, n, "a")
		closed(t, n)
		if _, err := n.Attach("b", nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("attach to a closed network: %v", err)
		}
		if _, err := n.Capture(io.Discard, nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("capture of a closed network: %v", err)
		}
		closed(t, n)
	})
}
