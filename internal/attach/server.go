package attach

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/lan"
)

// Lab is what viewers can sit at. Its methods are safe for concurrent use.
type Lab interface {
	// Names are the machines.
	Names() []string
	// Consoles are the names of their consoles: a machine's own has its name.
	Consoles() []string
	// Await returns a console, other than the given one, once its machine is on;
	// nil at once if that is off and wait is false.
	Await(ctx context.Context, name string, other *console.Console, wait bool) (*console.Console, error)
	// Screen opens a machine's screen for one viewer, once the machine is on; ErrNoScreen
	// where there is none.
	Screen(ctx context.Context, machine string) (Display, error)
	// Interactive reports whether viewers may type at a console and switch its machine on.
	Interactive(name string) bool
	// PowerOn switches the machine of a console on, if that is allowed now.
	PowerOn(ctx context.Context, name string) error
	// Hold has a page of a browser hold a machine whenever it is on, until the page has gone
	// or ctx ends; an error at once if that machine cannot live there.
	Hold(ctx context.Context, machine string, page Page) error
	// Resize tells a machine that is on how large the terminal of a console is.
	Resize(ctx context.Context, name string, columns, rows int)
	// Status is what is shown of the run; the server adds the viewers.
	Status() Status
	// Events is what happens in the run.
	Events() *event.Log
	// Command says a word to the dialogue with the run's student, with what belongs to
	// it, about the instruction of that number (0: whichever there is), and returns why
	// that cannot be said now: ErrNoStudent where there is none. It may wait, until ctx ends.
	Command(ctx context.Context, word, text string, number int) error
	// Invited reports whether the student lets a guest of the class type at the consoles now.
	Invited() bool
	// Stop ends the run as its user would.
	Stop()
	// Drawing is how the machines are wired at this moment, and a channel that is closed
	// when that may be otherwise.
	Drawing() (Drawing, <-chan struct{})
	// Packets has told what crosses a network, until ctx ends: lan.Capture.Follow.
	Packets(ctx context.Context, network string, tell func(packets []lan.Packet, skipped uint64) error) error
	// Capture opens a file of what has crossed a network.
	Capture(network string) (io.ReadCloser, error)
}

// ErrNoStudent says that labrun plays the run itself, so there is no dialogue.
var ErrNoStudent = errors.New("this run has no student: labrun plays it itself")

// ErrNotYet is what PowerOn returns for a machine whose time has not come.
var ErrNotYet = errors.New("it is not time to switch it on")

// Server is the door of a run. Close ends it; before, Dismiss ends what belongs to the
// machines: those who listen and those who wait for the end stay until it has come.
type Server struct {
	owner    int // the user who may come in
	folder   string
	lab      Lab
	listener *net.UnixListener
	ctx      context.Context
	cancel   context.CancelFunc
	tasks    sync.WaitGroup
	closing  sync.Once
	last     time.Time // when nobody is told anything any more; set before ctx ends

	viewing context.Context // the consoles are there; part of ctx
	dismiss context.CancelFunc
	seated  sync.WaitGroup // who sits at one, and what is done for them; it grows under mu and while viewing lasts

	mu sync.Mutex
	// By the name of a console.
	viewers map[string]map[*viewer]size
	sizing  map[string]bool // a size is being told to its machine
	told    map[string]size
	boots   map[string]int32 // which incarnation it was when that was told
}

// Serve listens in a session folder until Close.
func Serve(folder string, lab Lab) (*Server, error) { return serveFor(os.Getuid(), folder, lab) }

