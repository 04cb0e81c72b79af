package attach

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/screen"
)

// startedAnew is how long a machine that was switched off may take to be on again
// without a word about its being off.
const startedAnew = 2 * time.Second

// viewer is one client that sits at a console.
type viewer struct {
	*Server
	asked   request
	machine string // the name of the console
	conn    net.Conn
	writing sync.Mutex
	ctx     context.Context

	mu      sync.Mutex
	console *console.Console // nil while the machine is off
}

func (s *Server) view(conn net.Conn, asked request) {
	stop := context.AfterFunc(s.viewing, func() { conn.Close() })
	defer stop()
	screen := slices.ContainsFunc(s.lab.Status().Machines, func(m MachineStatus) bool { return m.Name == asked.Machine && m.Screen })
	if writeJSON(conn, frameAnswer, answer{Typing: s.lab.Interactive(asked.Machine) && !asked.Watch, Screen: screen}) != nil {
		return
	}
	v := &viewer{Server: s, asked: asked, machine: asked.Machine, conn: conn}
	ctx, cancel := context.WithCancel(s.viewing)
	v.ctx = ctx
	if asked.Watch || asked.guest { // which is not to change what the student sees
		asked.size = size{}
	}
	s.enter(v, asked.size)
	// Before the first key is taken: it must not be lost, nor switch anything on.
	v.console, _ = s.lab.Await(ctx, v.machine, nil, false)
	var showing sync.WaitGroup
	showing.Go(func() {
		v.show()
		conn.Close() // ends the reading below
	})
	v.listen()
	cancel()
	conn.Close() // ends a write that is under way
	showing.Wait()
	s.leave(v)
}

func (v *viewer) note(n note) error {
	v.writing.Lock()
	defer v.writing.Unlock()
	return writeJSON(v.conn, frameNote, n)
}

// show passes on what the machine's console prints, from where the viewer was, and goes
// on with the next console when the machine is switched on again.
func (v *viewer) show() {
	boot, from := v.asked.Boot, v.asked.From // where it was; 0: nowhere yet
	var last *console.Console
	for {
		c, err := v.lab.Await(v.ctx, v.machine, last, false)
		if err != nil {
			return
		}
		if c == nil && last != nil {
			// One that is started anew is there again at once.
			soon, cancel := context.WithTimeout(v.ctx, startedAnew)
			c, _ = v.lab.Await(soon, v.machine, last, true)
			cancel()
		}
		switch {
		case c == nil:
			name := "off"
			if boot != 0 {
				name = "went off"
			}
			if v.note(note{Name: name}) != nil {
				return
			}
			if c, err = v.lab.Await(v.ctx, v.machine, last, true); err != nil {
				return
			}
			v.note(note{Name: "on"})
		case boot != 0 && boot != int(c.ID()):
			v.note(note{Name: "anew"}) // perhaps while the viewer was away
		}
		if boot != int(c.ID()) || from < 0 || from > c.Printed() {
			boot, from = int(c.ID()), 0
		}
		v.set(c)
		v.retold(v.machine, c)
		if !v.follow(c, from) {
			return
		}
		v.set(nil)
		last = c
	}
}

func (v *viewer) set(c *console.Console) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.console = c
}

// longestOutput bounds what one frame of output carries, in bytes: small enough for whoever
// acknowledges them one by one.
const longestOutput = 32 << 10

// A serial port hands over a few bytes at a time, and a frame of them costs a viewer as
// much as a full one. So after one of less than enough bytes, output is gathered for a
// moment, which is less than a screen takes to show its next picture. What follows upon
// silence, as a key's echo does, is sent at once.
const gather, enough = 8 * time.Millisecond, 4 << 10

// follow passes on what a console prints from a position on until that ends; false if the
// viewer has gone.
func (v *viewer) follow(c *console.Console, at int64) bool {
	var questions filter
	for sent := 0; ; {
		if sent > 0 && sent < enough && host.Sleep(v.ctx, gather) != nil {
			return false
		}
		chunk, next, err := c.Follow(v.ctx, at)
		if err != nil {
			return v.ctx.Err() == nil
		}
		begin := next - int64(len(chunk))
		if lost := begin - at; lost > 0 {
			lost += int64(len(questions.held)) // the rest of that is among them
			questions = filter{}
			if v.note(note{Name: "missed", Lost: lost}) != nil {
				return false
			}
		}
		at, sent = next, len(chunk)
		for part := range slices.Chunk(chunk, longestOutput) {
			begin += int64(len(part))
			output := questions.pass(part)
			if len(output) == 0 {
				continue
			}
			// What is held back is said again to whoever comes back here.
			said := Said{Boot: int(c.ID()), Position: begin - int64(len(questions.held)), Output: output}
			v.writing.Lock()
			err = writeOutput(v.conn, said)
			v.writing.Unlock()
			if err != nil {
				return false
			}
		}
	}
}

// listen takes what the viewer does until it goes.
func (v *viewer) listen() {
	refused, uninvited := false, false // told so
	for {
		kind, payload, err := readFrame(v.conn)
		if err != nil {
			return
		}
		if v.asked.Watch {
			continue
		}
		switch kind {
		case frameSize:
			var now size
			if !v.asked.guest && json.Unmarshal(payload, &now) == nil {
				v.enter(v, now)
			}
		case frameInput:
			if !v.lab.Interactive(v.machine) {
				if !refused {
					refused = true
					v.note(note{Name: "watching"})
				}
				continue
			}
			if v.asked.guest {
				told := uninvited
				if uninvited = !v.lab.Invited(); uninvited {
					if !told {
						v.note(note{Name: "not invited"})
					}
					continue
				}
			}
			v.mu.Lock()
			c := v.console
			v.mu.Unlock()
			if c == nil {
				v.switchOn(payload)
				continue
			}
			// A console that died under the keys: show tells of it.
			var none *screen.NoKeyError
			if err := c.Relay(v.ctx, payload); errors.As(err, &none) {
				v.note(note{Name: "no key", Text: cut(none.Text, longestText)})
			}
		}
	}
}

// switchOn switches the machine on when its viewer presses Enter.
func (v *viewer) switchOn(keys []byte) {
	if !slices.ContainsFunc(keys, func(key byte) bool { return key == '\r' || key == '\n' }) {
		return
	}
	v.lab.Events().Key(event.Keyed{Console: v.machine, Keys: "\r", Off: true})
	switch err := v.lab.PowerOn(v.ctx, v.machine); {
	case errors.Is(err, ErrNotYet):
		v.note(note{Name: "not yet"})
	case err != nil:
		v.note(note{Name: "no power", Text: cut(err.Error(), longestText)})
	}
}
