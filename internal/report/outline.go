package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/labrun/labrun/internal/event"
)

// outline is what the events of a run come to.
type outline struct {
	Mission, Title string
	Guided         bool
	Player         string // whose mission it is; empty: nobody's in particular
	Student        string // whose progress; empty: nobody's
	Started        time.Time
	Steps          []*step
	Boots          []*boot
	Notices        []string
	End            *event.RunEnded // nil: the run was killed, or goes on
}

// state is what became of a step, in words.
type state string

const (
	statePassed     state = "passed"
	stateDone       state = "done by labrun"
	stateReplayed   state = "replayed"
	stateLeft       state = "left out" // a student went on without it
	stateFailed     state = "failed"
	stateStopped    state = "stopped here"
	stateUnfinished state = "not finished"
	stateNotReached state = "not reached"
	stateBegun      state = "begun"                 // a challenge that the student has left
	stateChanged    state = "passed, later changed" // a challenge whose check does not hold any more
)

// step is one step and all that happened in it, each time that it was played.
type step struct {
	Index     int
	Title     string // the first it had: a student may go on in another language
	State     state
	Times     int     // how often it was begun
	Seconds   float64 // all its times together
	Error     string
	Said      []string
	Questions []*question
	Checks    []*failedCheck
	Hints     []event.Hinted
	Helps     []event.Helped
	Consoles  []excerpt
	Pictures  []*picture
	Recalled  *event.Recalled // how it was done in an earlier run
	Solved    time.Time       // a challenge: when it was first

	named bool
	solid bool // a challenge that was solved, and stays so
	spans []span
}

// called gives the step its title, unless it has one.
func (s *step) called(title string) {
	if !s.named && title != "" {
		s.Title, s.named = title, true
	}
}

// span is a time in which a step was played; without an end, it was the last.
type span struct{ from, to time.Time }

type question struct {
	Question string
	Choices  []string
	Answer   string // labrun's own
	Answers  []event.Answered
}

// failedCheck is a check that failed, once or again and again.
type failedCheck struct {
	event.Checked
	Times int
}

// boot is one time that a machine was on.
type boot struct {
	Name   string
	Number int     // of this machine's boots, from 1
	Ready  float64 // seconds until its first prompt; 0: there was none
	State  string  // «booting», «ready», «stopped», «failed»
	Detail string
}

// Label names the boot: the machine, and which boot it was if not the first.
func (b *boot) Label() string { return b.console("") }

// console names one of the machine's consoles at that boot: its own if further is empty.
func (b *boot) console(further string) string {
	name := b.Name
	if further != "" {
		name += "/" + further
	}
	if b.Number == 1 {
		return name
	}
	return fmt.Sprintf("%s, boot %d", name, b.Number)
}

// outlineOf sums up a run.
func outlineOf(records []event.Record) *outline {
	o := &outline{}
	var now *step // the step that is played
	for _, r := range records {
		if o.Started.IsZero() {
			o.Started = r.Time
		}
		switch e := r.Event.(type) {
		case event.RunStarted:
			o.Mission, o.Title, o.Guided = e.Mission, e.Title, e.Guided
			o.Player, o.Student = player(e), e.Student
			for i := range min(e.Steps, mostSteps) {
				s := o.step(i + 1)
				if i < len(e.Titles) {
					s.called(e.Titles[i])
				}
			}
		case event.Notice:
			o.Notices = append(o.Notices, e.Text)
		case event.Machine:
			o.machine(e, r.Time)
		case event.RunEnded:
			o.End = &e
		case event.StepStarted:
			now = o.step(e.Index)
			now.called(e.Title)
			if !now.solid {
				now.State = stateUnfinished
			}
			now.Times++
			now.spans = append(now.spans, span{from: r.Time})
			if e.Replayed {
				now.State = stateReplayed
			}
		case event.Board:
			o.board(e)
		case event.StepEnded:
			o.step(e.Index).ended(e, r.Time)
		default:
			if now != nil {
				now.happened(r.Event)
			}
		}
	}
	for _, s := range o.Steps {
		switch over := len(s.spans) == 0 || !s.spans[len(s.spans)-1].to.IsZero(); {
		case !over && !s.solid:
			s.State = stateUnfinished
		case s.State == stateFailed && o.End != nil && o.End.ExitCode == exitInterrupted:
			s.State = stateStopped
		}
	}
	return o
}

