package terminal

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// input is what the student types to the guide: lines, or while a console is
// open in this terminal every byte.
type input struct {
	chunks chan []byte // closed at the end

	reading sync.Mutex // held during keys.Read
	pending []byte     // read, and no whole line yet
}

// newInput reads until the end of in. A read that is under way when the program
// ends cannot be ended; it ends with the process.
func newInput(in io.Reader) *input {
	i := &input{chunks: make(chan []byte)}
	go func() {
		defer close(i.chunks)
		for {
			chunk := make([]byte, 4096)
			n, err := in.Read(chunk)
			if n > 0 {
				i.chunks <- chunk[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	return i
}

// line returns the next whole line of what is pending.
func (i *input) line() (string, bool) {
	n := bytes.IndexAny(i.pending, "\r\n")
	if n < 0 {
		return "", false
	}
	line := string(i.pending[:n])
	if i.pending[n] == '\r' && n+1 < len(i.pending) && i.pending[n+1] == '\n' {
		n++
	}
	i.pending = i.pending[n+1:]
	return strings.ToValidUTF8(strings.TrimSpace(line), "\ufffd"), true
}

// keys is the input as a reader, for a console in this terminal, until finish.
type keys struct {
	*input
	stop chan struct{}
}

func (i *input) keys() *keys { return &keys{i, make(chan struct{})} }

func (k *keys) Read(b []byte) (int, error) {
	k.reading.Lock()
	defer k.reading.Unlock()
	if len(k.pending) == 0 {
		select {
		case <-k.stop:
			return 0, io.EOF
		default:
		}
		select {
		case chunk, ok := <-k.chunks:
			if !ok {
				return 0, io.EOF
			}
			k.pending = append(k.pending, chunk...)
		case <-k.stop:
			return 0, io.EOF
		}
	}
	n := copy(b, k.pending)
	k.pending = k.pending[n:]
	return n, nil
}

// finish ends all reads; what was not read stays with the input.
func (k *keys) finish() {
	close(k.stop)
	k.reading.Lock()
	k.reading.Unlock() //lint:ignore SA2001 it waits for a read that is under way
}
