package replay

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/course"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/handin"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/phrase"
	"github.com/labrun/labrun/internal/run"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// school is where a student plays a mission, and hands in what they have done.
type school struct {
	t     *testing.T
	store *image.Store
	file  string // the mission's; empty: the one that came with labrun
	name  string // of that
	state string
	who   course.Student
}

func newSchool(t *testing.T, store *image.Store, source string) *school {
	t.Helper()
	s := &school{t: t, store: store, file: filepath.Join(t.TempDir(), "lab.star"), state: t.TempDir()}
	s.who.ID = "b10"
	if err := os.WriteFile(s.file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *school) load(ctx context.Context, _ string, who course.Student, language string) (*mission.Mission, error) {
	o := mission.Options{Images: s.store.Names(), Profile: s.store.Profile, Language: language, Who: who}
	if s.file != "" {
		return mission.LoadFile(ctx, s.file, o)
	}
	return mission.Load(ctx, labrun.Missions(), s.name+".star", s.name+".star", o)
}

// plays has a student lead a life of their own in one run, until that returns.
func (s *school) plays(life func(*pupil)) run.Result {
	s.t.Helper()
	m, err := s.load(s.t.Context(), "", s.who, "en")
	if err != nil {
		s.t.Fatal(err)
	}
	progress, err := run.OpenProgress(s.state, m)
	if err != nil {
		s.t.Fatal(err)
	}
	defer progress.Close()
	events := &event.Log{}
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Minute)
	defer cancel()
	running, err := run.Start(ctx, m, run.Options{Store: s.store, Events: events, State: s.state, Student: &run.Student{
		Progress: progress, Language: phrase.In("en"), Command: "lab",
		Meet: func(ctx context.Context, d *guide.Dialogue, l *lab.Lab) (leave func()) {
			ctx, cancel := context.WithCancel(ctx)
			p := &pupil{t: s.t, ctx: ctx, d: d, l: l, events: events, seats: map[string]*attach.Seat{}, typed: map[string]int{}}
			var living sync.WaitGroup
			living.Go(func() {
				defer d.Command(ctx, guide.Command{Word: "quit"})
				life(p)
			})
			return func() {
				cancel()
				living.Wait()
				for _, seat := range p.seats {
					seat.Close()
				}
			}
		},
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	return running.Wait()
}

// handsIn makes the file of what was done up to now.
func (s *school) handsIn() (file string) {
	s.t.Helper()
	return s.handsInEdited(func(*handin.Claim) {})
}

// handsInEdited makes a file whose claim is another one.
func (s *school) handsInEdited(edit func(*handin.Claim)) (file string) {
	s.t.Helper()
	m, err := s.load(s.t.Context(), "", s.who, "en")
	if err != nil {
		s.t.Fatal(err)
	}
	progress, _ := run.LookAtProgress(s.state, m)
	files, err := m.Files()
	if err != nil {
		s.t.Fatal(err)
	}
	claim := &handin.Claim{
		Student: string(s.who.ID), Course: s.who.Key.Fingerprint(), Labrun: "test", Steps: handin.StepsOf(m.GuideSteps(), progress),
		Mission: handin.MissionClaim{Name: handin.MissionName(m.File), Title: m.Title(), Files: files},
	}
	edit(claim)
	var content bytes.Buffer
	if err := handin.Write(&content, claim, progress.Runs, nil); err != nil {
		s.t.Fatal(err)
	}
	file = filepath.Join(s.t.TempDir(), claim.FileName())
	if err := os.WriteFile(file, content.Bytes(), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// judges has a file played again.
func (s *school) judges(file string) *handin.Verdict {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 8*time.Minute)
	defer cancel()
	return Judge(ctx, file, Options{Load: s.load, Key: s.who.Key, Store: s.store})
}

// pupil is a student at work.
type pupil struct {
	t      *testing.T
	ctx    context.Context
	d      *guide.Dialogue
	l      *lab.Lab
	events *event.Log
	seats  map[string]*attach.Seat
	typed  map[string]int // keys, at each console
}

const longEnough = 3 * time.Minute

// until waits until something holds. A student who is not there any more does nothing.
func (p *pupil) until(what string, holds func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(longEnough); p.ctx.Err() == nil && !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Errorf("never %s; asked is %+v, and the consoles say:\n%s", what, p.d.Snapshot().Asked, shown(p.l))
			p.d.Command(p.ctx, guide.Command{Word: "quit"})
			<-p.ctx.Done()
		}
	}
}

// asked waits until something is asked that has these words in it.
func (p *pupil) asked(words string) {
	p.t.Helper()
	p.until("is asked "+words, func() bool {
		asked := p.d.Snapshot().Asked
		return asked != nil && strings.Contains(asked.Verb+" "+asked.Text+" "+asked.Say, words)
	})
}

func (p *pupil) says(word, text string) {
	p.d.Command(p.ctx, guide.Command{Word: word, Text: text}) // what is refused is part of it
}

// hears waits until a kind of event has happened so many times.
func (p *pupil) hears(kind string, times int) {
	p.t.Helper()
	p.until("hears "+kind, func() bool {
		n := 0
		p.each(func(e event.Event) {
			if e.Kind() == kind {
				n++
			}
		})
		return n >= times
	})
}

// each does something with each event that has happened.
func (p *pupil) each(do func(event.Event)) {
	over, cancel := context.WithCancel(p.ctx)
	cancel()
	for r := range p.events.Follow(over) {
		do(r.Event)
	}
}

// sees waits until a console ends in a text.
func (p *pupil) sees(name, end string) {
	p.t.Helper()
	station, _ := p.l.Station(name)
	p.until(name+" ends in "+end, func() bool {
		c, err := station.Console()
		return err == nil && strings.HasSuffix(c.At(), end)
	})
}

// reads waits until the consoles have shown a pattern, and returns the last that its group found.
func (p *pupil) reads(pattern string) (found string) {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	p.until("reads "+pattern, func() bool {
		all := re.FindAllStringSubmatch(shown(p.l), -1)
		if len(all) > 0 {
			found = all[len(all)-1][1]
		}
		return found != ""
	})
	return found
}

// types types keys one by one, as somebody who sits there.
func (p *pupil) types(name, keys string) {
	p.t.Helper()
	seat := p.seats[name]
	if seat == nil {
		var err error
		if seat, err = attach.Sit(p.ctx, p.l.Session(), name, attach.SeatOptions{}); err != nil {
			if p.ctx.Err() == nil {
				p.t.Error(err)
			}
			return
		}
		p.seats[name] = seat
		go func() {
			for {
				if _, err := seat.Next(); err != nil {
					return
				}
			}
		}()
	}
	for _, one := range key.FindAllString(keys, -1) {
		seat.Keys([]byte(one))
	}
	p.typed[name] += len(keys)
}

// enters types a line at a prompt, once what was typed before has arrived and ended.
func (p *pupil) enters(name, prompt, line string) {
	p.t.Helper()
	p.until("has typed at "+name, func() bool {
		arrived := 0
		p.each(func(e event.Event) {
			if e, ok := e.(event.Keyed); ok && e.Console == name {
				arrived += len(e.Keys)
			}
		})
		return arrived >= p.typed[name]
	})
	p.sees(name, prompt)
	station, _ := p.l.Station(name)
	if c, err := station.Console(); err == nil {
		c.Finished(p.ctx)
	}
	p.sees(name, prompt)
	p.types(name, line+"\r")
}
