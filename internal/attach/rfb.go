package attach

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// What an RFB client says (RFC 6143, and the registered extensions that QEMU knows), by the
// first byte of each message.
const (
	rfbSetPixelFormat = 0
	rfbSetEncodings   = 2
	rfbUpdateRequest  = 3
	rfbKey            = 4
	rfbPointer        = 5
	rfbCutText        = 6
	rfbSetDesktopSize = 251
	rfbQEMU           = 255 // its second byte says what
)

const (
	rfbQEMUKey   = 0
	rfbQEMUAudio = 1
)

// The bounds of what a stranger may say in one message: noVNC names about 20 encodings and
// one screen.
const mostEncodings, mostScreens, longestCut = 256, 16, 1 << 20

// rfbMessage is one message of a client's.
type rfbMessage struct {
	bytes []byte // as the server is to have it; nil: it has no use for it
	input bool   // it is done to the machine: a key or the pointer
	key   rfbKeyEvent
}

// rfbKeyEvent is a key that goes down or up; the zero value is none.
type rfbKeyEvent struct {
	down   bool
	symbol uint32 // X11's keysym
}

// rfbClient reads what a client says, message by message, from the beginning of its
// connection. What it does not know it does not pass on: nobody could tell where the next
// message begins, nor what it does.
type rfbClient struct {
	r     *bufio.Reader
	stage int
}

func newRFBClient(r io.Reader) *rfbClient { return &rfbClient{r: bufio.NewReader(r)} }

// next reads the next message. Any error ends the connection.
func (c *rfbClient) next() (rfbMessage, error) {
	switch c.stage++; c.stage {
	case 1:
		return c.version()
	case 2: // how the client is to prove who it is: it has, to the door
		return c.fixed(1, func(b []byte) error { return want(b[0] == 1, "security type %d", b[0]) })
	case 3: // ClientInit: 0 would send all other viewers away
		m, err := c.fixed(1, nil)
		if err == nil {
			m.bytes[0] = 1
		}
		return m, err
	}
	kind, err := c.r.Peek(1)
	if err != nil {
		return rfbMessage{}, err
	}
	switch kind[0] {
	case rfbSetPixelFormat:
		return c.fixed(20, nil)
	case rfbSetEncodings:
		return c.counted(4, 2, 4, mostEncodings)
	case rfbUpdateRequest:
		return c.fixed(10, nil)
	case rfbKey:
		m, err := c.fixed(8, nil)
		if err == nil {
			m.input = true
			m.key = rfbKeyEvent{m.bytes[1] != 0, binary.BigEndian.Uint32(m.bytes[4:])}
		}
		return m, err
	case rfbPointer:
		m, err := c.fixed(6, nil)
		m.input = true
		return m, err
	case rfbCutText:
		return rfbMessage{}, c.cutText()
	case rfbSetDesktopSize:
		// A machine's screen is as large as its guest wants it, whoever looks at it.
		_, err := c.counted(8, 6, 16, mostScreens)
		return rfbMessage{}, err
	case rfbQEMU:
		return c.qemu()
	}
	return rfbMessage{}, fmt.Errorf("an RFB message of kind %d", kind[0])
}

func want(holds bool, format string, args ...any) error {
	if holds {
		return nil
	}
	return fmt.Errorf("not understood: "+format, args...)
}

func (c *rfbClient) version() (rfbMessage, error) {
	return c.fixed(12, func(b []byte) error {
		// Older ones are told how to prove who they are, and say nothing themselves.
		known := bytes.Equal(b, []byte("RFB 003.008\n")) || bytes.Equal(b, []byte("RFB 003.007\n"))
		return want(known, "RFB's version %q", b)
	})
}

// fixed reads a message of n bytes.
func (c *rfbClient) fixed(n int, check func([]byte) error) (rfbMessage, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(c.r, b); err != nil {
		return rfbMessage{}, err
	}
	if check != nil {
		if err := check(b); err != nil {
			return rfbMessage{}, err
		}
	}
	return rfbMessage{bytes: b}, nil
}

// counted reads a message whose head of some bytes has the number of what follows, in the
// two bytes at a place, or in one where the head ends there.
func (c *rfbClient) counted(head, at, size, most int) (rfbMessage, error) {
	b, err := c.r.Peek(head)
	if err != nil {
		return rfbMessage{}, err
	}
	n := int(b[at])
	if b[0] == rfbSetEncodings {
		n = int(binary.BigEndian.Uint16(b[at:]))
	}
	if err := want(n <= most, "%d things in an RFB message of kind %d", n, b[0]); err != nil {
		return rfbMessage{}, err
	}
	return c.fixed(head+n*size, nil)
}

// cutText skips what a client has in its clipboard: QEMU has no use for it without an agent
// in the guest, and labrun's guests have none. A negative length is that of an extended one.
func (c *rfbClient) cutText() error {
	m, err := c.fixed(8, nil)
	if err != nil {
		return err
	}
	n := int64(int32(binary.BigEndian.Uint32(m.bytes[4:])))
	if n < 0 {
		n = -n
	}
	if err := want(n <= longestCut, "a clipboard of %d bytes", n); err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, c.r, n)
	return err
}

// qemu reads one of QEMU's own messages: a key with its scan code, or what to do about sound,
// which nobody is sent.
func (c *rfbClient) qemu() (rfbMessage, error) {
	b, err := c.r.Peek(2)
	if err != nil {
		return rfbMessage{}, err
	}
	switch b[1] {
	case rfbQEMUKey:
		m, err := c.fixed(12, nil)
		if err == nil {
			m.input = true
			m.key = rfbKeyEvent{m.bytes[3] != 0, binary.BigEndian.Uint32(m.bytes[4:])}
		}
		return m, err
	case rfbQEMUAudio:
		b, err := c.r.Peek(4)
		if err != nil {
			return rfbMessage{}, err
		}
		n := 4
		if b[3] == 2 { // the format
			n = 10
		}
		_, err = c.fixed(n, nil)
		return rfbMessage{}, err
	}
	return rfbMessage{}, fmt.Errorf("a message of QEMU's of kind %d", b[1])
}