// serveFor is Serve for the user who owns the lab.
func serveFor(owner int, folder string, lab Lab) (*Server, error) {
	listener, err := listen(folder)
	if err != nil {
		return nil, fmt.Errorf("listen for viewers in %s: %w", folder, err)
	}
	s := &Server{
		lab: lab, owner: owner, folder: folder, listener: listener,
		viewers: map[string]map[*viewer]size{}, sizing: map[string]bool{}, told: map[string]size{}, boots: map[string]int32{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.viewing, s.dismiss = context.WithCancel(s.ctx)
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

// Dismiss sends all viewers away from the consoles and waits until they are gone; nobody
// sits down any more.
func (s *Server) Dismiss() {
	s.mu.Lock()
	s.dismiss()
	s.mu.Unlock()
	s.seated.Wait()
}

// Close sends everybody away and waits until they are gone. Who follows the events is told
// the last of them, unless they do not read.
func (s *Server) Close() {
	s.Dismiss()
	s.closing.Do(func() {
		s.last = time.Now().Add(lastPatience)
		s.cancel()
	})
	s.listener.Close()
	s.tasks.Wait()
}

// seat has f carried out for somebody at a console, on a goroutine of its own; false if
// the consoles are gone.
func (s *Server) seat(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.viewing.Err() != nil {
		return false
	}
	s.seated.Go(f)
	return true
}

// Viewers tells how many sit at a console.
func (s *Server) Viewers(console string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.viewers[console])
}

// serve answers one client.
func (s *Server) serve(conn *net.UnixConn) {
	defer conn.Close()
	if s.welcome(conn) {
		s.answer(conn, false)
	}
}

// guests may ask for these: what a class is shown of a run.
var guests = []string{"status", "events", "network", "attach", "screen"}

// answer answers a client that was let in. A guest comes from the class.
func (s *Server) answer(conn *net.UnixConn, guest bool) {
	stop := context.AfterFunc(s.ctx, func() { conn.Close() })
	defer stop()
	kind, payload, err := readFrame(conn)
	var asked request
	if err != nil || kind != frameRequest || json.Unmarshal(payload, &asked) != nil {
		return
	}
	if asked.guest = guest; guest && !slices.Contains(guests, asked.Op) {
		writeJSON(conn, frameAnswer, answer{Error: "refused", Text: "a guest of the class looks on, and types where the student agrees"})
		return
	}
	switch asked.Op {
	case "status":
		status := s.lab.Status()
		for i := range status.Machines {
			m := &status.Machines[i]
			m.Viewers = s.Viewers(m.Name)
			for j := range m.Consoles {
				m.Consoles[j].Viewers = s.Viewers(m.Consoles[j].Name)
			}
		}
		status.Title, status.Mission = cut(status.Title, longestTitle), cut(status.Mission, longestTitle)
		writeJSON(conn, frameAnswer, answer{Status: &status})
	case "stop":
		writeJSON(conn, frameAnswer, answer{})
		s.lab.Stop()
		readFrame(conn) // the client waits for the end, and so for this connection's
	case "events":
		if stop() && writeJSON(conn, frameAnswer, answer{}) == nil {
			s.tell(conn, guest)
		}
	case "network":
		if stop() && writeJSON(conn, frameAnswer, answer{}) == nil {
			s.network(conn)
		}
	case "capture":
		s.capture(conn, asked.Network)
	case "hold":
		gone := make(chan struct{})
		if !s.seat(func() { defer close(gone); s.hold(conn, asked.Machine) }) {
			writeJSON(conn, frameAnswer, answer{Error: "over"})
			return
		}
		<-gone
	case "command":
		writeJSON(conn, frameAnswer, s.command(conn, asked))
	case "attach":
		s.among(s.lab.Consoles(), conn, asked, func() { s.view(conn, asked) })
	case "screen":
		s.among(s.lab.Names(), conn, asked, func() { s.screen(conn, asked) })
	}
}

// among has f carried out for what is asked for, if it is one of these names and the
// consoles are not gone yet.
func (s *Server) among(names []string, conn *net.UnixConn, asked request, f func()) {
	if !slices.Contains(names, asked.Machine) {
		writeJSON(conn, frameAnswer, answer{Error: "unknown-machine", Names: names})
		return
	}
	gone := make(chan struct{})
	if !s.seat(func() { defer close(gone); f() }) {
		writeJSON(conn, frameAnswer, answer{Error: "over"})
		return
	}
	<-gone
}

// welcome reports whether the kernel says that the other end is the lab's owner, or
// root.
func (s *Server) welcome(conn *net.UnixConn) bool {
	uid, err := host.PeerUID(conn)
	return err == nil && (uid == s.owner || uid == 0)
}
