package class

import (
	"bytes"
	"path"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/report"
)

// Run is what is kept of one run: a fold of what it has reported.
type Run struct {
	ID      int64     `json:"-"`
	Account string    `json:"account"` // the user of this computer whose process it was
	Session string    `json:"session"`
	Started time.Time `json:"started"`

	Student string    `json:"student"` // the ID that the run was given; else the account
	Course  string    `json:"course,omitempty"`
	Mission string    `json:"mission"` // its name
	Title   string    `json:"title"`
	Lines   int       `json:"lines"` // that were reported
	Heard   time.Time `json:"heard"` // when the last of them happened

	Steps   []Step `json:"steps"`
	At      int    `json:"at"`              // the present step, counted from 1; 0: none
	Asked   *Asked `json:"asked,omitempty"` // what the student is asked to do; nil: nothing
	Invited bool   `json:"invited,omitempty"`
	Ended   string `json:"ended,omitempty"` // "finished", "stopped" or "failed"; empty: not yet, as far as is known

	Hints    []Hint    `json:"hints,omitempty"`
	Mistakes []Mistake `json:"mistakes,omitempty"`
	Done     []Mark    `json:"done,omitempty"` // instructions that the student did, as they were done

	Live bool `json:"-"` // it reports now

	caller *attach.Caller // by which it reports
	seat   chan struct{}  // held by the connection that is heard
}

// Step is how a step stands: "ahead", "here", "done", "skipped", "left", or of a challenge "begun".
type Step struct {
	Title   string    `json:"title"`
	State   string    `json:"state"`
	Began   time.Time `json:"began,omitzero"` // the last time
	Seconds float64   `json:"seconds,omitempty"`
	Hints   int       `json:"hints,omitempty"`
	Helped  int       `json:"helped,omitempty"` // how often labrun did something for the student
	Missed  int       `json:"missed,omitempty"` // wrong answers, and what was refused
}

// Asked is what a student is asked to do.
type Asked struct {
	Number  int       `json:"number"`
	Console string    `json:"console,omitempty"`
	What    string    `json:"what"`
	Since   time.Time `json:"since"`
	Hints   int       `json:"hints,omitempty"`  // that were taken for it
	Missed  string    `json:"missed,omitempty"` // the last reason why it is not done
}

// Hint is one that was taken.
type Hint struct {
	Step  int       `json:"step"`
	What  string    `json:"what"` // what was asked
	Level int       `json:"level"`
	Text  string    `json:"text"`
	At    time.Time `json:"at"`
}

// Mistake is a wrong answer, or the reason why something was refused.
type Mistake struct {
	Step  int       `json:"step"`
	What  string    `json:"what"`
	Said  string    `json:"said"`
	Wrong bool      `json:"wrong,omitempty"` // Said is the student's answer
	At    time.Time `json:"at"`
}

// Mark is when an instruction was done.
type Mark struct {
	Step int       `json:"step"`
	What string    `json:"what"`
	At   time.Time `json:"at"`
}

// The bounds of what is kept of a run, which is a stranger's: steps, entries of each list,
// bytes of a text.
const mostSteps, mostEntries, longestText = 500, 300, 200

// take folds a line of what a run reports. A line that cannot be read counts, and does nothing.
func (r *Run) take(line []byte, now time.Time) {
	r.Lines++
	records, err := report.ReadEvents(bytes.NewReader(append(bytes.Clone(line), '\n')))
	if err != nil || len(records) == 0 {
		return
	}
	at := records[0].Time
	if at.After(now) || at.IsZero() {
		at = now
	}
	r.Heard = at
	r.fold(records[0].Event, at)
}

