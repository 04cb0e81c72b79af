package pc

import (
	"context"
	"errors"
	"sync"
)

// Page is the way to a page that can hold a machine. Send and Next may be called at the
// same time; an error says that the page has gone.
type Page interface {
	Send(message []byte) error
	Next() (message []byte, err error)
}

// The kinds of messages: the first byte of each. The page has them in resident.js.
const (
	messageOn      = 'p' // to the page: go on from this state, with this MAC; JSON
	messageOff     = 'o' // to the page
	messageReset   = 'r' // to the page: go on from the state once more
	messageUp      = 'u' // from the page: it runs; what its console has shown by then
	messageDown    = 'd' // from the page: it ended by itself; why, empty if it powered itself off
	messageConsole = '0' // both ways: bytes of the first serial port
	messageControl = '1' // both ways: of the second
	messageFrame   = 'e' // both ways: an Ethernet frame
)

// ErrNoPage says that no page is there that could hold the machine.
var ErrNoPage = errors.New("no page is open that could hold the machine")

// Slot is a machine's place in pages. Its zero value has none; its methods are safe for
// concurrent use.
type Slot struct {
	mu      sync.Mutex
	waiting chan struct{} // has a token while a page holds the place
	page    Page
	machine *Machine // of the page; nil while it is off
}

// turn is who may hold the place.
func (s *Slot) turn() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = make(chan struct{}, 1)
	}
	return s.waiting
}

// Hold keeps a page ready to hold the machine, and carries what it says, until the page has
// gone. A second page waits for its turn until ctx ends.
func (s *Slot) Hold(ctx context.Context, page Page) error {
	turn := s.turn()
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	s.mu.Lock()
	s.page = page
	s.mu.Unlock()
	for {
		message, err := page.Next()
		if err != nil {
			s.mu.Lock()
			machine := s.machine
			s.page, s.machine = nil, nil
			s.mu.Unlock()
			if machine != nil {
				machine.finish(Exit{Reason: Gone})
			}
			return err
		}
		s.mu.Lock()
		machine := s.machine
		s.mu.Unlock()
		if machine != nil && len(message) > 0 {
			machine.hear(message[0], message[1:])
		}
	}
}

// Held reports whether a page is there.
func (s *Slot) Held() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.page != nil
}

// SwitchOn has the page that holds the place let the machine go on from a saved state, by the
// name of its file, with this hardware address of its network card, and returns it when it
// runs. The caller closes it.
func (s *Slot) SwitchOn(ctx context.Context, state, mac string) (*Machine, error) {
	s.mu.Lock()
	page := s.page
	s.mu.Unlock()
	if page == nil {
		return nil, ErrNoPage
	}
	m, err := newMachine(page)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	held := s.page == page
	if held {
		s.machine = m
	}
	s.mu.Unlock()
	if err = ErrNoPage; held {
		err = m.start(ctx, state, mac)
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}
