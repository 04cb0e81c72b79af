package lab

import (
	"bytes"
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

// port is a machine's console, by whatever way its bytes come and go.
type port interface {
	io.ReadWriteCloser
	// said returns all that a stopped guest has printed since its boot, as long as that is recorded.
	said(ctx context.Context) ([]byte, error)
	// forget ends the recording.
	forget()
}

// replay is what a machine had printed when it was saved: it is read first.
type replay struct {
	recorded []byte
	live     func() // called once, before the first read after what was recorded; nil: nobody asks
}

// read returns 0 where all of it has been read.
func (r *replay) read(p []byte) int {
	if n := copy(p, r.recorded); n > 0 {
		r.recorded = r.recorded[n:]
		return n
	}
	if r.live != nil {
		r.live()
		r.live = nil
	}
	return 0
}

// serialPort is the console port of a machine without a screen. On a machine that was
// restored from a template, what was recorded of its boot is read first. On one that a
// template is made of, what is read is recorded.
type serialPort struct {
	channel
	replay replay

	mu        sync.Mutex
	recording bool
	seen      []byte
}

func (s *serialPort) Read(p []byte) (int, error) {
	if n := s.replay.read(p); n > 0 {
		return n, nil
	}
	n, err := s.read(p)
	if err != nil {
		<-s.failed
	}
	return n, err
}

// read takes bytes from the port and records them in one step, so that said
// misses none that were taken.
func (s *serialPort) read(p []byte) (n int, err error) {
	raw, err := s.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	ended := raw.Read(func(fd uintptr) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for n, err = unix.Read(int(fd), p); err == unix.EINTR; {
			n, err = unix.Read(int(fd), p)
		}
		if s.recording && n > 0 {
			s.seen = append(s.seen, p[:n]...)
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

func (s *serialPort) said(ctx context.Context) ([]byte, error) {
	raw, err := s.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	for {
		var said []byte
		var unread int
		var failed error
		err := raw.Control(func(fd uintptr) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if unread, failed = host.Unread(int(fd)); unread == 0 {
				said = bytes.Clone(s.seen)
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

func (s *serialPort) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen, s.recording = nil, false
}
