package lab

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/labrun/labrun/internal/lan"
)

// capture is the packet capture of one network into a file.
type capture struct {
	network string
	file    *os.File
	capture *lan.Capture

	mu     sync.Mutex
	buffer *bufio.Writer // guarded by mu
}

// Write implements io.Writer for the capture.
func (c *capture) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buffer.Write(b)
}

func (c *capture) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buffer.Flush()
}

// packets decodes what was captured until now.
func (c *capture) packets() ([]lan.Packet, error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	file, err := os.Open(c.file.Name())
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return lan.ReadPackets(bufio.NewReaderSize(file, 1<<20))
}

// Packets returns what has crossed a network since the lab's first boot, in order,
// and how many more there were than its capture holds. What arrived in the last moment
// may be missing.
func (l *Lab) Packets(network string) (_ []lan.Packet, more uint64, _ error) {
	c := l.capture(network)
	if c == nil {
		return nil, 0, nil // nothing has booted
	}
	packets, err := c.packets()
	if err != nil {
		return nil, 0, &EnvironmentError{fmt.Errorf("packets of %s: %w", network, err)}
	}
	return packets, c.capture.Dropped(), nil
}

// capture returns the capture of a network; nil before the first boot.
func (l *Lab) capture(network string) *capture {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.captures {
		if c.network == network {
			return c
		}
	}
	return nil
}

// startCapture captures a network into a file, and calls onFull when that holds all
// that it may.
func startCapture(network *lan.Network, path string, onFull func()) (*capture, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("capture network %s: %w", network.Name(), err)
	}
	c := &capture{network: network.Name(), file: file, buffer: bufio.NewWriterSize(file, 64<<10)}
	if c.capture, err = network.Capture(c, onFull); err != nil {
		file.Close()
		return nil, fmt.Errorf("capture network %s: %w", network.Name(), err)
	}
	return c, nil
}

func (c *capture) close() error {
	return errors.Join(c.capture.Close(), c.flush(), c.file.Close())
}
