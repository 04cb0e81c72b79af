package lab

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"github.com/labrun/labrun/internal/lan"
)

// capture is the packet capture of one network into a file.
type capture struct {
	file    *os.File
	buffer  *bufio.Writer
	capture *lan.Capture
}

func startCapture(network *lan.Network, path string) (*capture, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("capture network %s: %w", network.Name(), err)
	}
	c := &capture{file: file, buffer: bufio.NewWriterSize(file, 64<<10)}
	if c.capture, err = network.Capture(c.buffer); err != nil {
		file.Close()
		return nil, fmt.Errorf("capture network %s: %w", network.Name(), err)
	}
	return c, nil
}

func (c *capture) close() error {
	return errors.Join(c.capture.Close(), c.buffer.Flush(), c.file.Close())
}
