package attach

import "github.com/labrun/labrun/internal/console"

// The size of a terminal that nobody sits at, in characters.
const defaultColumns, defaultRows = 80, 24

// mostColumns is more than any terminal has, and fewer than what would harm a guest.
const mostColumns = 10_000

// enter notes a viewer's size, and with it that it is there. It is what a stranger says.
func (s *Server) enter(v *viewer, its size) {
	its.Columns, its.Rows = min(its.Columns, mostColumns), min(its.Rows, mostColumns)
	s.mu.Lock()
	if s.viewers[v.machine] == nil {
		s.viewers[v.machine] = map[*viewer]size{}
	}
	s.viewers[v.machine][v] = its
	s.mu.Unlock()
	s.resize(v.machine)
}

func (s *Server) leave(v *viewer) {
	s.mu.Lock()
	delete(s.viewers[v.machine], v)
	s.mu.Unlock()
	s.resize(v.machine)
}

// retold forgets what a machine was told, if it has another console than when that was: it was
// switched on and knows nothing.
func (s *Server) retold(machine string, c *console.Console) {
	s.mu.Lock()
	if s.boots[machine] != c.ID() {
		s.boots[machine] = c.ID()
		delete(s.told, machine)
	}
	s.mu.Unlock()
	s.resize(machine)
}

// smallest is the size that fits all viewers of a machine. Viewers that have none,
// pipes, do not count.
func (s *Server) smallest(machine string) size {
	var least size
	for _, its := range s.viewers[machine] {
		if its.Columns > 0 && (least.Columns == 0 || its.Columns < least.Columns) {
			least.Columns = its.Columns
		}
		if its.Rows > 0 && (least.Rows == 0 || its.Rows < least.Rows) {
			least.Rows = its.Rows
		}
	}
	if least.Columns == 0 || least.Rows == 0 {
		return size{defaultColumns, defaultRows}
	}
	return least
}

// resize tells a machine the size of its terminal if that has changed. Nobody
// waits for it: a guest may take its time.
func (s *Server) resize(machine string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sizing[machine] || s.viewing.Err() != nil {
		return
	}
	s.sizing[machine] = true
	s.seated.Go(func() {
		for {
			s.mu.Lock()
			want := s.smallest(machine)
			told, known := s.told[machine]
			if known && told == want || !known && want == (size{defaultColumns, defaultRows}) || s.viewing.Err() != nil {
				s.sizing[machine] = false
				s.mu.Unlock()
				return
			}
			s.told[machine] = want
			s.mu.Unlock()
			s.lab.Resize(s.viewing, machine, want.Columns, want.Rows)
		}
	})
}
