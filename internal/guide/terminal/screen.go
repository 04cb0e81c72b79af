package terminal

import (
	"bytes"
	"io"
	"sync"
)

// screen is the guide's part of the terminal. While a console is shown there, the
// guide's words are kept until it is left.
type screen struct {
	mu     sync.Mutex
	out    io.Writer
	held   bool
	kept   bytes.Buffer
	writes int // so far: who has written can tell whether they were the last
}

func (s *screen) write(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.held {
		s.kept.WriteString(text)
		return
	}
	io.WriteString(s.out, text) // a terminal that is gone shows at the next read
}

// count returns how often something was written.
func (s *screen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

func (s *screen) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
}

// first shows a text before what was kept.
func (s *screen) first(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	io.WriteString(s.out, text)
}

func (s *screen) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	s.out.Write(s.kept.Bytes())
	s.kept.Reset()
}
