package lan

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// The benchmarks send frames of one size from one Unix socket to another, through
// the switch, through QEMU's own hub, and through nothing but the kernel. A last one
// only copies memory. "single" writes frame by frame, as QEMU does for a guest;
// "burst" writes 64 KiB at a time, which shows what the forwarding itself costs.

var frameSizes = []int{64, 1500, 64 << 10}

// eachLoad runs bench for every size and way of writing; burst is in frames.
func eachLoad(b *testing.B, bench func(b *testing.B, size, burst int)) {
	for _, size := range frameSizes {
		b.Run(fmt.Sprintf("single/%d", size), func(b *testing.B) { bench(b, size, 1) })
		if burst := (64 << 10) / size; burst > 1 {
			b.Run(fmt.Sprintf("burst/%d", size), func(b *testing.B) { bench(b, size, burst) })
		}
	}
}

func BenchmarkSwitch(b *testing.B) {
	eachLoad(b, func(b *testing.B, size, burst int) {
		n := New("lan")
		defer n.Close()
		from, to := connect(b, n, "sender"), connect(b, n, "receiver")
		to.announce(2, from)
		if err := stream(b, from.conn, to.conn, size, burst); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(to.port.Counters().Dropped), "dropped")
	})
}

// BenchmarkRoundTrip is one frame to and fro: latency, where batches do not help.
func BenchmarkRoundTrip(b *testing.B) {
	n := New("lan")
	defer n.Close()
	one, other := connect(b, n, "one"), connect(b, n, "other")
	other.announce(2, one)
	roundTrips(b, one.conn, other.conn)
}

// BenchmarkQEMUHub measures the same through a QEMU that does nothing but forward.
func BenchmarkQEMUHub(b *testing.B) {
	hub := func(b *testing.B) (from, to net.Conn) {
		qemu, err := exec.LookPath("qemu-system-x86_64")
		if err != nil {
			b.Skip("no QEMU to compare with")
		}
		args := []string{"-machine", "none", "-nodefaults", "-display", "none"}
		var (
			conns     []net.Conn
			inherited []*os.File
		)
		for i := range 2 {
			ends := socketPair(b)
			conns, inherited = append(conns, fileConn(b, ends[0])), append(inherited, ends[1])
			args = append(args,
				"-netdev", fmt.Sprintf("stream,id=s%d,addr.type=fd,addr.str=%d", i, 3+i),
				"-netdev", fmt.Sprintf("hubport,id=h%d,hubid=0,netdev=s%d", i, i))
		}
		cmd := exec.Command(qemu, args...)
		cmd.ExtraFiles = inherited
		start(b, cmd)
		b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		await(b, conns[0], conns[1])
		return conns[0], conns[1]
	}
	eachLoad(b, func(b *testing.B, size, burst int) {
		from, to := hub(b)
		if err := stream(b, from, to, size, burst); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("RoundTrip", func(b *testing.B) {
		from, to := hub(b)
		roundTrips(b, from, to)
	})
}

// await returns when frames pass from one end to the other and none is on the way.
// QEMU brings its two connections up one after the other, and loses what comes
// before, so numbered probes are sent until one arrives.
func await(b *testing.B, from, to net.Conn) {
	b.Helper()
	r := &peer{t: b, conn: to, r: bufio.NewReader(to)}
	for last := range byte(100) {
		if _, err := from.Write(record(frame(0xff, 1, string([]byte{last})))); err != nil {
			b.Fatal(err)
		}
		to.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		f, err := r.receive()
		for err == nil && f[minFrame] != last {
			f, err = r.receive()
		}
		if err == nil {
			return
		}
	}
	b.Fatal("no frame passed")
}

// BenchmarkSocket is the kernel's part: one Unix socket, no switch.
func BenchmarkSocket(b *testing.B) {
	eachLoad(b, func(b *testing.B, size, burst int) {
		ends := socketPair(b)
		if err := stream(b, fileConn(b, ends[0]), fileConn(b, ends[1]), size, burst); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkCopy is the limit of memory: each frame copied once.
func BenchmarkCopy(b *testing.B) {
	for _, size := range frameSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			from, to := make([]byte, 8<<20), make([]byte, 8<<20) // beyond the second-level cache
			at := 0
			for b.Loop() {
				copy(to[at:at+size], from[at:])
				if at += size; at+size > len(from) {
					at = 0
				}
			}
			rate(b, b.N, size)
		})
	}
}

// stream sends b.N frames at full speed. It keeps at most a window on the way, as
// TCP would, so that the figure is of frames forwarded and not of frames dropped.
// It fails when a frame is lost after all, rather than wait for it for ever.
func stream(b *testing.B, from, to net.Conn, size, burst int) error {
	b.Helper()
	const (
		window  = 256 << 10
		silence = 10 * time.Second
	)
	from.SetDeadline(time.Time{})
	to.SetDeadline(time.Time{})
	rec := record(frame(2, 1, string(make([]byte, size-minFrame))))
	var out []byte
	for range burst {
		out = append(out, rec...)
	}
	var (
		mu       sync.Mutex
		moved    = sync.NewCond(&mu)
		received int
		failed   error
	)
	b.ReportAllocs()
	b.ResetTimer()
	var receiver sync.WaitGroup
	receiver.Go(func() {
		buf := make([]byte, 256<<10)
		for left := b.N * len(rec); left > 0; {
			to.SetReadDeadline(time.Now().Add(silence))
			n, err := to.Read(buf[:min(left, len(buf))])
			mu.Lock()
			left -= n
			received += n
			failed = err
			moved.Signal()
			mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	for sent, total := 0, b.N*len(rec); sent < total; {
		mu.Lock()
		for sent-received > window && failed == nil {
			moved.Wait()
		}
		lost := failed != nil
		mu.Unlock()
		if lost {
			break
		}
		from.SetWriteDeadline(time.Now().Add(silence))
		n, err := from.Write(out[:min(len(out), total-sent)])
		if err != nil {
			to.Close()
			receiver.Wait()
			return err
		}
		sent += n
	}
	receiver.Wait()
	b.StopTimer()
	if failed != nil {
		return fmt.Errorf("receive: %d of %d bytes arrived: %w", received, b.N*len(rec), failed)
	}
	rate(b, b.N, size)
	return nil
}

// roundTrips sends one small frame to and fro, b.N times.
func roundTrips(b *testing.B, one, other net.Conn) {
	b.Helper()
	one.SetDeadline(time.Now().Add(deadline))
	other.SetDeadline(time.Now().Add(deadline))
	there, back := record(frame(2, 1, string(make([]byte, 50)))), record(frame(1, 2, string(make([]byte, 50))))
	var echo sync.WaitGroup
	echo.Go(func() {
		buf := make([]byte, len(there))
		for range b.N {
			if _, err := io.ReadFull(other, buf); err != nil {
				return
			}
			other.Write(back)
		}
	})
	b.ResetTimer()
	buf := make([]byte, len(back))
	for range b.N {
		one.Write(there)
		if _, err := io.ReadFull(one, buf); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	echo.Wait()
}

func rate(b *testing.B, frames, size int) {
	seconds := b.Elapsed().Seconds()
	b.ReportMetric(float64(frames)/seconds, "frames/s")
	b.ReportMetric(float64(frames)*float64(size)*8/1e9/seconds, "Gbit/s")
}
