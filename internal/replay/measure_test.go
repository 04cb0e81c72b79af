//go:build measure

package replay

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/course"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/handin"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/labtest"
)

var (
	playedMissions = flag.String("missions", "", "the missions that are played, with commas between them; empty: all that came with labrun")
	students       = flag.Int("students", 1, "how many students play each mission")
	firstStudent   = flag.Int("first", 1, "the number of the first one, which decides what each does")
	replays        = flag.Int("replays", 1, "how often what each of them hands in is played again")
	keptIn         = flag.String("keep", "", "keep what they hand in, and what they know, in this folder")
	copies         = flag.Int("copies", 1, "how many files of the same work are kept there for labrun grade")
	pace           = flag.Duration("pace", 45*time.Millisecond, "between two keys")
	aloud          = flag.Bool("aloud", false, "say what the students are asked while they play")
	errant         = flag.Int("errant", 40, "of 100 instructions at a shell a student does something else first at so many")
)

// TestMeasureHonest has students play missions on real machines and hand in, and plays that again. It prints what
// docs/performance.md has of it.
func TestMeasureHonest(t *testing.T) {
	lock, err := image.ParseLock(labrun.ImagesLock)
	if err != nil {
		t.Fatal(err)
	}
	store, err := image.Open(image.StoreOptions{Lock: lock, Recipes: labrun.Images(), Mirror: os.Getenv("LABRUN_MIRROR"), Boot: lab.Bench})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	names := strings.Split(*playedMissions, ",")
	if *playedMissions == "" {
		if names, err = fs.Glob(labrun.Missions(), "*.star"); err != nil {
			t.Fatal(err)
		}
	}
	knows := map[string]string{}
	known := filepath.Join(*keptIn, "known.json")
	if *keptIn != "" {
		if data, err := os.ReadFile(known); err == nil {
			json.Unmarshal(data, &knows)
		}
	}
	for _, name := range names {
		name = strings.TrimSuffix(name, ".star")
		t.Run(name, func(t *testing.T) {
			for n := range *students {
				s := &school{t: t, store: store, name: name, state: t.TempDir()}
				s.who.ID = course.ID(fmt.Sprintf("s%03d", *firstStudent+n))
				s.honestly(uint64(*firstStudent+n), knows)
			}
		})
	}
	if *keptIn != "" {
		if data, err := os.ReadFile(known); err == nil { // another process may have written it meanwhile
			json.Unmarshal(data, &knows)
		}
		data, _ := json.MarshalIndent(knows, "", " ")
		if err := os.WriteFile(known, data, 0o644); err != nil {
			t.Error(err)
		}
	}
}

// honestly has a student play, in one run or in two, and what they hand in judged.
func (s *school) honestly(seed uint64, knows map[string]string) {
	chance := rand.New(rand.NewPCG(seed, 18))
	h := &honest{chance: chance, knows: knows, pace: *pace, errant: *errant, gone: map[string]int{}}
	if s.file != "" { // a fake machine has what this computer has
		h.gone["edits with nano"] = 1000
	}
	m, err := s.load(s.t.Context(), "", s.who, "en")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, machine := range m.Declared().Machines {
		if machine.Kernel != nil && len(machine.Kernel.Sources) > 0 {
			s.t.Logf("%s: cannot be handed in by design: its students build a kernel of their own, in a folder of theirs", s.name)
			return
		}
	}
	steps := len(m.GuideSteps())
	pauseAt, redoAt := -1, -1
	if chance.IntN(2) == 0 {
		pauseAt = 1 + chance.IntN(steps-1)
	}
	if chance.IntN(2) == 0 {
		redoAt = chance.IntN(steps)
	}
	began := time.Now()
	runs := 0
	for done := false; !done && !s.t.Failed() && runs < 3; runs++ {
		result := s.plays(func(p *pupil) {
			h.pupil, h.strayed = p, map[int]bool{}
			h.work(func() bool {
				at := p.d.Snapshot()
				if redoAt == at.At && at.Asked != nil && at.Asked.Verb != "boot" && at.Asked.Verb != "board" && at.Asked.Verb != "sure" {
					redoAt = -1
					h.says("redo", "")
				}
				ended := 0
				for _, step := range at.Steps {
					if step.State != "ahead" && step.State != "here" && step.State != "begun" {
						ended++
					}
				}
				return runs == 0 && ended == pauseAt
			})
		})
		for _, r := range result.Events {
			_, completed := r.Event.(event.Completed)
			done = done || completed
		}
	}
	file := s.handsIn()
	took := time.Since(began).Seconds()
	for n := range *copies {
		if *keptIn == "" {
			break
		}
		// Of files that are the same byte for byte, labrun grade plays one.
		data, err := os.ReadFile(s.handsInEdited(func(c *handin.Claim) { c.Labrun = fmt.Sprintf("test, copy %d", n+1) }))
		if err == nil {
			err = os.WriteFile(filepath.Join(*keptIn, fmt.Sprintf("%d-%s", n+1, filepath.Base(file))), data, 0o644)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	s.t.Logf("%s: %s played %d steps in %d runs, %d lines, in %.0f s", s.name, s.who.ID, steps, runs, h.lines, took)
	for n := range *replays {
		v := s.judges(file)
		s.t.Logf("%s: %s, replay %d: %s in %.0f s %s", s.name, s.who.ID, n+1, v.Judgement, v.Seconds, v.Reason)
		if v.Judgement != handin.Confirmed {
			text, _ := json.MarshalIndent(v, "", " ")
			s.t.Errorf("%s", text)
		}
	}
}

// TestMeasureHonestFakes is the same with fake machines, where a hundred students take a few minutes.
func TestMeasureHonestFakes(t *testing.T) {
	store := labtest.Store(t)
	for n := range *students {
		s := newSchool(t, store, strings.Replace(smallLab, "the-name", "os25", 1))
		s.who.ID = course.ID(fmt.Sprintf("s%03d", *firstStudent+n))
		s.honestly(uint64(*firstStudent+n), map[string]string{})
	}
}
