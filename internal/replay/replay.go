package replay

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/course"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/handin"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/phrase"
	"github.com/labrun/labrun/internal/run"
)

// Options say what a submission is played on, and what is asked of it.
type Options struct {
	// Load loads the mission that a submission names, as it is drawn for a student, in a
	// language; anew each time that it is called. None is no error, but nil.
	Load func(ctx context.Context, name string, who course.Student, language string) (*mission.Mission, error)

	Student string            // whose it must be; empty: anybody's
	Key     course.Key        // the course's; nil: it has none
	Signer  ed25519.PublicKey // whose signature it must have; nil: it needs none
	Changed bool              // play it also if the mission's files are others by now

	Store   *image.Store
	Records string // a folder for the records of the runs that are played; empty: none are kept
}

// Judge plays the submission at a path again and returns what that comes to. It takes as long as
// the student needed for what labrun and the machines did, without their pauses.
func Judge(ctx context.Context, path string, o Options) *handin.Verdict {
	v := &handin.Verdict{Format: handin.VerdictFormat}
	started := time.Now()
	s, err := handin.Open(path, handin.Usual)
	if err == nil {
		defer s.Close()
		c := s.Claim
		v.Student, v.Language, v.Mission, v.Title = c.Student, c.Language, c.Mission.Name, c.Mission.Title
		err = judge(ctx, s, o, v)
	}
	v.Seconds = time.Since(started).Seconds()
	var refused *handin.RefusedError
	switch {
	case err == nil:
	case ctx.Err() != nil:
		v.Judgement, v.Cause, v.Reason = handin.Failed, handin.TimedOut, "it was stopped before it was played to its end"
	case errors.As(err, &refused):
		v.Judgement, v.Cause, v.Reason = handin.Refused, refused.Cause, refused.Why
	default:
		v.Judgement, v.Cause, v.Reason = handin.Failed, handin.Host, err.Error()
	}
	return v
}

// judge fills in the verdict. Its error says why there is none.
func judge(ctx context.Context, s *handin.Submission, o Options, v *handin.Verdict) error {
	if err := s.Verify(o.Signer); err != nil {
		return err
	}
	v.Signed = o.Signer != nil
	who, err := student(s, o)
	if err != nil {
		return err
	}
	first, err := o.Load(ctx, s.Claim.Mission.Name, who, s.Claim.Language)
	switch {
	case err != nil:
		return err
	case first == nil:
		return s.Refuse(handin.Mission, "it is of the mission %s, which is not among those that are judged", s.Claim.Mission.Name)
	}
	if err := fits(s, first, o.Changed); err != nil {
		return err
	}
	p := &player{s: s, o: o, who: who}
	err = p.playAll(ctx, v)
	if v.Played = 1; v.Judgement != handin.Differs || len(p.partings) == 0 || ctx.Err() != nil {
		return err
	}
	// To come to the claim once proves it. Not to come to it may be chance where the run has gone
	// another way than the student's, as on a computer that was busy at the wrong moment.
	once, failed := *v, err
	if p = (&player{s: s, o: o, who: who}); o.Records != "" {
		p.o.Records = filepath.Join(o.Records, "again")
	}
	err = p.playAll(ctx, v)
	if v.Played = 2; err != nil {
		*v, err = once, failed
	}
	return err
}

// playAll plays all runs, and fills in what they come to.
func (p *player) playAll(ctx context.Context, v *handin.Verdict) (err error) {
	if p.folder, err = os.MkdirTemp("", "labrun-replay-"); err != nil {
		return err
	}
	defer os.RemoveAll(p.folder)
	v.Judgement, v.Reason, v.Steps = "", "", nil
	for n := range p.s.Claim.Runs {
		if err := p.play(ctx, n+1); err != nil {
			if p.progress != nil {
				p.compare(v) // how far it has come
			}
			return err
		}
	}
	p.compare(v)
	if v.Judgement == handin.Differs && p.trouble != "" {
		return fmt.Errorf("the run that played it again had trouble that the student's had not: %s", p.trouble)
	}
	return nil
}

