package class

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// worked is a student's run of twenty instructions, at a rhythm of their own, with mistakes that anybody makes.
func worked(id int, student string, random *rand.Rand) *Run {
	at := time.Date(2026, 11, 27, 8, id, 0, 0, time.UTC)
	r := &Run{ID: int64(id), Account: "hub", Student: student, Mission: "week1", Started: at, Heard: at}
	for i := range 20 {
		at = at.Add(time.Duration((5 + 60*random.Float64()*random.Float64()) * float64(time.Second)))
		r.Done = append(r.Done, Mark{Step: i / 5, What: fmt.Sprint("do ", i), At: at})
		if i%4 == 0 {
			r.Mistakes = append(r.Mistakes, Mistake{Step: i / 5, What: fmt.Sprint("do ", i), Said: "the command failed", At: at})
		}
	}
	return r
}

// Similar work is pointed out with what is alike, in runs and in what was handed in; who works by themselves is not, however many they are.
func TestFindSimilar(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 18))
	var runs []*Run
	for i := range 60 {
		runs = append(runs, worked(i, fmt.Sprintf("s%02d", i), random))
	}
	if found := FindSimilar(runs, "week1"); len(found) != 0 {
		t.Errorf("of students who work by themselves %d pairs are pointed out: %+v", len(found), found[0])
	}
	odd := func(r *Run) {
		for i, said := range []string{"Alpine  Linux", "10.0.0.256", "rm -rf /etc"} {
			r.Mistakes = append(r.Mistakes, Mistake{Step: i, What: fmt.Sprint("question ", i), Said: said, Wrong: true})
		}
	}
	odd(runs[3])
	odd(runs[9])
	runs[9].Mistakes[len(runs[9].Mistakes)-3].Said = "alpine linux" // how it is written is no difference
	copied := worked(60, "s60", random)
	copied.Account, copied.Done = handedIn, nil
	for _, m := range runs[5].Done { // somebody else's times, two days later
		copied.Done = append(copied.Done, Mark{m.Step, m.What, m.At.Add(48 * time.Hour)})
	}
	runs = append(runs, copied)
	found := FindSimilar(runs, "week1")
	if len(found) != 2 {
		t.Fatalf("%d pairs: %+v", len(found), found)
	}
	if s := found[0]; s.Students != [2]string{"s05", "s60"} || s.Pauses < 15 || s.Alike != s.Pauses || s.Together != 0 {
		t.Errorf("%+v", s)
	}
	if s := found[1]; s.Students != [2]string{"s03", "s09"} || len(s.Mistakes) != 3 || !strings.Contains(s.Mistakes[0].Said, "alpine linux") {
		t.Errorf("%+v", s)
	}
	if found := FindSimilar(runs, "week2"); len(found) != 0 {
		t.Errorf("in another mission: %+v", found)
	}
}
