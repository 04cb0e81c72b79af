package class

import (
	"cmp"
	"slices"
	"time"
)

// Overview is what a teacher sees of the course at one moment.
type Overview struct {
	At       time.Time `json:"at"`
	Missions []Mission `json:"missions"`
	Students []Student `json:"students"`
}

// Student is how a student stands in a mission: their last run of it.
type Student struct {
	Student string    `json:"student"`
	Account string    `json:"account"` // whose process said so
	Mission string    `json:"mission"`
	Title   string    `json:"title"`
	Live    bool      `json:"live"`            // the run reports now
	Door    string    `json:"door,omitempty"`  // what it is called there; empty: it does not
	Heard   time.Time `json:"heard"`           // when something last happened
	Ended   string    `json:"ended,omitempty"` // as in Run
	At      int       `json:"at"`              // the present step, counted from 1; 0: none
	Step    string    `json:"step,omitempty"`  // its title
	Since   time.Time `json:"since,omitzero"`  // when it began
	Done    int       `json:"done"`            // steps that are behind them
	Steps   int       `json:"steps"`
	Asked   *Asked    `json:"asked,omitempty"`
	Stuck   bool      `json:"stuck,omitempty"` // they are at this step for much longer than others were
	Invited bool      `json:"invited,omitempty"`
	Hints   int       `json:"hints"`
	Missed  int       `json:"missed"`
	Helped  int       `json:"helped"`
	Handed  time.Time `json:"handed,omitzero"` // when they last handed something in
}

// Mission sums up how a course does in a mission.
type Mission struct {
	Mission  string    `json:"mission"`
	Title    string    `json:"title"`
	Students int       `json:"students"`
	Live     int       `json:"live"`
	Finished int       `json:"finished"`
	Steps    []StepSum `json:"steps"`
	Hints    []HintSum `json:"hints,omitempty"` // the most asked ones first
}

// StepSum sums up a step, of each student's last run.
type StepSum struct {
	Title  string  `json:"title"`
	Here   int     `json:"here"`  // students who are there now
	Stuck  int     `json:"stuck"` // of those
	Done   int     `json:"done"`
	Median float64 `json:"median,omitempty"` // seconds that those took who did it; 0: nobody did
	Hints  int     `json:"hints"`
	Missed int     `json:"missed"`
	Helped int     `json:"helped"`

	few bool // students have done it, so that the median says little
}

// HintSum is how often a hint was taken, in all runs.
type HintSum struct {
	Step     int    `json:"step"`
	What     string `json:"what"` // what was asked
	Level    int    `json:"level"`
	Text     string `json:"text"`
	Students int    `json:"students"`
}

// Somebody is stuck who is at a step for so many times as long as half of the others took, or,
// where few have done it, for so long; whoever is away is not.
const (
	stuckTimes  = 3
	stuckLeast  = 5 * time.Minute
	stuckAlone  = 15 * time.Minute
	fewStudents = 3
	away        = 30 * time.Minute
)

// mostHints are how many of the most asked hints are told of each mission.
const mostHints = 10

// NewOverview sums up runs, in the order in which they came.
func NewOverview(runs []*Run, now time.Time) Overview {
	type whose struct{ account, student, mission string }
	last, missions, handed := map[whose]*Run{}, map[string][]*Run{}, map[whose]time.Time{}
	for _, r := range runs { // in the order in which they came
		if r.Mission == "" { // it has said nothing yet
			continue
		}
		if r.Account == handedIn {
			if its := (whose{"", r.Student, r.Mission}); handed[its].Before(r.Started) {
				handed[its] = r.Started
			}
		}
		its := whose{r.Account, r.Student, r.Mission}
		if before := last[its]; before == nil || !r.Started.Before(before.Started) {
			last[its] = r
		}
		missions[r.Mission] = append(missions[r.Mission], r)
	}
	// Whose runs have reported, needs no row of what they handed in.
	for its := range last {
		if its.account != handedIn {
			delete(last, whose{handedIn, its.student, its.mission})
		}
	}
	o := Overview{At: now, Missions: []Mission{}, Students: []Student{}}
	for mission, all := range missions {
		var present []*Run
		for its, r := range last {
			if its.mission == mission {
				present = append(present, r)
			}
		}
		m := sum(present)
		for _, r := range present {
			s := m.student(r, now)
			s.Handed = handed[whose{"", r.Student, r.Mission}]
			if step := s.At - 1; s.Live && step >= 0 && step < len(m.Steps) {
				m.Steps[step].Here++
				if s.Stuck {
					m.Steps[step].Stuck++
				}
			}
			o.Students = append(o.Students, s)
		}
		m.Hints = hints(all)
		o.Missions = append(o.Missions, m)
	}
	slices.SortFunc(o.Missions, func(a, b Mission) int { return cmp.Compare(a.Mission, b.Mission) })
	slices.SortFunc(o.Students, func(a, b Student) int {
		return cmp.Or(cmp.Compare(a.Student, b.Student), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Mission, b.Mission))
	})
	return o
}

