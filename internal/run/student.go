package run

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/phrase"
)

// Student is who is led through a run.
type Student struct {
	Progress *guide.Progress
	Language *phrase.Language  // of labrun's own words, at first
	Command  string            // how the mission is named after `labrun --guide`
	Anew     bool              // begin at the first step, whatever the progress says
	Edited   func(text string) // the mission was edited meanwhile, or cannot be taken as it is now; nil: nobody asks
	Author   bool              // they may go to any step
	Stays    bool              // at the end there is somebody who looks around, and says quit

	// Meet is called before the first word is said. Whoever shows the dialogue follows the
	// run's events from then on, and brings it the student's words until leave is called,
	// which waits for that to end. It may be nil.
	Meet func(ctx context.Context, d *guide.Dialogue, l *lab.Lab) (leave func())
}

// lesson is a run in which a student is led.
type lesson struct {
	mission  *mission.Editions
	student  *Student
	events   *event.Log
	dialogue *guide.Dialogue
	records  string   // the folder that the run's are in
	lab      *lab.Lab // once it is laid out; before, nothing is asked of the student
}

func newLesson(m *mission.Mission, s *Student, events *event.Log, records string, class bool) *lesson {
	n := &lesson{mission: mission.NewEditions(m), student: s, events: events, records: records}
	n.mission.Tell = s.Edited
	n.dialogue = guide.New(guide.Options{
		Language: s.Language, Mission: n.mission, Minutes: m.Declared().Minutes, Command: s.Command, Author: s.Author,
		Events: events, Progress: s.Progress, Machines: n, Class: class,
	})
	return n
}

// command takes a word of the student's that comes through the run's door.
func (n *lesson) command(ctx context.Context, word, text string, number int) error {
	err := n.dialogue.Command(ctx, guide.Command{Word: word, Text: text, For: number})
	if errors.Is(err, guide.ErrOver) {
		return &guide.Refusal{Text: n.dialogue.Say("asked other")}
	}
	return err
}

// lead leads the student through the mission. Its error is an *Unfinished where the student
// did not come to the end of every step.
func (n *lesson) lead(ctx context.Context, l *lab.Lab) (done int, err error) {
	n.lab = l
	s, d := n.student, n.dialogue
	ctx, cancel := d.Leading(ctx)
	defer cancel()
	if s.Meet != nil {
		defer s.Meet(ctx, d, l)()
	}
	from := d.Begin(s.Anew)
	if folder, err := filepath.Abs(n.records); err == nil {
		s.Progress.Runs = append(s.Progress.Runs, folder) // saved with what the student comes to in this run
	}
	err = prepare(ctx, l)
	switch {
	case err == nil:
		err = n.mission.Guide(ctx, l, n.events, d, from, s.Progress.Machines())
	case !errors.Is(context.Cause(ctx), guide.ErrQuit):
		return 0, err
	}
	done = len(s.Progress.Steps) + s.Progress.Solved()
	if err == nil {
		if done = d.Complete(); done < len(n.mission.GuideSteps()) {
			err = &Unfinished{}
		}
		if s.Stays && l.Running() {
			d.Stay(ctx)
		}
		return done, err
	}
	d.Pause()
	if ctx.Err() != nil || errors.Is(err, guide.ErrQuit) {
		return done, &Unfinished{Stopped: true}
	}
	return done, mission.Classify(ctx, err)
}

// Names and Restart are what the dialogue can do to the machines.
func (n *lesson) Names() []string { return n.lab.Names() }

func (n *lesson) Restart(ctx context.Context, name string) error {
	return n.lab.Restart(ctx, n.lab.Machine(name))
}