func (r *Run) fold(e event.Event, at time.Time) {
	switch e := e.(type) {
	case event.RunStarted:
		// As a file it is somewhere else for each student.
		r.Mission = text(strings.TrimSuffix(path.Base(e.Mission), ".star"))
		r.Title, r.Course = text(e.Title), text(e.Course)
		if e.Student != "" {
			r.Student = text(e.Student)
		}
		r.Steps = nil
		for _, title := range e.Titles[:min(len(e.Titles), mostSteps)] {
			r.Steps = append(r.Steps, Step{Title: text(title), State: "ahead"})
		}
	case event.StepStarted:
		r.begin(e, at)
	case event.Recalled:
		if s := r.step(r.At); s != nil {
			s.State, s.Seconds, s.Hints, s.Helped = recalled(e.State), e.Seconds, e.Hints, e.Helped
		}
	case event.StepEnded:
		r.end(e)
	case event.Board:
		r.Asked = nil
		for i, c := range e.Challenges {
			if s := r.step(e.First + i); s != nil {
				s.State = recalled(c.State)
			}
		}
	case event.Instructed:
		what := e.Say
		if !strings.Contains(what, e.Text) { // a question's is in it
			what = strings.TrimSpace(what + " " + e.Text)
		}
		r.Asked = &Asked{Number: e.Number, Console: text(e.Console), What: text(what), Since: at}
	case event.Fulfilled:
		if r.Asked != nil && e.By == "student" {
			r.Done = add(r.Done, Mark{r.At, r.Asked.What, at})
		}
		r.Asked = nil
	case event.Hinted:
		if s := r.step(r.At); s != nil {
			s.Hints++
		}
		h := Hint{Step: r.At, Level: e.Level, Text: text(e.Text), At: at}
		if r.Asked != nil {
			r.Asked.Hints++
			h.What = r.Asked.What
		}
		r.Hints = add(r.Hints, h)
	case event.Missed:
		r.miss(Mistake{Said: text(e.Reason), At: at})
	case event.Answered:
		if e.Verdict == "wrong" {
			r.miss(Mistake{Said: text(e.Answer), Wrong: true, At: at})
		}
	case event.Helped:
		if s := r.step(r.At); s != nil {
			s.Helped++
		}
	case event.Invited:
		r.Invited = e.On
	case event.Completed:
		r.Ended, r.Asked = "finished", nil
	case event.Paused:
		r.Ended, r.Asked = "stopped", nil
	case event.RunEnded:
		if r.Asked, r.Invited = nil, false; r.Ended == "" {
			r.Ended = "failed"
		}
	}
}

func (r *Run) begin(e event.StepStarted, at time.Time) {
	s := r.step(e.Index)
	if s == nil {
		return
	}
	if old := r.step(r.At); old != nil && old.State == "here" {
		old.State = "begun"
	}
	r.At, r.Asked = e.Index, nil
	s.Title, s.Began = text(e.Title), at
	if !e.Replayed {
		s.State = "here"
	}
}

func (r *Run) end(e event.StepEnded) {
	s := r.step(e.Index)
	r.Asked = nil
	switch {
	case s == nil || s.State != "here": // it was replayed: the student did it before
	case e.Away:
		s.State = "begun"
	case e.Error != "": // the run has ended in it
	default:
		s.Seconds = e.Seconds
		s.State = map[bool]string{true: "done", false: "left"}[e.Passed]
		if e.Skipped {
			s.State = "skipped"
		}
	}
}

func (r *Run) miss(m Mistake) {
	if s := r.step(r.At); s != nil {
		s.Missed++
	}
	if m.Step = r.At; r.Asked != nil {
		m.What, r.Asked.Missed = r.Asked.What, m.Said
	}
	r.Mistakes = add(r.Mistakes, m)
}

// step is the one of that number, counted from 1; nil: there is none.
func (r *Run) step(n int) *Step {
	if n < 1 || n > len(r.Steps) {
		return nil
	}
	return &r.Steps[n-1]
}

// Finished counts the steps that are behind the student.
func (r *Run) Finished() (n int) {
	for _, s := range r.Steps {
		if s.State == "done" || s.State == "skipped" || s.State == "left" {
			n++
		}
	}
	return n
}

// recalled is a step's state as a run says it, which may say anything.
func recalled(state string) string {
	switch state {
	case "done", "skipped", "left", "begun":
		return state
	}
	return "ahead"
}

// text bounds a stranger's text.
func text(s string) string {
	if len(s) > longestText {
		s = strings.ToValidUTF8(s[:longestText], "") + "…"
	}
	return s
}

func add[T any](list []T, entry T) []T {
	if len(list) >= mostEntries {
		return list
	}
	return append(list, entry)
}
