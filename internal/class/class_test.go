package class

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/event"
)

// course is a class, with a gate of its own, and its database.
type course struct {
	t      *testing.T
	folder string
	socket string
	store  *Store
	*Class
	stop func() // which returns when everything was written
}

func newCourse(t *testing.T, database string) *course {
	t.Helper()
	folder := t.TempDir()
	c := &course{t: t, folder: folder, socket: filepath.Join(folder, "socket")}
	c.begin(database)
	return c
}

// begin opens a database, and has a class collect.
func (c *course) begin(database string) {
	c.t.Helper()
	store, err := OpenStore(c.t.Context(), database)
	if err != nil {
		c.t.Fatal(err)
	}
	c.store = store
	c.Class, err = New(c.t.Context(), Options{Store: store, Folder: c.folder, Keep: time.Hour, Now: time.Now, Tell: c.t.Logf})
	if err != nil {
		c.t.Fatal(err)
	}
	gate, err := attach.OpenGate(c.socket)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var collecting sync.WaitGroup
	collecting.Go(func() {
		if err := c.Collect(ctx, gate); err != nil {
			c.t.Error(err)
		}
	})
	var once sync.Once
	class := c.Class
	c.stop = func() {
		once.Do(func() {
			cancel()
			collecting.Wait()
			if err := class.Close(); err != nil {
				c.t.Error(err)
			}
			store.Close()
		})
	}
	c.t.Cleanup(func() { c.stop() })
}

// pupil is a student's run with a door and no machines: a test plays it.
type pupil struct {
	attach.Lab // what nobody asks for
	events     event.Log
	began      time.Time
	door       *attach.Server
	leave      func()
}

func (p *pupil) Names() []string    { return nil }
func (p *pupil) Consoles() []string { return nil }
func (p *pupil) Invited() bool      { return false }
func (p *pupil) Status() attach.Status {
	return attach.Status{PID: os.Getpid(), Title: "Lab", Started: p.began}
}
func (p *pupil) Events() *event.Log { return &p.events }

