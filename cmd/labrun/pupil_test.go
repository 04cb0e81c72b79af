package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// lesson is a lab's guide as a student's page has it, which comes back when the connection is lost.
type lesson struct {
	p       *pupil
	session string

	mu     sync.Mutex
	conn   *websocket.Conn // nil: it is lost
	step   int
	asked  asked // the instruction that stands
	lost   int   // how often the connection was lost
	closed websocket.StatusCode
	log    []string
}

// asked is what the guide wants.
type asked struct {
	Number   int
	Verb     string
	Question bool
}

// dials opens a websocket of a student's lab.
func (p *pupil) dials(ctx context.Context, path string) (*websocket.Conn, error) {
	conn, _, err := websocket.Dial(ctx, p.h.at+path, &websocket.DialOptions{HTTPClient: p.Client})
	if err == nil {
		conn.SetReadLimit(8 << 20)
	}
	return conn, err
}

// follows follows the guide until the test ends.
func (p *pupil) follows(session string) *lesson {
	l, ctx := &lesson{p: p, session: session}, p.t.Context()
	p.tasks.Go(func() {
		for ctx.Err() == nil {
			conn, err := p.dials(ctx, "/user/"+p.name+"/api/sessions/"+session+"/guide")
			for err == nil {
				l.mu.Lock()
				l.conn = conn
				l.mu.Unlock()
				var message []byte
				if _, message, err = conn.Read(ctx); err == nil {
					l.hear(message)
				}
			}
			l.mu.Lock()
			l.conn = nil
			l.lost++
			l.closed = websocket.CloseStatus(err)
			l.mu.Unlock()
			time.Sleep(100 * time.Millisecond) // as a page waits before it tries again
		}
	})
	return l
}

func (l *lesson) hear(message []byte) {
	var e struct {
		Event  string
		Index  int
		Number int
		asked
	}
	json.Unmarshal(message, &e)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log = append(l.log, string(message[:min(len(message), 200)]))
	switch e.Event {
	case "step_started":
		l.step, l.asked = e.Index, asked{}
	case "instructed":
		l.asked = e.asked
		l.asked.Number = e.Number
	case "fulfilled":
		l.asked = asked{}
	}
}

// at waits until the guide is at a step and wants something there.
func (l *lesson) at(step int, verb string) (number int) {
	l.p.t.Helper()
	l.until(fmt.Sprintf("step %d, %s", step, verb), func() bool {
		number = l.asked.Number
		return l.step == step && (l.asked.Verb == verb || verb == "ask" && l.asked.Question)
	})
	return number
}

// until waits until something holds, with mu held.
func (l *lesson) until(what string, holds func() bool) {
	l.p.t.Helper()
	limit := time.Now().Add(patience)
	for {
		l.mu.Lock()
		done := holds()
		l.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(limit) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.p.t.Fatalf("%s: not in time: %s; the guide says\n%s", l.p.name, what, strings.Join(l.log, "\n"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// says says a word to the guide, and again while there is no connection.
func (l *lesson) says(word, text string, number int) {
	message := fmt.Appendf(nil, `{"id": 1, "word": %q, "text": %q, "for": %d}`, word, text, number)
	l.until("says "+word, func() bool {
		return l.conn != nil && l.conn.Write(l.p.t.Context(), websocket.MessageText, message) == nil
	})
}

// seat is a machine's console as a student's page has it, which comes back when the connection is lost.
type seat struct {
	l *lesson

	mu       sync.Mutex
	conn     *websocket.Conn
	boot     uint32
	position uint64
	printed  strings.Builder
}

// sits follows a machine's console until the test ends.
func (l *lesson) sits(machine string) *seat {
	s, ctx := &seat{l: l}, l.p.t.Context()
	l.p.tasks.Go(func() {
		for ctx.Err() == nil {
			s.mu.Lock()
			path := fmt.Sprintf("/user/%s/api/sessions/%s/consoles/%s?boot=%d&from=%d", l.p.name, l.session, machine, s.boot, s.position)
			s.mu.Unlock()
			conn, err := l.p.dials(ctx, path)
			for err == nil {
				s.mu.Lock()
				s.conn = conn
				s.mu.Unlock()
				var message []byte
				if _, message, err = conn.Read(ctx); err == nil {
					err = s.hear(ctx, conn, message)
				}
			}
			s.mu.Lock()
			s.conn = nil
			s.mu.Unlock()
			time.Sleep(100 * time.Millisecond) // as a page waits before it tries again
		}
	})
	return s
}

func (s *seat) hear(ctx context.Context, conn *websocket.Conn, message []byte) error {
	if message[0] == 'n' {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.printed.Write(message[1:])
		return nil
	}
	s.mu.Lock()
	s.boot, s.position = binary.BigEndian.Uint32(message[1:]), binary.BigEndian.Uint64(message[5:])
	s.printed.Write(message[13:])
	s.mu.Unlock()
	return conn.Write(ctx, websocket.MessageBinary, append([]byte{'a'}, message[5:13]...))
}

// reads waits until the console has printed a text.
func (s *seat) reads(text string) {
	s.l.p.t.Helper()
	if !s.readsWithin(patience, text) {
		s.l.p.t.Fatalf("%s: %q never came; the console says\n%s", s.l.p.name, text, s.printed.String())
	}
}

func (s *seat) readsWithin(limit time.Duration, text string) bool {
	for over := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		s.mu.Lock()
		said := strings.Contains(s.printed.String(), text)
		s.mu.Unlock()
		if said || time.Now().After(over) {
			return said
		}
	}
}

// goesOn waits until a shell answers. What is typed before it is known that the connection is gone is lost.
func (s *seat) goesOn(when string) {
	s.l.p.t.Helper()
	for over := time.Now().Add(patience); time.Now().Before(over); {
		s.types("echo " + when + " $((40+2))")
		if s.readsWithin(10*time.Second, "\n"+when+" 42") {
			return
		}
	}
	s.l.p.t.Fatalf("%s: nothing answers %s", s.l.p.name, when)
}

// types enters a line, once there is a connection.
func (s *seat) types(line string) {
	limit := time.Now().Add(patience)
	for time.Now().Before(limit) {
		s.mu.Lock()
		sent := s.conn != nil && s.conn.Write(s.l.p.t.Context(), websocket.MessageBinary, []byte("i"+line+"\r")) == nil
		s.mu.Unlock()
		if sent {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.l.p.t.Fatalf("%s cannot type %q", s.l.p.name, line)
}

// bootsTheRouter plays week 1's second step: the router's prompt, and what it says.
func (l *lesson) bootsTheRouter() (router7 *seat) {
	l.p.t.Helper()
	l.at(2, "boot")
	router7 = l.sits("router7")
	router7.reads("Enter")
	router7.types("")
	router7.reads("activate this console")
	router7.types("")
	l.at(2, "send")
	router7.types("ip a")
	router7.reads("lan0")
	l.at(3, "boot")
	return router7
}