// sum sums up the last runs of a mission's students, but for where they are now.
func sum(runs []*Run) Mission {
	newest := slices.MaxFunc(runs, func(a, b *Run) int { return a.Started.Compare(b.Started) })
	m := Mission{Mission: newest.Mission, Title: newest.Title, Students: len(runs)}
	times := make([][]float64, len(newest.Steps))
	for _, step := range newest.Steps {
		m.Steps = append(m.Steps, StepSum{Title: step.Title})
	}
	for _, r := range runs {
		if r.Live {
			m.Live++
		}
		if len(r.Steps) > 0 && r.Finished() == len(r.Steps) {
			m.Finished++
		}
		for i := range min(len(r.Steps), len(m.Steps)) {
			step, its := r.Steps[i], &m.Steps[i]
			its.Hints += step.Hints
			its.Missed += step.Missed
			its.Helped += step.Helped
			if step.State == "done" || step.State == "skipped" {
				its.Done++
			}
			if step.State == "done" && step.Seconds > 0 {
				times[i] = append(times[i], step.Seconds)
			}
		}
	}
	for i, seconds := range times {
		if slices.Sort(seconds); len(seconds) >= 1 {
			m.Steps[i].Median = seconds[len(seconds)/2]
			if len(seconds) < fewStudents {
				m.Steps[i].few = true
			}
		}
	}
	return m
}

// student is how the student of a run stands.
func (m *Mission) student(r *Run, now time.Time) Student {
	s := Student{
		Student: r.Student, Account: r.Account, Mission: r.Mission, Title: r.Title, Live: r.Live, Heard: r.Heard,
		Ended: r.Ended, Done: r.Finished(), Steps: len(r.Steps), Asked: r.Asked, Invited: r.Invited,
	}
	if s.Live {
		s.Door = r.Door()
	}
	if step := r.step(r.At); step != nil {
		s.At, s.Step, s.Since = r.At, step.Title, step.Began
	}
	for _, step := range r.Steps {
		s.Hints += step.Hints
		s.Missed += step.Missed
		s.Helped += step.Helped
	}
	if s.At > 0 && s.Live && s.Ended == "" && now.Sub(r.Heard) < away {
		limit := stuckAlone
		if s.At <= len(m.Steps) && m.Steps[s.At-1].Median > 0 && !m.Steps[s.At-1].few {
			limit = max(stuckLeast, stuckTimes*time.Duration(m.Steps[s.At-1].Median*float64(time.Second)))
		}
		s.Stuck = now.Sub(s.Since) > limit
	}
	return s
}

// hints counts the students who took each hint.
func hints(runs []*Run) []HintSum {
	type which struct {
		step, level int
		what        string
	}
	sums, takers := map[which]*HintSum{}, map[which]map[string]bool{}
	for _, r := range runs {
		for _, h := range r.Hints {
			its := which{h.Step, h.Level, h.What}
			if sums[its] == nil {
				sums[its], takers[its] = &HintSum{Step: h.Step, What: h.What, Level: h.Level, Text: h.Text}, map[string]bool{}
			}
			takers[its][r.Account+"\n"+r.Student] = true
		}
	}
	var all []HintSum
	for its, s := range sums {
		s.Students = len(takers[its])
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b HintSum) int {
		return cmp.Or(b.Students-a.Students, a.Step-b.Step, a.Level-b.Level, cmp.Compare(a.What, b.What))
	})
	return all[:min(len(all), mostHints)]
}
