package class

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
)

// Similar is what two students' work in a mission has in common that is seldom in common. It says what is alike, and
// judges nothing: there are good reasons, as that they have learnt together.
type Similar struct {
	Students [2]string       `json:"students"`
	Mistakes []SharedMistake `json:"mistakes,omitempty"` // that few others made
	// Of so many pauses between two instructions that both did, so many were as long, within a tenth.
	Pauses int `json:"pauses"`
	Alike  int `json:"alike"`
	// So many instructions both did within some seconds of one another.
	Together int `json:"together"`
}

// SharedMistake is one that both made.
type SharedMistake struct {
	Step int    `json:"step"`
	What string `json:"what"`
	Said string `json:"said"`
}

// What is pointed out: so many mistakes that at most so many students made (or this part of them), or so many pauses of which this part is
// alike. Two who work by themselves have about one pause in seven alike.
const (
	fewMistakes    = 3
	rareStudents   = 3
	rarePart       = 0.05
	leastPauses    = 10
	alikePauses    = 0.6
	shortest       = 3.0 // seconds: a shorter pause says nothing
	within         = 0.1
	togetherWithin = 5.0 // seconds
	mostSimilar    = 50
)

// work is what a student did in a mission, in all runs.
type work struct {
	name     string
	mistakes map[SharedMistake]bool
	pauses   map[[2]Mark]float64
	done     map[Mark]float64 // when, in seconds; marks without their time
}

// FindSimilar points out students whose work in a mission is alike, those first who have the most in common.
func FindSimilar(runs []*Run, mission string) []Similar {
	by := map[string]*work{}
	for _, r := range runs {
		if r.Mission != mission || r.Student == "" {
			continue
		}
		w := by[r.Student]
		if w == nil {
			w = &work{r.Student, map[SharedMistake]bool{}, map[[2]Mark]float64{}, map[Mark]float64{}}
			by[r.Student] = w
		}
		w.take(r)
	}
	made := map[SharedMistake]int{}
	for _, w := range by {
		for m := range w.mistakes {
			made[m]++
		}
	}
	rare := max(rareStudents, int(rarePart*float64(len(by))))
	students := slices.SortedFunc(maps.Values(by), func(a, b *work) int { return cmp.Compare(a.name, b.name) })
	var found []Similar
	for i, a := range students {
		for _, b := range students[i+1:] {
			s := compare(a, b, func(m SharedMistake) bool { return made[m] <= rare })
			if len(s.Mistakes) >= fewMistakes || s.Pauses >= leastPauses && float64(s.Alike) >= alikePauses*float64(s.Pauses) {
				found = append(found, s)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b Similar) int { return b.weight() - a.weight() })
	return found[:min(len(found), mostSimilar)]
}

func (s Similar) weight() int { return 5*len(s.Mistakes) + s.Alike }

// take adds what was done in a run.
func (w *work) take(r *Run) {
	for _, m := range r.Mistakes {
		w.mistakes[SharedMistake{m.Step, m.What, strings.ToLower(strings.Join(strings.Fields(m.Said), " "))}] = true
	}
	var before *Mark
	for _, m := range r.Done {
		its := Mark{Step: m.Step, What: m.What}
		w.done[its] = float64(m.At.UnixMilli()) / 1000
		if before != nil {
			w.pauses[[2]Mark{{Step: before.Step, What: before.What}, its}] = m.At.Sub(before.At).Seconds()
		}
		before = &m
	}
}

func compare(a, b *work, rare func(SharedMistake) bool) Similar {
	s := Similar{Students: [2]string{a.name, b.name}}
	for m := range a.mistakes {
		if b.mistakes[m] && rare(m) {
			s.Mistakes = append(s.Mistakes, m)
		}
	}
	slices.SortFunc(s.Mistakes, func(a, b SharedMistake) int {
		return cmp.Or(a.Step-b.Step, cmp.Compare(a.What, b.What), cmp.Compare(a.Said, b.Said))
	})
	for between, its := range a.pauses {
		if other, both := b.pauses[between]; both && its >= shortest && other >= shortest {
			s.Pauses++
			if math.Abs(its-other) <= within*max(its, other) {
				s.Alike++
			}
		}
	}
	for mark, at := range a.done {
		if other, both := b.done[mark]; both && math.Abs(at-other) <= togetherWithin {
			s.Together++
		}
	}
	return s
}
