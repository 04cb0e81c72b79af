package lab

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/qemu"
	"github.com/labrun/labrun/internal/screen"
)

const (
	// burst is how many keys are pressed before labrun looks whether they have arrived. The
	// keyboard itself keeps eight of them, for a guest that is slow.
	burst = 4
	// arrival is how long keys may take to show, and unheard how long where the last ones
	// have not: a password shows nothing, nor does a guest that is at work.
	arrival = time.Second
	unheard = 100 * time.Millisecond

	// The BIOS keeps what is typed in a ring that has room for 15 keys, and drops the
	// others with a beep. The ring's place, and the offsets of the next key to be taken and
	// of the next to be put there, are in the BIOS's data, at segment 0x40.
	biosRing  = 0x41a
	ringBegin = 0x1e
	ringKeys  = 16
)

// keyboard is what is known of how a machine takes keys.
type keyboard struct {
	screen.Keyboard
	bios bool // its BIOS does, so its ring has to have room
	mute bool // the last keys did not show

	before int  // how often the screen had changed when the last key was pressed
	begun  bool // that was no end of a line
}

// Write types bytes, as a terminal would send them, on the machine's keyboard. What has no
// key is an error, and nothing of the piece is typed. It is done when the keys have arrived,
// or show nothing; a BIOS whose ring is full is waited for, until the port is closed.
func (s *screenPort) Write(p []byte) (int, error) {
	strokes, err := s.keys.Strokes(p)
	if err != nil {
		return 0, err
	}
	for _, part := range bursts(strokes) {
		if ends(part) {
			if err := s.echoed(); err != nil {
				return 0, err
			}
			s.looking.Lock()
			s.stream.Entered()
			s.looking.Unlock()
		}
		if err := s.press(part); err != nil {
			if ended := (*qemu.ExitError)(nil); errors.As(err, &ended) {
				<-s.failed // as at a serial port: who waits is told that, and not that the port is closed
			}
			return 0, err
		}
	}
	return len(p), nil
}

// bursts divides keys into those that are pressed together. What ends a line is pressed alone:
// what it starts may scroll the line away before anybody has seen it, and where the screen then
// is as it was before, nothing seems to have happened.
func bursts(strokes []screen.Stroke) (parts [][]screen.Stroke) {
	for len(strokes) > 0 {
		n := 1
		for n < min(burst, len(strokes)) && !ends(strokes[n-1:n]) && !ends(strokes[n:n+1]) {
			n++
		}
		parts, strokes = append(parts, strokes[:n]), strokes[n:]
	}
	return parts
}

// ends reports whether a burst is the key that ends a line.
func ends(part []screen.Stroke) bool {
	return len(part) == 1 && slices.Equal(part[0], screen.Stroke{"ret"})
}

// echoed waits until what was typed shows, which it need not: a BIOS has keys long before it
// hands them out.
func (s *screenPort) echoed() error {
	for began := time.Now(); s.keys.bios && s.keys.begun && time.Since(began) < arrival; {
		if _, err := s.look(s.ctx); err != nil {
			return err
		}
		ring, err := s.ring()
		if err != nil {
			return err
		}
		if _, now, _ := s.present(); now != s.keys.before && (!ring.valid || ring.used() == 0) {
			return nil
		}
		if err := host.Sleep(s.ctx, lookSoon/2); err != nil {
			return err
		}
	}
	return nil
}

// press presses a few keys and waits until they have arrived.
func (s *screenPort) press(strokes []screen.Stroke) error {
	begin, err := s.room(len(strokes))
	if err != nil {
		return err
	}
	s.hurry()
	last := len(strokes) - 1
	if err := s.device.PressKeys(s.ctx, strokes[:last]); err != nil {
		return err
	}
	_, s.keys.before, _ = s.present()
	s.keys.begun = !ends(strokes)
	if err := s.device.PressKeys(s.ctx, strokes[last:]); err != nil {
		return err
	}
	limit := arrival
	if s.keys.mute {
		limit = unheard
	}
	for pressed := time.Now(); ; {
		if _, err := s.look(s.ctx); err != nil {
			return err
		}
		ring, err := s.ring()
		if err != nil {
			return err
		}
		put := (ring.tail - begin.tail + ringKeys) % ringKeys
		s.keys.bios = ring.valid && put > 0
		_, now, _ := s.present()
		arrived := now != s.keys.before
		if s.keys.bios {
			arrived = put >= len(strokes)
		}
		if s.keys.mute = !arrived; arrived || time.Since(pressed) > limit {
			return nil
		}
		if err := host.Sleep(s.ctx, lookSoon/2); err != nil {
			return err
		}
	}
}

// room waits until the BIOS has room for some keys, if it is the one that takes them, and
// returns how its ring is then.
func (s *screenPort) room(keys int) (biosState, error) {
	for {
		r, err := s.ring()
		if err != nil || !s.keys.bios || !r.valid || r.used()+keys < ringKeys {
			return r, err
		}
		if err := host.Sleep(s.ctx, lookSoon); err != nil {
			return r, err
		}
	}
}

// biosState is how the ring is: where the next key is taken from and where it is put, in
// keys. It is not valid where the memory is another's, who uses no BIOS.
type biosState struct {
	head, tail int
	valid      bool
}

func (r biosState) used() int { return (r.tail - r.head + ringKeys) % ringKeys }

func (s *screenPort) ring() (biosState, error) {
	data, err := s.device.ReadMemory(s.ctx, biosRing, 4)
	if err != nil {
		return biosState{}, err
	}
	place := func(at int) (key int, valid bool) {
		offset := int(binary.LittleEndian.Uint16(data[at:])) - ringBegin
		return offset / 2, offset >= 0 && offset%2 == 0 && offset/2 < ringKeys
	}
	head, ok := place(0)
	tail, valid := place(2)
	return biosState{head, tail, ok && valid}, nil
}
