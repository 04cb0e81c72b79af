package lan

import (
	"encoding/binary"
	"fmt"
	"io"
)

// The wire format: a record is a length and that many bytes of frame.
const (
	headerSize = 4
	minFrame   = 14 // two addresses and a type; QEMU does not pad to Ethernet's 60
	// maxFrame is the longest frame QEMU takes from a socket; at a longer one it
	// ends the connection, so none may be forwarded.
	maxFrame = 64<<10 + 4<<10
	// maxSane is the longest length that may still be a frame, only too long.
	// Beyond it the stream has lost its place and nothing after can be trusted.
	maxSane = 256 << 10
	// readSize holds several of the largest frames, and stays within a core's
	// cache between the read and the copy.
	readSize = 256 << 10
)

// mac is an Ethernet address in the low 48 bits.
type mac uint64

// group reports whether m is a broadcast or multicast address.
func (m mac) group() bool { return m>>40&1 == 1 }

// addresses returns the destination and source of a record's frame, which must
// be at least minFrame long.
func addresses(record []byte) (dst, src mac) {
	frame := record[headerSize:]
	return mac(binary.BigEndian.Uint64(frame) >> 16),
		mac(binary.BigEndian.Uint64(frame[4:]) & (1<<48 - 1))
}

// recordSize returns the size of the first record of run, which must be whole.
func recordSize(run []byte) int {
	return headerSize + int(binary.BigEndian.Uint32(run))
}

// A frameReader cuts a byte stream into records, in place in one buffer.
type frameReader struct {
	r          io.Reader
	buf        []byte
	head, tail int // buf[head:tail] is unread
	skip       int // bytes of an over-long frame still to be passed over
	invalid    uint64
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{r: r, buf: make([]byte, readSize)}
}

// fill reads once. It moves the buffer's content, so earlier records end here.
// At the end of the stream it returns io.EOF, or io.ErrUnexpectedEOF within a
// frame.
func (f *frameReader) fill() error {
	if f.head > 0 { // or a frame in many small pieces would be moved for each
		f.tail = copy(f.buf, f.buf[f.head:f.tail])
		f.head = 0
	}
	n, err := f.r.Read(f.buf[f.tail:])
	f.tail += n
	if n > 0 {
		return nil // an error will come again
	}
	if err == io.EOF && (f.tail > 0 || f.skip > 0) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// next returns where the next record lies in buf; end is 0 when none is
// complete. Frames of an impossible length are passed over and counted. An error
// means that the stream has lost its place for good.
func (f *frameReader) next() (start, end int, err error) {
	for {
		if f.skip > 0 {
			n := min(f.skip, f.tail-f.head)
			f.head += n
			f.skip -= n
		}
		if f.tail-f.head < headerSize {
			return 0, 0, nil
		}
		length := binary.BigEndian.Uint32(f.buf[f.head:])
		switch {
		case length > maxSane:
			return 0, 0, fmt.Errorf(
				"read frame: a length of %d bytes: the peer does not speak QEMU's stream protocol", length,
			)
		case length < minFrame || length > maxFrame:
			f.invalid++
			f.skip = headerSize + int(length)
		case f.tail-f.head < headerSize+int(length):
			return 0, 0, nil
		default:
			start = f.head
			f.head += headerSize + int(length)
			return start, f.head, nil
		}
	}
}
