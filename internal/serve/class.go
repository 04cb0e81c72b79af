package serve

import (
	"net/http"
	"time"

	"github.com/labrun/labrun/internal/class"
)

// A class's server (Options.Class) has no missions of its own. Who comes in is the teacher: they see
// how all students stand, and the labs of those whose runs report, as one who looks on; and
// type at consoles whose student has invited them, which the run itself decides.

// overview tells how the students stand.
func (s *Server) overview(w http.ResponseWriter, r *http.Request, v visitor, _ []string) {
	if !v.teacher {
		s.refuse(w, http.StatusNotFound, "there is no class here")
		return
	}
	s.answer(w, http.StatusOK, class.NewOverview(s.Class.Runs(), time.Now()))
}

// similar points out whose work in a mission is alike.
func (s *Server) similar(w http.ResponseWriter, r *http.Request, v visitor, _ []string) {
	if !v.teacher {
		s.refuse(w, http.StatusNotFound, "there is no class here")
		return
	}
	s.answer(w, http.StatusOK, map[string]any{"similar": class.FindSimilar(s.Class.Runs(), r.URL.Query().Get("mission"))})
}
