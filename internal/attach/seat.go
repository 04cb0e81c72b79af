package attach

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/phrase"
)

// SeatOptions say how somebody sits down at a console.
type SeatOptions struct {
	// Boot and From are those of the last Said: what follows it is said, and nothing twice.
	// Where the machine was started anew since, or they are those of no console, everything is
	// said that the present one has kept.
	Boot int
	From int64

	Watch         bool   // look only: keys are dropped, and the size does not count
	Columns, Rows int    // of the terminal; 0: there is none
	Language      string // of the notes
}

// Said is a piece of what a console prints, or a note on it.
type Said struct {
	Output   []byte
	Boot     int   // each start of a machine has another number; never 0
	Position int64 // after Output, in bytes since the start

	Note string // instead: its name
	Text string // and the sentence
}

// Seat is a place at the console of a machine. Its methods can be called at the same time. Who
// does not call Next holds up nobody else.
type Seat struct {
	machine string
	options SeatOptions
	typing  bool
	screen  bool
	conn    *net.UnixConn
	ctx     context.Context // its cause is why the viewer has left
	leave   context.CancelCauseFunc
	forget  func() bool // has the end of the caller's context close nothing any more

	reading, writing sync.Mutex
	closing          sync.Once
}

// Sit sits down at the console of a machine of the run whose session folder is given, until
// Close, the end of ctx, or that of the run.
func Sit(ctx context.Context, folder, machine string, o SeatOptions) (*Seat, error) {
	conn, a, err := ask(ctx, folder, request{
		Op: "attach", Machine: machine, Boot: o.Boot, From: o.From, Watch: o.Watch, size: size{o.Columns, o.Rows},
	})
	if err != nil {
		return nil, err
	}
	s := &Seat{machine: machine, options: o, typing: a.Typing, screen: a.Screen, conn: conn}
	s.ctx, s.leave = context.WithCancelCause(ctx)
	s.forget = context.AfterFunc(ctx, func() { conn.Close() })
	return s, nil
}

// Typing reports whether keys were passed on when the seat was taken.
func (s *Seat) Typing() bool { return s.typing }

// Screen reports whether what the console prints is the text of a machine's screen, which has a
// size of its own: 80 by 25 characters, as a rule.
func (s *Seat) Screen() bool { return s.screen }

// Next waits for what is said next. Its error is ErrOver when the run is over, ctx's cause, or
// net.ErrClosed.
func (s *Seat) Next() (Said, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	for {
		kind, payload, err := readFrame(s.conn)
		switch {
		case s.ctx.Err() != nil:
			return Said{}, context.Cause(s.ctx)
		case err != nil:
			return Said{}, ErrOver // the door hangs up, or is gone with its process
		}
		switch kind {
		case frameOutput:
			if said, err := readOutput(payload); err == nil {
				return said, nil
			}
		case frameNote:
			var n note
			if json.Unmarshal(payload, &n) == nil {
				return Said{Note: n.Name, Text: s.sentence(n)}, nil
			}
		}
	}
}

// sentence is a note in the viewer's language.
func (s *Seat) sentence(n note) string {
	say := phrase.In(s.options.Language).Say
	switch n.Name {
	case "off", "went off", "on", "anew", "not yet":
		return say("viewer "+n.Name, s.machine)
	case "watching":
		return say("viewer look only")
	case "not invited":
		return say("viewer not invited")
	case "missed":
		return say("viewer missed", n.Lost)
	case "no key":
		return say("viewer no key", n.Text, s.machine)
	case "no power":
		return say("viewer no power", s.machine, n.Text)
	}
	return n.Text
}

// Keys types. It waits while the guest takes nothing. Its error, and that of Resize, is as Next's.
func (s *Seat) Keys(keys []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	for part := range slices.Chunk(keys, longestFrame) {
		if writeFrame(s.conn, frameInput, part) != nil {
			return s.gone()
		}
	}
	return nil
}

// Resize tells how large the terminal is now, in characters.
func (s *Seat) Resize(columns, rows int) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if writeJSON(s.conn, frameSize, size{columns, rows}) != nil {
		return s.gone()
	}
	return nil
}

// gone is why nothing can be sent any more.
func (s *Seat) gone() error {
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	return ErrOver
}

// farewell is how long whoever leaves waits for their last keys to be taken: a guest may
// take none.
const farewell = 2 * time.Second

// Close leaves the console, when what was typed has been taken; a guest that takes nothing is
// not waited for long. A Next that is under way ends.
func (s *Seat) Close() error {
	s.closing.Do(func() {
		s.leave(net.ErrClosed)
		// labrun hangs up when it has taken all that was typed. To hang up first would lose
		// what it has not read yet: it gives up on a client that it cannot write to.
		s.conn.CloseWrite()
		s.conn.SetReadDeadline(time.Now().Add(farewell))
		s.reading.Lock() // a Next takes at most one frame more
		defer s.reading.Unlock()
		io.Copy(io.Discard, s.conn)
		s.forget()
		s.conn.Close()
	})
	return nil
}

// outputHead is what precedes the bytes in a frame of output: the boot in four bytes and the
// position after them in eight, big-endian.
const outputHead = 4 + 8

func writeOutput(w io.Writer, said Said) error {
	payload := make([]byte, outputHead, outputHead+len(said.Output))
	binary.BigEndian.PutUint32(payload, uint32(said.Boot))
	binary.BigEndian.PutUint64(payload[4:], uint64(said.Position))
	return writeFrame(w, frameOutput, append(payload, said.Output...))
}

func readOutput(payload []byte) (Said, error) {
	if len(payload) < outputHead {
		return Said{}, fmt.Errorf("a frame of output of %d bytes", len(payload))
	}
	return Said{
		Boot:     int(binary.BigEndian.Uint32(payload)),
		Position: int64(binary.BigEndian.Uint64(payload[4:])),
		Output:   payload[outputHead:],
	}, nil
}
