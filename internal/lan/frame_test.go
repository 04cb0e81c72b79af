package lan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// reference cuts a whole stream into valid frames the obvious way.
func reference(stream []byte) (frames [][]byte, invalid uint64, err error) {
	for len(stream) > 0 {
		if len(stream) < 4 {
			return frames, invalid, io.ErrUnexpectedEOF
		}
		n := binary.BigEndian.Uint32(stream)
		if n > maxSane {
			return frames, invalid, errors.New("lost its place")
		}
		ok := n >= minFrame && n <= maxFrame
		if !ok {
			invalid++
		}
		if len(stream) < 4+int(n) {
			return frames, invalid, io.ErrUnexpectedEOF
		}
		if ok {
			frames = append(frames, stream[4:4+n])
		}
		stream = stream[4+n:]
	}
	return frames, invalid, io.EOF
}

func readAll(r io.Reader) (frames [][]byte, invalid uint64, err error) {
	f := newFrameReader(r)
	for {
		if err := f.fill(); err != nil {
			return frames, f.invalid, err
		}
		for {
			start, end, err := f.next()
			if err != nil {
				return frames, f.invalid, err
			}
			if end == 0 {
				break
			}
			frames = append(frames, bytes.Clone(f.buf[start+headerSize:end]))
		}
	}
}

func FuzzFrameReader(f *testing.F) {
	good := frame(2, 1, "payload")
	f.Add([]byte{})
	f.Add(record(good))
	f.Add(append(record(good), record(good)...))
	f.Add(record(good)[:10])
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 13})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(append(append(record(make([]byte, maxFrame)), record(make([]byte, maxFrame+1))...), record(good)...))
	f.Add(bytes.Repeat(record(make([]byte, maxFrame-1)), 5))
	f.Fuzz(func(t *testing.T, stream []byte) {
		want, wantInvalid, wantErr := reference(stream)
		for name, r := range map[string]io.Reader{
			"whole":        bytes.NewReader(stream),
			"halves":       iotest.HalfReader(bytes.NewReader(stream)),
			"byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
			"early error":  iotest.DataErrReader(bytes.NewReader(stream)),
		} {
			got, invalid, err := readAll(r)
			ended := errors.Is(wantErr, io.EOF) || errors.Is(wantErr, io.ErrUnexpectedEOF)
			if len(got) != len(want) || invalid != wantInvalid || ended && err != wantErr || !ended && !lostPlace(err) {
				t.Fatalf("%s: %d frames, %d invalid, %v; want %d, %d, %v", name, len(got), invalid, err, len(want), wantInvalid, wantErr)
			}
			for i := range got {
				if !bytes.Equal(got[i], want[i]) {
					t.Fatalf("%s: frame %d differs", name, i)
				}
			}
		}
	})
}

// lostPlace reports whether err is what becomes of a stream that is not frames.
func lostPlace(err error) bool {
	return err != nil && strings.Contains(err.Error(), "does not speak QEMU's stream protocol")
}