// student is who is said to have played.
func student(s *handin.Submission, o Options) (who course.Student, err error) {
	c := s.Claim
	if o.Student != "" && c.Student != o.Student {
		return who, s.Refuse(handin.Student, "it is %s, and was handed in as %s's", owner(c.Student), o.Student)
	}
	who.Key = o.Key
	if c.Student != "" {
		if who.ID, err = course.ParseID(c.Student); err != nil {
			return who, s.Refuse(handin.Student, "%v", err)
		}
	}
	if c.Course != o.Key.Fingerprint() {
		if c.Course == "" {
			return who, s.Refuse(handin.Course, "it was played without the course's key")
		}
		return who, s.Refuse(handin.Course, "it was played with another course's key (fingerprint %s)", c.Course)
	}
	return who, nil
}

func owner(student string) string {
	if student == "" {
		return "of somebody who gave no name"
	}
	return student + "'s"
}

// fits says why a submission cannot be played on a mission.
func fits(s *handin.Submission, m *mission.Mission, changed bool) error {
	c := s.Claim
	for _, machine := range m.Declared().Machines {
		if machine.Kernel != nil && len(machine.Kernel.Sources) > 0 {
			return s.Refuse(handin.Mission, "its students build a kernel of their own, in a folder that is not handed in: it cannot be played again")
		}
	}
	if changed {
		return nil
	}
	files, err := m.Files()
	if err != nil {
		return err
	}
	var differ []string
	for name := range c.Mission.Files {
		if files[name] != c.Mission.Files[name] {
			differ = append(differ, name)
		}
	}
	for name := range files {
		if c.Mission.Files[name] == "" {
			differ = append(differ, name)
		}
	}
	if len(differ) > 0 {
		slices.Sort(differ)
		return s.Refuse(handin.Mission, "the mission has changed since it was played (%s): play it on the mission as it was, "+
			"or with --changed on what it is now", strings.Join(differ[:min(len(differ), 5)], ", "))
	}
	var names []string
	for _, step := range m.GuideSteps() {
		names = append(names, step.Name)
	}
	if !slices.EqualFunc(names, c.Steps, func(name string, step handin.StepClaim) bool { return step.Name == name }) {
		return s.Refuse(handin.Altered, "the steps that it claims are not the mission's")
	}
	return nil
}

// player plays the runs of a submission.
type player struct {
	s      *handin.Submission
	o      Options
	who    course.Student
	folder string

	partings []Parting
	runs     [][]event.Record // as they were played again
	progress *guide.Progress
	trouble  string // that the student has not had; empty: there was none
}

// play plays one run again, counted from 1.
func (p *player) play(ctx context.Context, number int) error {
	records, err := p.s.Events(number)
	if err != nil {
		return err
	}
	sheet := scoreOf(records)
	copy, err := newCopyist(p.s, number, records)
	if err != nil {
		return err
	}
	m, err := p.o.Load(ctx, p.s.Claim.Mission.Name, p.who, sheet.language)
	if err != nil {
		return err
	}
	if p.progress, err = run.OpenProgress(p.folder, m); err != nil {
		return err
	}
	defer p.progress.Close()
	events := &event.Log{}
	g := &ghost{score: sheet, events: events, copy: copy, note: func(a act, why string) {
		console := ""
		if a.keys != nil {
			console = a.keys.Console
		}
		p.partings = append(p.partings, Parting{Run: number, Line: a.line, Step: a.step, Console: console, Why: why})
	}}
	folder := filepath.Join(p.folder, fmt.Sprintf("run-%d", number))
	if p.o.Records != "" {
		folder = filepath.Join(p.o.Records, fmt.Sprintf("run-%d", number))
	}
	running, err := run.Start(ctx, m, run.Options{
		Store: p.o.Store, Events: events, Records: folder,
		Student: &run.Student{
			Progress: p.progress, Language: phrase.In(sheet.language), Command: handin.MissionName(m.File),
			Author: sheet.author,
			Meet: func(ctx context.Context, d *guide.Dialogue, l *lab.Lab) (leave func()) {
				copy.here = func() string { return shown(l) }
				return g.meet(ctx, d, l)
			},
		},
	})
	if err != nil {
		return err
	}
	result := running.Wait()
	var unfinished *run.Unfinished
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case result.Err != nil && !errors.As(result.Err, &unfinished):
		return result.Err
	}
	p.runs = append(p.runs, result.Events)
	if now := troubles(result.Events); len(now) > len(troubles(records)) && p.trouble == "" {
		p.trouble = now[len(now)-1]
	}
	return nil
}

