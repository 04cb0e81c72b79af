package class

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/handin"
	"github.com/labrun/labrun/internal/report"
)

// hand writes a submission of one run.
func hand(t *testing.T, file, student string) {
	t.Helper()
	run := t.TempDir()
	var log event.Log
	var lines bytes.Buffer
	sink, _ := report.JSONLines(&lines)
	log.Attach(sink)
	for _, e := range []event.Event{
		event.RunStarted{Mission: "week1.star", Student: student, Titles: []string{"one", "two"}}, event.StepStarted{Index: 1, Title: "one"},
		event.Instructed{Number: 1, Say: "Which?"}, event.Keyed{Console: "debian", Keys: "private"},
		event.Answered{Question: "Which?", Answer: "the cat", Verdict: "wrong"}, event.Fulfilled{Number: 1, By: "student"},
		event.StepEnded{Index: 1, Passed: true},
	} {
		log.Emit(e)
	}
	if err := os.WriteFile(filepath.Join(run, report.EventsFile), lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	claim := &handin.Claim{
		Student: student, Mission: handin.MissionClaim{Name: "week1", Title: "Week 1"}, Labrun: "v1",
		Steps: []handin.StepClaim{{Name: "a", Title: "one", State: "done", Seconds: 60, Hints: 2}, {Name: "b", Title: "two", State: "ahead"}},
	}
	var out bytes.Buffer
	if err := handin.Write(&out, claim, []string{run}, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What is handed in is taken once, beside what runs report, and one that is damaged stops none.
func TestTakeFolder(t *testing.T) {
	t.Parallel()
	c := newCourse(t, filepath.Join(t.TempDir(), "class.db"))
	ann := c.joins("ann")
	ann.tell(step(1))
	folder := t.TempDir()
	hand(t, filepath.Join(folder, "week1-ann.labrun"), "ann")
	hand(t, filepath.Join(folder, "week1-eve.labrun"), "eve")
	if err := os.WriteFile(filepath.Join(folder, "broken.labrun"), []byte("PK"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.TakeFolder(t.Context(), folder); err != nil {
			t.Fatal(err)
		}
	}
	o := c.until("ann is at step 1", func(o Overview) bool { return len(o.Students) == 2 && o.Students[0].At == 1 })
	a, e := o.Students[0], o.Students[1]
	if !a.Live || a.Handed.IsZero() || e.Live || e.Student != "eve" || e.Handed.IsZero() || e.Done != 1 || e.Hints != 2 || e.Missed != 1 {
		t.Errorf("%+v", o.Students)
	}
	runs, err := c.store.Runs(t.Context())
	if err != nil || len(runs) < 2 {
		t.Fatalf("%+v, %v", runs, err)
	}
	for _, r := range runs {
		if kept, err := newRow(r); err != nil || strings.Contains(kept.kept, "private") {
			t.Errorf("%s, %v", kept.kept, err)
		}
	}
	if _, err := New(t.Context(), Options{Store: c.store, Folder: t.TempDir(), Now: time.Now}); err != nil {
		t.Error(err)
	}
}
