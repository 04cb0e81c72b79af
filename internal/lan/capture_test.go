package lan

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
)

func TestCapture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New("lan")
		a, b, c := attach(t, n, "a"), attach(t, n, "b"), attach(t, n, "c")
		var file bytes.Buffer
		capture, err := n.Capture(&file, nil)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		a.send(frame(0xff, 1, "broadcast"))
		b.wants(frame(0xff, 1, "broadcast"))
		c.wants(frame(0xff, 1, "broadcast"))
		time.Sleep(1234567 * time.Nanosecond)
		b.send(frame(1, 2, "answer"), frame(2, 2, "to itself"))
		a.wants(frame(1, 2, "answer"))
		if err := capture.Close(); err != nil {
			t.Fatal(err)
		}
		b.send(frame(0xff, 2, "after the capture"))
		c.wants(frame(0xff, 2, "after the capture"))

		r, err := pcapgo.NewNgReader(&file, pcapgo.DefaultNgReaderOptions)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []struct {
			port  string
			at    time.Duration
			frame []byte
		}{
			{"a", 0, frame(0xff, 1, "broadcast")},
			{"b", 1234567, frame(1, 2, "answer")},
			{"b", 1234567, frame(2, 2, "to itself")},
		} {
			got, info, err := r.ReadPacketData()
			if err != nil {
				t.Fatal(err)
			}
			port, err := r.Interface(info.InterfaceIndex)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want.frame) || port.Name != want.port || !info.Timestamp.Equal(began.Add(want.at)) {
				t.Errorf("captured %q from %s at %v, want %q from %s at %v", got, port.Name, info.Timestamp.Sub(began), want.frame, want.port, want.at)
			}
		}
		if _, _, err := r.ReadPacketData(); err != io.EOF {
			t.Errorf("after the last frame: %v, want EOF", err)
		}
		closed(t, n)
	})
}

func TestEmptyCapture(t *testing.T) {
	n := New("lan")
	var file bytes.Buffer
	if _, err := n.Capture(&file, nil); err != nil {
		t.Fatal(err)
	}
	closed(t, n) // closes the capture
	r, err := pcapgo.NewNgReader(&file, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatalf("a capture of nothing is no pcapng file: %v", err)
	}
	if _, _, err := r.ReadPacketData(); err != io.EOF {
		t.Errorf("read of an empty capture: %v, want EOF", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// TestStuckCapture: the switch outruns a writer that hangs, and says what is missing.
func TestStuckCapture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New("lan")
		a, b := attach(t, n, "a"), attach(t, n, "b")
		release := make(chan struct{})
		var file bytes.Buffer
		capture, err := n.Capture(writerFunc(func(p []byte) (int, error) {
			<-release
			return file.Write(p)
		}), nil)
		if err != nil {
			t.Fatal(err)
		}
		big := frame(0xff, 1, string(make([]byte, 60000)))
		const frames = 3 * captureLimit / 60000
		for range frames {
			a.send(big)
			b.wants(big)
		}
		if capture.Dropped() == 0 {
			t.Error("nothing was dropped for a writer that hangs")
		}
		close(release)
		if err := capture.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := pcapgo.NewNgReader(&file, pcapgo.DefaultNgReaderOptions)
		if err != nil {
			t.Fatal(err)
		}
		written := uint64(0)
		for {
			if _, _, err := r.ReadPacketData(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			written++
		}
		if written+capture.Dropped() != frames {
			t.Errorf("%d written and %d dropped of %d", written, capture.Dropped(), frames)
		}
		closed(t, n)
	})
}

func TestFailingCapture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New("lan")
		a, b := attach(t, n, "a"), attach(t, n, "b")
		full := errors.New("no space left on device")
		capture, err := n.Capture(writerFunc(func([]byte) (int, error) { return 0, full }), nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			a.send(frame(0xff, 1, "x"))
			b.wants(frame(0xff, 1, "x"))
			synctest.Wait()
		}
		if got := capture.Dropped(); got < 9 { // the first may sit in the file's buffer
			t.Errorf("dropped %d of 10, want at least 9", got)
		}
		for range 2 {
			if err := capture.Close(); !errors.Is(err, full) {
				t.Errorf("close: %v, want %v", err, full)
			}
		}
		closed(t, n)
	})
}

// TestFullCapture: a storm ends the capture, which stays a whole file, and not the network.
func TestFullCapture(t *testing.T) {
	t.Parallel()
	for name, storm := range map[string]struct {
		payload int
		keeps   func(packets, bytes int) bool
	}{
		"of small frames": {10, func(packets, _ int) bool { return packets == CapturePackets }},
		"of large frames": {60000, func(packets, bytes int) bool {
			return packets < CapturePackets && bytes <= CaptureBytes+1<<10 && bytes > CaptureBytes-1<<17
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := New("lan")
			a, b := attach(t, n, "a"), attach(t, n, "b")
			file, err := os.Create(filepath.Join(t.TempDir(), "full.pcap")) // 64 MB: in memory the race detector makes them 300
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			told := 0
			capture, err := n.Capture(file, func() { told++ })
			if err != nil {
				t.Fatal(err)
			}
			loop := frame(0xff, 1, string(make([]byte, storm.payload)))
			sent := 0
			for ; capture.Dropped() < 3; sent++ {
				capture.add(a.port, record(loop), 1, time.Now())
				if sent%100 == 0 {
					capture.caughtUp(t)
				}
			}
			a.send(loop)
			b.wants(loop)
			sent++
			if err := capture.Close(); err != nil {
				t.Fatal(err)
			}
			size, err := file.Seek(0, io.SeekEnd)
			if err != nil {
				t.Fatal(err)
			}
			packets, err := ReadPackets(io.NewSectionReader(file, 0, size))
			if err != nil || !storm.keeps(len(packets), int(size)) || told != 1 || len(packets)+int(capture.Dropped()) != sent {
				t.Errorf("%d packets in %d bytes and %d dropped of %d, told %d times, %v", len(packets), size, capture.Dropped(), sent, told, err)
			}
			closed(t, n)
		})
	}
}

// caughtUp waits until the writer has taken what it was given.
func (c *Capture) caughtUp(t *testing.T) {
	for t.Context().Err() == nil {
		c.mu.Lock()
		waits := len(c.pending)
		c.mu.Unlock()
		if waits == 0 {
			return
		}
		runtime.Gosched()
	}
}