// exitInterrupted is the exit code of a run that its user stopped.
const exitInterrupted = 130

// mostSteps bounds the numbers that are believed: the file may be damaged.
const mostSteps = 10_000

// step returns a step by its number, from 1.
func (o *outline) step(index int) *step {
	index = min(max(index, 1), mostSteps)
	for len(o.Steps) < index {
		n := len(o.Steps) + 1
		o.Steps = append(o.Steps, &step{Index: n, Title: fmt.Sprintf("Step %d", n), State: stateNotReached})
	}
	return o.Steps[index-1]
}

func (o *outline) machine(e event.Machine, at time.Time) {
	number := 0
	var last *boot
	for _, b := range o.Boots {
		if b.Name == e.Name {
			last, number = b, b.Number
		}
	}
	if e.State == "booting" || last == nil {
		last = &boot{Name: e.Name, Number: number + 1}
		o.Boots = append(o.Boots, last)
	}
	last.State, last.Detail = e.State, e.Detail
	if e.State == "ready" {
		last.Ready = e.Seconds
	}
}

// board notes how the challenges of a board stand.
func (o *outline) board(e event.Board) {
	for i, c := range e.Challenges {
		s := o.step(e.First + i)
		s.Solved = c.Passed
		switch {
		case c.Changed:
			s.State = stateChanged
		case c.State == "done" && s.State != stateReplayed:
			s.State = statePassed
		case c.State == "skipped" && s.State != stateReplayed:
			s.State = stateDone
		case c.State == "begun":
			s.State = stateBegun
		}
	}
}

func (s *step) ended(e event.StepEnded, at time.Time) {
	if len(s.spans) > 0 {
		s.spans[len(s.spans)-1].to = at
	}
	s.called(e.Title)
	s.Error = e.Error
	s.Seconds += e.Seconds
	s.solid = s.solid || e.Passed
	switch {
	case e.Away && !s.solid:
		s.State = stateBegun
	case e.Away:
	case !e.Passed && e.Error == "":
		s.State = stateLeft
	case !e.Passed:
		s.State = stateFailed
	case e.Skipped:
		s.State = stateDone
	case s.State != stateReplayed:
		s.State = statePassed
	}
}

// happened notes what happened while the step was played.
func (s *step) happened(e event.Event) {
	switch e := e.(type) {
	case event.Said:
		s.Said = append(s.Said, e.Text)
	case event.Asked:
		q := s.question(e.Question)
		q.Choices, q.Answer = e.Choices, e.Answer
	case event.Answered:
		q := s.question(e.Question)
		q.Answers = append(q.Answers, e)
	case event.Recalled:
		if s.Recalled == nil { // a replay may take several tries
			for _, a := range e.Answers {
				s.happened(a)
			}
		}
		s.Recalled = &e
	case event.Hinted:
		if !e.Retold {
			s.Hints = append(s.Hints, e)
		}
	case event.Helped:
		s.Helps = append(s.Helps, e)
	case event.Pictured:
		s.Pictures = append(s.Pictures, &picture{Pictured: e})
	case event.Checked:
		if e.Passed {
			return
		}
		for _, c := range s.Checks {
			if c.Checked == e {
				c.Times++
				return
			}
		}
		s.Checks = append(s.Checks, &failedCheck{Checked: e, Times: 1})
	}
}

func (s *step) question(text string) *question {
	i := slices.IndexFunc(s.Questions, func(q *question) bool { return q.Question == text })
	if i < 0 {
		i = len(s.Questions)
		s.Questions = append(s.Questions, &question{Question: text})
	}
	return s.Questions[i]
}

// HintCount is how many hints were used, in an earlier run as well.
func (s *step) HintCount() int {
	if s.Recalled != nil {
		return s.Recalled.Hints + len(s.Hints)
	}
	return len(s.Hints)
}

// Hint returns the author's advice on the check that ended the step.
func (s *step) Hint() string {
	if len(s.Checks) == 0 {
		return ""
	}
	return s.Checks[len(s.Checks)-1].Hint
}
