package lab

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/labrun/labrun/internal/host"
)

// channel is a serial port whose end is not told before its reason is known, neither to
// who reads nor to who types: a closed port must not be reported where the news is that
// the guest powered off.
type channel struct {
	net.Conn
	failed <-chan struct{}
}

func (c *channel) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		<-c.failed
	}
	return n, err
}

func (c *channel) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		<-c.failed
	}
	return n, err
}

// line is a machine's console port. On a machine that was restored from a
// template, what was recorded of its boot is read first. On one that a template
// is made of, what is read is recorded.
type line struct {
	channel
	recorded []byte
	live     func() // called once, before the first read after what was recorded

	mu        sync.Mutex
	recording bool
	seen      []byte
}

func (l *line) Read(p []byte) (int, error) {
	if len(l.recorded) > 0 {
		n := copy(p, l.recorded)
		l.recorded = l.recorded[n:]
		return n, nil
	}
	if l.live != nil {
		l.live()
		l.live = nil
	}
	n, err := l.read(p)
	if err != nil {
		<-l.failed
	}
	return n, err
}

// read takes bytes from the port and records them in one step, so that said
// misses none that were taken.
func (l *line) read(p []byte) (n int, err error) {
	raw, err := l.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	ended := raw.Read(func(fd uintptr) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for n, err = unix.Read(int(fd), p); err == unix.EINTR; {
			n, err = unix.Read(int(fd), p)
		}
		if l.recording && n > 0 {
			l.seen = append(l.seen, p[:n]...)
		}
		return err != unix.EAGAIN
	})
	switch {
	case ended != nil:
		return 0, ended
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// said ends the recording and returns all that a stopped guest has printed since
// its boot.
func (l *line) said(ctx context.Context) ([]byte, error) {
	raw, err := l.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	for {
		var said []byte
		var unread int
		var failed error
		err := raw.Control(func(fd uintptr) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if unread, failed = unix.IoctlGetInt(int(fd), unix.TIOCINQ); unread == 0 {
				said, l.seen, l.recording = l.seen, nil, false
			}
		})
		if err = errors.Join(err, failed); err != nil || unread == 0 {
			return said, err
		}
		if err := host.Sleep(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// forget ends the recording.
func (l *line) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen, l.recording = nil, false
}