// shown is what all consoles have shown.
func shown(l *lab.Lab) string {
	var all strings.Builder
	for _, station := range l.Stations() {
		if c, err := station.Console(); err == nil {
			all.WriteString(c.Since(console.Mark(0)) + "\n")
		}
	}
	return all.String()
}

// troubles are what the student was told to have gone wrong.
func troubles(records []event.Record) (all []string) {
	for _, r := range records {
		if e, ok := r.Event.(event.Instructed); ok && e.Verb == "trouble" && !e.Retold {
			all = append(all, e.Say)
		}
	}
	return all
}

// compare fills in what was claimed and what was found.
func (p *player) compare(v *handin.Verdict) {
	answers := handin.AnswersIn(p.runs, len(p.s.Claim.Steps))
	v.Judgement = handin.Confirmed
	for i, c := range p.s.Claim.Steps {
		step := handin.StepVerdict{
			Index: i + 1, Title: c.Title,
			Claimed: handin.StepEnd{State: ended(c.State), Hints: c.Hints, Helped: c.Helped, Seconds: c.Seconds},
		}
		if r := p.record(c.Name); r != nil {
			step.Found = handin.StepEnd{State: ended(string(r.State)), Hints: r.Hints, Helped: r.Helped, Seconds: r.Seconds}
		}
		for n := range max(len(c.Answers), len(answers[i])) {
			var a handin.Answer
			if n < len(answers[i]) {
				a = handin.Answer{Question: answers[i][n].Question, Answer: answers[i][n].Answer, Found: answers[i][n].Verdict}
			}
			if n < len(c.Answers) {
				a.Question, a.Answer, a.Claimed = c.Answers[n].Question, c.Answers[n].Answer, c.Answers[n].Verdict
			}
			step.Answers = append(step.Answers, a)
		}
		step.Differs = differs(step)
		if step.Differs != "" {
			p.place(&step)
			if v.Judgement = handin.Differs; v.Reason == "" {
				v.Reason = fmt.Sprintf("step %d «%s»: %s", step.Index, step.Title, step.Differs)
			}
		}
		v.Steps = append(v.Steps, step)
	}
}

// record is how a step has ended in the end.
func (p *player) record(name string) *guide.Record {
	var all []guide.Record
	all = append(all, p.progress.Steps...)
	if p.progress.Board != nil {
		all = append(all, p.progress.Board.Entered...)
	}
	if i := slices.IndexFunc(all, func(r guide.Record) bool { return r.Step == name }); i >= 0 {
		return &all[i]
	}
	return nil
}

// ended is a state as a verdict has it: empty of what is not behind the student.
func ended(state string) string {
	switch guide.State(state) {
	case guide.Done, guide.Skipped, guide.Left:
		return state
	}
	return ""
}

var inWords = map[string]string{
	"done": "done", "skipped": "done by labrun at the student's word", "left": "left undone", "": "not come to its end",
}

// differs says what of a step is not as claimed; empty: nothing.
func differs(s handin.StepVerdict) string {
	switch c, f := s.Claimed, s.Found; {
	case c.State != f.State:
		return fmt.Sprintf("it is claimed to be %s, and played again it was %s", inWords[c.State], inWords[f.State])
	case c.State == "": // it is not judged
		return ""
	case c.Hints != f.Hints:
		return fmt.Sprintf("it is claimed that hints were asked for %d times, and played again that was %d times", c.Hints, f.Hints)
	case c.Helped != f.Helped:
		return fmt.Sprintf("it is claimed that labrun did something for the student %d times, and played again that was %d times", c.Helped, f.Helped)
	}
	for _, a := range s.Answers {
		if a.Claimed != a.Found {
			return fmt.Sprintf("the answer %.60q is claimed to be %s, and played again it was %s", a.Answer, judged(a.Claimed), judged(a.Found))
		}
	}
	return ""
}

func judged(verdict string) string {
	if verdict == "" {
		return "not given"
	}
	return verdict
}

// place says where a step has gone another way, if that is known: there, or before.
func (p *player) place(step *handin.StepVerdict) {
	for _, at := range p.partings {
		if at.Step <= step.Index {
			step.Console, step.Line = at.Console, at.Line
			step.Differs += fmt.Sprintf(": %s (line %d of events/%d.jsonl)", at.Why, at.Line, at.Run)
			return
		}
	}
}