// joins begins a run of a student's.
func (c *course) joins(student string) *pupil {
	c.t.Helper()
	p := &pupil{began: time.Now()}
	folder := filepath.Join(c.t.TempDir(), "week1")
	err := os.Mkdir(folder, 0o700)
	if err == nil {
		p.door, err = attach.Serve(folder, p)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	var once sync.Once
	p.leave = func() {
		once.Do(func() {
			p.events.Close()
			p.door.Close()
		})
	}
	c.t.Cleanup(p.leave)
	p.tell(event.RunStarted{Mission: "missions/week1.star", Title: "Week 1", Student: student, Titles: []string{"one", "two", "three"}})
	p.door.Report(c.socket)
	return p
}

func (p *pupil) tell(events ...event.Event) {
	for _, e := range events {
		p.events.Emit(e)
	}
}

// until waits until something holds of the class.
func (c *course) until(what string, holds func(o Overview) bool) Overview {
	c.t.Helper()
	deadline := time.Now().Add(10 * time.Minute)
	for time.Now().Before(deadline) {
		o := NewOverview(c.Runs(), time.Now())
		if holds(o) {
			return o
		}
		time.Sleep(5 * time.Millisecond)
	}
	c.t.Fatalf("never: %s", what)
	return Overview{}
}

func step(n int) event.StepStarted {
	return event.StepStarted{Index: n, Total: 3, Title: []string{"one", "two", "three"}[n-1]}
}

// A course of two students is collected, and known again when the class was stopped; what was
// told meanwhile is not lost.
func TestCollect(t *testing.T) {
	t.Parallel()
	keepsACourse(t, filepath.Join(t.TempDir(), "kept", "class.db"))
}

func keepsACourse(t *testing.T, database string) {
	c := newCourse(t, database)
	ann, bob := c.joins("ann"), c.joins("bob")
	ann.tell(step(1), event.Instructed{Number: 1, Verb: "type", Say: "On debian, type:", Text: "ip a"},
		event.Fulfilled{Number: 1, By: "student"}, event.StepEnded{Index: 1, Passed: true, Seconds: 60}, step(2),
		event.Instructed{Number: 2, Say: "Which?", Question: true}, event.Hinted{Level: 1, Of: 2, Text: "Think."},
		event.Answered{Question: "Which?", Answer: "the cat", Verdict: "wrong"})
	bob.tell(step(1))
	ann.tell(event.Invited{On: true})
	o := c.until("ann has invited, bob is at step 1", func(o Overview) bool {
		return len(o.Students) == 2 && o.Students[0].Invited && o.Students[1].At == 1
	})
	a := o.Students[0]
	if a.Student != "ann" || a.At != 2 || a.Done != 1 || a.Hints != 1 || a.Missed != 1 || !a.Live || a.Asked == nil ||
		a.Asked.Missed != "the cat" || a.Asked.Hints != 1 {
		t.Errorf("%+v, %+v", a, a.Asked)
	}
	m := o.Missions[0]
	if m.Mission != "week1" || m.Students != 2 || m.Steps[0].Done != 1 || m.Steps[0].Here != 1 || m.Steps[1].Here != 1 ||
		m.Steps[0].Median != 60 || len(m.Hints) != 1 || m.Hints[0].Text != "Think." || m.Hints[0].Students != 1 {
		t.Errorf("%+v", m)
	}
	if run, err := attach.At(t.Context(), filepath.Join(Doors(c.folder), a.Door)); err != nil || run.Title != "Lab" {
		t.Errorf("ann's door: %+v, %v", run, err)
	}

	c.stop()
	bob.tell(event.StepEnded{Index: 1, Passed: true, Seconds: 30}, step(2))
	c.begin(database)
	c.until("bob is at step 2", func(o Overview) bool {
		return len(o.Students) == 2 && o.Students[1].At == 2 && o.Students[1].Done == 1 && o.Students[0].Missed == 1
	})
	bob.tell(event.Completed{}, event.RunEnded{})
	bob.events.Close() // then the class keeps it at once
	c.until("what bob did is kept", func(Overview) bool {
		runs, err := Look(t.Context(), c.store, c.folder)
		return err == nil && len(runs) == 2 && slices.ContainsFunc(runs, func(r *Run) bool { return r.Student == "bob" && r.Ended == "finished" })
	})
	if _, err := Forget(t.Context(), c.store, c.folder, "bob"); err == nil || !strings.Contains(err.Error(), "another labrun class") {
		t.Errorf("while the class is open, a student is forgotten: %v", err)
	}
	c.stop()
	store, err := OpenStore(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if n, err := Forget(t.Context(), store, c.folder, "bob"); n != 1 || err != nil {
		t.Errorf("bob is forgotten: %d, %v", n, err)
	}
	if runs, err := store.Runs(t.Context()); err != nil || len(runs) != 1 || runs[0].Student != "ann" || len(runs[0].Hints) != 1 {
		t.Errorf("%+v, %v", runs, err)
	}
}

// What is kept of a student can be forgotten, and is after a while.
func TestForget(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store, err := OpenStore(t.Context(), filepath.Join(folder, "class.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	now := time.Now()
	var rows []row
	for i, r := range []*Run{
		{Student: "ann", Heard: now}, {Student: "bob", Heard: now}, {Student: "ann", Heard: now}, {Student: "eve", Heard: now.Add(-2 * time.Hour)},
	} {
		r.ID, r.Session = int64(i+1), fmt.Sprint(i)
		written, err := newRow(r)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, written)
	}
	if err := store.save(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	if n, err := Forget(t.Context(), store, folder, "ann"); n != 2 || err != nil {
		t.Errorf("forgot %d, %v", n, err)
	}
	class, err := New(t.Context(), Options{Store: store, Folder: folder, Keep: time.Hour, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer class.Close()
	if runs := class.Runs(); len(runs) != 1 || runs[0].Student != "bob" {
		t.Errorf("%+v", runs)
	}
	info, err := os.Stat(filepath.Join(folder, "class.db"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the database: %v, %v", info.Mode(), err)
	}
}

// A step that labrun plays again stands as the student has left it.
func TestFoldOfALaterRun(t *testing.T) {
	r := &Run{}
	now := time.Now()
	replayed := step(1)
	replayed.Replayed = true
	for _, e := range []event.Event{
		event.RunStarted{Mission: "week1", Titles: []string{"one", "two", "three"}},
		replayed, event.Recalled{State: "skipped", Seconds: 7, Hints: 2, Helped: 1}, event.StepEnded{Index: 1, Passed: true, Seconds: 1},
		step(2), event.StepEnded{Index: 2, Passed: true, Skipped: true, Seconds: 9},
		step(3), event.StepEnded{Index: 3, Away: true}, event.Paused{At: 3}, event.RunEnded{ExitCode: 130},
	} {
		r.fold(e, now)
	}
	want := []Step{
		{Title: "one", State: "skipped", Began: now, Seconds: 7, Hints: 2, Helped: 1},
		{Title: "two", State: "skipped", Began: now, Seconds: 9}, {Title: "three", State: "begun", Began: now},
	}
	if !reflect.DeepEqual(r.Steps, want) || r.Ended != "stopped" || r.Finished() != 2 {
		t.Errorf("%+v", r)
	}
}

// What a run says is a stranger's: it is bounded, and what makes no sense does nothing.
func TestStrangeReports(t *testing.T) {
	r, now := &Run{}, time.Now()
	long := strings.Repeat("x", 10_000)
	for _, line := range []string{
		"", "7", "[]", "{", `{"event":"nonsense"}`, `{"event":"step_started","index":-1}`, `{"event":"step_ended","index":99999}`,
		`{"event":"recalled","state":"crowned"}`, `{"event":"board","first":-3,"challenges":[{"state":"done"}]}`, `{"event":"run_started","titles":7}`,
		`{"event":"hinted","text":"` + long + `"}`, `{"time":"9999-01-01T00:00:00Z","event":"missed","reason":"` + long + `"}`,
	} {
		r.take([]byte(line), now)
	}
	for range 10 * mostEntries {
		r.take([]byte(`{"event":"missed","reason":"`+long+`"}`), now)
	}
	kept, err := newRow(r)
	if err != nil || len(kept.kept) > 1<<20 || r.Heard.After(now) || r.Lines != 12+10*mostEntries || len(r.Mistakes) != mostEntries {
		t.Errorf("%d bytes are kept of %d lines, %v", len(kept.kept), r.Lines, err)
	}
}

// Who is at a step for much longer than others were is stuck.
func TestStuck(t *testing.T) {
	now := time.Now()
	var runs []*Run
	at := func(student string, since time.Duration, done bool) {
		r := &Run{ID: int64(len(runs)), Student: student, Mission: "week1", Heard: now, Live: true, At: 1,
			Steps: []Step{{Title: "one", State: "here", Began: now.Add(-since)}}}
		if done {
			r.Steps[0].State, r.Steps[0].Seconds, r.Ended = "done", since.Seconds(), "finished"
		}
		runs = append(runs, r)
	}
	at("ann", 10*time.Minute, false)
	if o := NewOverview(runs, now); o.Students[0].Stuck {
		t.Error("who is the first is not stuck soon")
	}
	for i := range 3 {
		at(fmt.Sprint("quick", i), time.Minute, true)
	}
	at("bob", 2*time.Minute, false)
	o := NewOverview(runs, now)
	if s := o.Missions[0].Steps[0]; s.Stuck != 1 || s.Done != 3 || !o.Students[0].Stuck || o.Students[1].Stuck {
		t.Errorf("%+v, %+v", s, o.Students)
	}
}

// A run that reports by two connections at a time, as where one is dead and nobody knows it yet, is heard once.
func TestRunThatReportsTwice(t *testing.T) {
	t.Parallel()
	c := newCourse(t, filepath.Join(t.TempDir(), "class.db"))
	ann := c.joins("ann")
	ann.door.Report(c.socket)
	ann.tell(step(1))
	for range 100 {
		ann.tell(event.Hinted{Level: 1, Of: 2})
	}
	c.until("ann has taken a hundred hints", func(o Overview) bool { return len(o.Students) == 1 && o.Students[0].Hints >= 100 })
	ann.leave()
	if runs := c.Runs(); len(runs) != 1 || runs[0].Lines != 102 || runs[0].Steps[0].Hints != 100 {
		t.Errorf("%+v", runs[0])
	}
}
