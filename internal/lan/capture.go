package lan

import (
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

const (
	// captureLimit bounds the bytes of records that wait for a capture's writer.
	captureLimit = 8 << 20
	// CapturePackets and CaptureBytes are what a capture holds at most: a loop of
	// bridges sends thousands of frames a second for as long as it is left alone. The
	// first packets are kept and not the last, so that what a mission has counted stays
	// where it was.
	CapturePackets = 100_000
	CaptureBytes   = 64 << 20
	// frameBlock is what pcapng puts around a frame, in bytes, and blockHead a block's
	// type and length, with which each begins.
	frameBlock, blockHead = 32, 8
)

// A Capture writes what crosses a network to a pcapng file. Its methods may be
// called from any goroutine.
type Capture struct {
	network *Network
	wake    chan struct{} // holds one token when the writer should look again
	done    sync.WaitGroup
	close   func() error
	newest  newest

	mu      sync.Mutex
	pending []captured // guarded by mu, as all below
	data    []byte     // the records of pending, end to end
	packets uint64     // that were taken into the capture
	bytes   uint64     // what they take in the file
	full    bool
	dropped uint64
	closed  bool
}

// captured is a run of records that came in by one port at one time.
type captured struct {
	port   string
	at     time.Time
	frames uint64
}

// Capture begins to write every frame the switch accepts to w, once, with the
// time of its arrival and the port it came in by as the pcapng interface. The
// network never waits for w: what w is too slow for, or comes after it failed, is
// counted and left out, and so is all that comes when it holds CapturePackets or
// CaptureBytes: then onFull (nil: nobody) is called, once; it may not close the
// capture. Close the capture before w; a network closes its captures with itself. It
// fails when the network is closed.
func (n *Network) Capture(w io.Writer, onFull func()) (*Capture, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, fmt.Errorf("capture %s: %w", n.name, net.ErrClosed)
	}
	c := &Capture{network: n, wake: make(chan struct{}, 1)}
	var failed error
	c.done.Go(func() { failed = c.write(w, onFull) })
	c.close = sync.OnceValue(func() error {
		c.stop()
		c.done.Wait()
		return failed
	})
	captures := append(slices.Clone(*n.captures.Load()), c)
	n.captures.Store(&captures)
	return c, nil
}

// Dropped returns the number of frames left out because w was too slow or failed, or
// the capture was full.
func (c *Capture) Dropped() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// Close ends the capture, writes what waits, and returns the first error of w. It
// takes as long as w does. Closing again returns the same.
func (c *Capture) Close() error { return c.close() }

// stop takes the capture off its network and tells the writer to finish.
func (c *Capture) stop() {
	n := c.network
	n.mu.Lock()
	captures := slices.DeleteFunc(slices.Clone(*n.captures.Load()), func(o *Capture) bool { return o == c })
	n.captures.Store(&captures)
	n.mu.Unlock()

	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.signal()
}

func (c *Capture) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// add queues a copy of run for the writer.
func (c *Capture) add(from *Port, run []byte, frames uint64, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	size := uint64(len(run)) + frames*(frameBlock-headerSize)
	if !c.full && (c.packets+frames > CapturePackets || c.bytes+size > CaptureBytes) {
		c.full = true
		c.signal()
	}
	if c.full || len(c.data)+len(run) > captureLimit {
		c.dropped += frames
		c.newest.miss(frames)
		return
	}
	c.packets += frames
	c.bytes += size
	c.pending = append(c.pending, captured{from.name, now, frames})
	c.data = append(c.data, run...)
	c.signal()
}

// take exchanges what waits for the emptied slices of the last batch.
func (c *Capture) take(pending []captured, data []byte) (_ []captured, _ []byte, full, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, d := c.pending, c.data
	c.pending, c.data = pending[:0], data[:0]
	return p, d, c.full, c.closed
}

// write is the writer: it empties the queue until the capture is closed, and
// flushes whenever it has caught up, so that a file can be read as it grows.
func (c *Capture) write(w io.Writer, onFull func()) error {
	out := captureFile{w: w, network: c.network.name, interfaces: make(map[string]int)}
	var (
		pending []captured
		data    []byte
		full    bool
		closed  bool
		failed  error
	)
	for {
		pending, data, full, closed = c.take(pending, data)
		rest, missing := data, uint64(0)
		for _, p := range pending {
			for range p.frames {
				if failed == nil {
					size := recordSize(rest)
					failed = out.frame(p, rest[headerSize:size])
					if failed == nil {
						c.newest.add(p, rest[headerSize:size])
					}
					rest = rest[size:]
				}
				if failed != nil {
					missing++
				}
			}
		}
		if missing > 0 {
			c.drop(missing)
		}
		if failed == nil && (len(pending) > 0 || closed) {
			failed = out.flush()
		}
		if full && onFull != nil {
			onFull()
			onFull = nil
		}
		if closed {
			if failed != nil {
				return fmt.Errorf("capture %s: %w", c.network.name, failed)
			}
			return nil
		}
		<-c.wake
	}
}

func (c *Capture) drop(frames uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropped += frames
	c.newest.miss(frames)
}

// A captureFile is a pcapng file with an interface for each port seen so far.
type captureFile struct {
	w          io.Writer
	network    string
	pcap       *pcapgo.NgWriter // nil until the first interface is known
	interfaces map[string]int
}

func (f *captureFile) frame(p captured, data []byte) error {
	id, ok := f.interfaces[p.port]
	if !ok {
		var err error
		if id, err = f.add(p.port); err != nil {
			return err
		}
		f.interfaces[p.port] = id
	}
	return f.pcap.WritePacket(gopacket.CaptureInfo{
		Timestamp: p.at, CaptureLength: len(data), Length: len(data), InterfaceIndex: id,
	}, data)
}

// add begins the file, if need be, and adds an interface.
func (f *captureFile) add(name string) (id int, err error) {
	description := pcapgo.NgInterface{
		Name: name, Description: "network " + f.network, LinkType: layers.LinkTypeEthernet,
	}
	if f.pcap != nil {
		return f.pcap.AddInterface(description)
	}
	options := pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "labrun"}}
	f.pcap, err = pcapgo.NewNgWriterInterface(f.w, description, options)
	return 0, err
}

// flush makes the file whole: with no frame yet it still gets its header.
func (f *captureFile) flush() error {
	if f.pcap == nil {
		if _, err := f.add(f.network); err != nil {
			return err
		}
	}
	return f.pcap.Flush()
}
