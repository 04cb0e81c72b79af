package serve

import (
	"context"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"

	"golang.org/x/text/language"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/pc"
	"github.com/labrun/labrun/internal/phrase"
	"github.com/labrun/labrun/internal/run"
)

// listed is a mission in the list.
type listed struct {
	Name      string   `json:"name"`
	Title     string   `json:"title"`
	Minutes   int      `json:"minutes"`
	Steps     int      `json:"steps"`
	Done      int      `json:"done"` // steps
	Finished  bool     `json:"finished"`
	Languages []string `json:"languages"`
	Session   string   `json:"session"` // in which it runs; empty: it does not
	Refused   string   `json:"refused"` // why it cannot be started here; empty: it can
}

// home tells what there is.
func (s *Server) home(w http.ResponseWriter, r *http.Request, v visitor, _ []string) {
	tag := s.languageOf(r)
	missions := []listed{}
	found := attach.Find(r.Context(), s.Sessions)
	for _, name := range s.Missions {
		l := s.list(r.Context(), name, tag, found)
		if v.student || slices.ContainsFunc(found, func(run attach.Found) bool {
			return run.Session() == l.Session && v.sees(run)
		}) {
			missions = append(missions, l)
		}
	}
	s.answer(w, http.StatusOK, map[string]any{
		"version": s.Version, "language": tag, "languages": pc.Languages(), "readonly": !v.student, "student": s.Student, "missing": s.Missing,
		"missions": missions, "hub": s.hubHome(), "class": v.teacher,
	})
}

// list tells in a language how a mission stands, and in which of the runs that were found it is.
func (s *Server) list(ctx context.Context, name, tag string, found []attach.Found) listed {
	words := phrase.In(tag)
	m, err := s.Load(ctx, name, tag)
	if err != nil {
		return listed{Name: name, Title: name, Languages: []string{}, Refused: words.Say("serve mistake", err)}
	}
	declared := m.Declared()
	l := listed{
		Name: name, Title: declared.Title, Minutes: declared.Minutes, Steps: len(declared.Steps), Languages: m.Languages(),
	}
	if slices.Contains(declared.Needs, "host") && !m.BuiltIn() { // what came with labrun is trusted as labrun is
		l.Refused = words.Say("serve host", name)
	}
	progress, holder := run.LookAtProgress(s.State, m)
	var steps []string
	for _, step := range m.GuideSteps() {
		steps = append(steps, step.Name)
	}
	var known bool
	if l.Done, known = progress.Next(steps); known && l.Done < len(steps) {
		l.Done += progress.Solved()
	}
	l.Finished = l.Done == l.Steps
	l.Session = sessionOf(m, holder, found)
	return l
}

// sessionOf is the session in which a mission's student is led: by the process that holds
// the progress, wherever it was started; empty if there is none. A number of a process
// alone could be another's by now.
func sessionOf(m *mission.Mission, holder int, found []attach.Found) string {
	for _, run := range found {
		if run.Guided && run.PID == holder && filepath.Base(run.Mission) == filepath.Base(m.File) {
			return run.Session()
		}
	}
	return ""
}

// student is the process in which a session's student is led.
type student struct {
	session string
	pid     int
}

// missionOf is the mission in the list that a run is of; empty if it is of none. Finding it
// loads missions, so what was found is kept for the pages that come later.
func (s *Server) missionOf(ctx context.Context, found attach.Found) string {
	who := student{found.Session(), found.PID}
	if name, ok := s.missions.Load(who); ok {
		return name.(string)
	}
	for _, name := range s.Missions {
		if m, err := s.Load(ctx, name, ""); err == nil {
			if _, holder := run.LookAtProgress(s.State, m); sessionOf(m, holder, []attach.Found{found}) != "" {
				s.missions.Store(who, name)
				return name
			}
		}
	}
	return ""
}

func (s *Server) languages(w http.ResponseWriter, _ *http.Request, _ visitor, _ []string) {
	s.answer(w, http.StatusOK, pc.Languages())
}

// phrases tells labrun's words in a language.
func (s *Server) phrases(w http.ResponseWriter, r *http.Request, _ visitor, names []string) {
	if !slices.Contains(phrase.Languages(), names[0]) {
		s.refuse(w, http.StatusNotFound, "labrun does not speak this language")
		return
	}
	s.answer(w, http.StatusOK, phrase.In(names[0]).Phrases())
}

// languageOf is the language of labrun's own words in the answer to a request: as its query
// says, else as its browser wishes.
func (s *Server) languageOf(r *http.Request) string {
	if l, ok := phrase.Match(r.URL.Query().Get("language"), phrase.Languages()); ok {
		return l
	}
	wanted, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	for _, tag := range wanted {
		if l, ok := phrase.Match(tag.String(), phrase.Languages()); ok {
			return l
		}
	}
	return s.Language
}

// say is one of labrun's phrases in that language.
func (s *Server) say(r *http.Request, name string, args ...any) string {
	return phrase.In(s.languageOf(r)).Say(name, args...)
}

// sessionName is what a session's folder may be called.
var sessionName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// find finds a run that a visitor may see.
func (s *Server) find(ctx context.Context, v visitor, session string) (attach.Found, bool) {
	if !sessionName.MatchString(session) {
		return attach.Found{}, false
	}
	run, err := attach.At(ctx, filepath.Join(s.Sessions, session))
	return run, err == nil && (run.Student == s.Student || s.Class != nil) && v.sees(run)
}
