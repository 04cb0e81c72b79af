package attach

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/host"
)

// Lab is what viewers can sit at. Its methods are safe for concurrent use.
type Lab interface {
	// Names are the machines.
	Names() []string
	// Await returns a machine's console, other than the given one, once the
	// machine is on; nil at once if it is off and wait is false.
	Await(ctx context.Context, machine string, other *console.Console, wait bool) (*console.Console, error)
	// Interactive reports whether viewers may type and switch machines on.
	Interactive() bool
	// PowerOn switches a machine on, if that is allowed now.
	PowerOn(ctx context.Context, machine string) error
	// Resize tells a machine that is on how large its terminal is.
	Resize(ctx context.Context, machine string, columns, rows int)
	// Status is what is shown of the run; the server adds the viewers.
	Status() Status
	// Stop ends the run as its user would.
	Stop()
}

// ErrNotYet is what PowerOn returns for a machine whose time has not come.
var ErrNotYet = errors.New("it is not time to switch it on")

// startedAnew is how long a machine that was switched off may take to be on again
// without a word about its being off.
const startedAnew = 2 * time.Second

// The size of a terminal that nobody sits at, in characters.
const defaultColumns, defaultRows = 80, 24

// Server lets viewers sit at a lab's consoles.
type Server struct {
	owner    int // the user who may come in
	lab      Lab
	listener *net.UnixListener
	ctx      context.Context
	cancel   context.CancelFunc
	tasks    sync.WaitGroup

	mu      sync.Mutex
	viewers map[string]map[*viewer]size // by machine
	sizing  map[string]bool             // a size is being told to the machine
	told    map[string]size
}

// Serve listens in a session folder until Close.
func Serve(folder string, lab Lab) (*Server, error) { return serveFor(os.Getuid(), folder, lab) }

// serveFor is Serve for the user who owns the lab.
func serveFor(owner int, folder string, lab Lab) (*Server, error) {
	listener, err := listen(folder)
	if err != nil {
		return nil, fmt.Errorf("listen for viewers in %s: %w", folder, err)
	}
	s := &Server{lab: lab, owner: owner, listener: listener, viewers: map[string]map[*viewer]size{}, sizing: map[string]bool{}, told: map[string]size{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.tasks.Go(func() {
		for {
			conn, err := listener.AcceptUnix()
			if err != nil {
				return // it was closed
			}
			s.tasks.Go(func() { s.serve(conn) })
		}
	})
	return s, nil
}

// Close sends all viewers away and waits until they are gone.
func (s *Server) Close() {
	s.cancel()
	s.listener.Close()
	s.tasks.Wait()
}

// Viewers tells how many sit at a machine's console.
func (s *Server) Viewers(machine string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.viewers[machine])
}

// serve answers one client.
func (s *Server) serve(conn *net.UnixConn) {
	defer conn.Close()
	stop := context.AfterFunc(s.ctx, func() { conn.Close() })
	defer stop()
	if !s.welcome(conn) {
		return
	}
	kind, payload, err := readFrame(conn)
	var asked request
	if err != nil || kind != frameRequest || json.Unmarshal(payload, &asked) != nil {
		return
	}
	switch asked.Op {
	case "status":
		status := s.lab.Status()
		for i := range status.Machines {
			status.Machines[i].Viewers = s.Viewers(status.Machines[i].Name)
		}
		writeJSON(conn, frameAnswer, answer{Status: &status})
	case "stop":
		writeJSON(conn, frameAnswer, answer{})
		s.lab.Stop()
		readFrame(conn) // the client waits for the end, and so for this connection's
	case "attach":
		if !slices.Contains(s.lab.Names(), asked.Machine) {
			writeJSON(conn, frameAnswer, answer{Error: "unknown-machine", Names: s.lab.Names()})
			return
		}
		if writeJSON(conn, frameAnswer, answer{Typing: s.lab.Interactive()}) == nil {
			s.view(conn, asked)
		}
	}
}

// welcome reports whether the kernel says that the other end is the lab's owner, or
// root.
func (s *Server) welcome(conn *net.UnixConn) bool {
	uid, err := host.PeerUID(conn)
	return err == nil && (uid == s.owner || uid == 0)
}

// viewer is one client that sits at a console.
type viewer struct {
	*Server
	machine string
	conn    net.Conn
	writing sync.Mutex
	ctx     context.Context

	mu      sync.Mutex
	console *console.Console // nil while the machine is off
}

func (s *Server) view(conn net.Conn, asked request) {
	v := &viewer{Server: s, machine: asked.Machine, conn: conn}
	ctx, cancel := context.WithCancel(s.ctx)
	v.ctx = ctx
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

// show passes on what the machine's console prints, from the beginning, and goes
// on with the next console when the machine is switched on again.
func (v *viewer) show() {
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
			if c != nil {
				v.note(note{Name: "anew"})
			}
		}
		if c == nil {
			name := "off"
			if last != nil {
				name = "went off"
			}
			if v.note(note{Name: name}) != nil {
				return
			}
			if c, err = v.lab.Await(v.ctx, v.machine, last, true); err != nil {
				return
			}
			v.note(note{Name: "on"})
		}
		v.set(c)
		v.retold(v.machine)
		if !v.follow(c) {
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

// follow passes on what a console prints until that ends; false if the viewer
// has gone.
func (v *viewer) follow(c *console.Console) bool {
	var questions filter
	for at := int64(0); ; {
		chunk, next, err := c.Follow(v.ctx, at)
		if err != nil {
			return v.ctx.Err() == nil
		}
		if lost := next - int64(len(chunk)) - at; lost > 0 {
			if v.note(note{Name: "missed", Lost: lost}) != nil {
				return false
			}
		}
		at = next
		for part := range slices.Chunk(questions.pass(chunk), longestFrame) {
			v.writing.Lock()
			err = writeFrame(v.conn, frameOutput, part)
			v.writing.Unlock()
			if err != nil {
				return false
			}
		}
	}
}

// listen takes what the viewer does until it goes.
func (v *viewer) listen() {
	refused := false
	for {
		kind, payload, err := readFrame(v.conn)
		if err != nil {
			return
		}
		switch kind {
		case frameSize:
			var now size
			if json.Unmarshal(payload, &now) == nil {
				v.enter(v, now)
			}
		case frameInput:
			if !v.lab.Interactive() {
				if !refused {
					refused = true
					v.note(note{Name: "watching"})
				}
				continue
			}
			v.mu.Lock()
			c := v.console
			v.mu.Unlock()
			if c == nil {
				v.switchOn(payload)
				continue
			}
			// A console that died under the keys: show tells of it.
			c.Relay(v.ctx, payload)
		}
	}
}

// switchOn switches the machine on when its viewer presses Enter.
func (v *viewer) switchOn(keys []byte) {
	if !slices.ContainsFunc(keys, func(key byte) bool { return key == '\r' || key == '\n' }) {
		return
	}
	switch err := v.lab.PowerOn(v.ctx, v.machine); {
	case errors.Is(err, ErrNotYet):
		v.note(note{Name: "not yet"})
	case err != nil:
		v.note(note{Name: "no power", Text: err.Error()})
	}
}
