package run

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/course"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/mission"
)

// StateFolder is where a student's records and progress are kept, of whom there may be
// several on one account; getenv looks into the environment.
func StateFolder(getenv func(string) string, student course.ID) (string, error) {
	root, err := host.StateDir(getenv)
	if err != nil {
		return "", fmt.Errorf("find the folder for records and progress: %w", err)
	}
	folder := filepath.Join(root, "labrun")
	if student != "" {
		folder = filepath.Join(folder, "students", string(student))
	}
	return folder, nil
}

// RecordsIn is the folder of a state folder in which each run has its own.
func RecordsIn(state string) string { return filepath.Join(state, "runs") }

// Kept are the folders of the runs that a state folder has records of, oldest first.
func Kept(state string) []string {
	runs, _ := filepath.Glob(filepath.Join(RecordsIn(state), "2*")) // names begin with the year
	slices.Sort(runs)
	return runs
}

// keptRecords is how many runs' records are kept in the state folder, of each mission:
// an author's many runs push no student's out. What a student's progress rests on stays
// besides: it is what they hand in.
const keptRecords = 10

// newRecords makes a folder for a run's records and removes the oldest ones.
func newRecords(state, file string) (string, error) {
	if err := os.MkdirAll(RecordsIn(state), 0o700); err != nil {
		return "", fmt.Errorf("records: %w: say --records FOLDER", err)
	}
	name := strings.TrimSuffix(filepath.Base(file), ".star")
	needed := guide.RestedOn(progressIn(state))
	old := slices.DeleteFunc(Kept(state), func(dir string) bool { return missionOf(dir) != name || needed[dir] })
	for _, dir := range old[:max(0, len(old)-keptRecords+1)] {
		os.RemoveAll(dir)
	}
	return os.MkdirTemp(RecordsIn(state), time.Now().Format(recordsTime)+name+"-")
}

// recordsTime begins the name of a run's folder.
const recordsTime = "2006-01-02T15-04-05-"

// missionOf is the mission's name in that of a run's folder.
func missionOf(dir string) string {
	base := filepath.Base(dir)
	end := strings.LastIndexByte(base, '-')
	if end < len(recordsTime) {
		return ""
	}
	return base[len(recordsTime):end]
}

// OpenProgress reads how far a student is in a mission, and holds it until it is closed.
func OpenProgress(state string, m *mission.Mission) (*guide.Progress, error) {
	p, err := guide.OpenProgress(progressIn(state), identity(m))
	if err == nil {
		p.Student, p.Drawn = m.Who.Playing(), m.Drawn()
	}
	return p, err
}

// LookAtProgress is OpenProgress for who only looks: it holds nothing, and tells which process
// does, or did last.
func LookAtProgress(state string, m *mission.Mission) (p *guide.Progress, holder int) {
	p, holder = guide.LookAtProgress(progressIn(state), identity(m))
	p.Student, p.Drawn = m.Who.Playing(), m.Drawn()
	return p, holder
}

// progressIn is the folder of a state folder in which progress is.
func progressIn(state string) string { return filepath.Join(state, "progress") }

// identity tells missions apart: one in a file is known by where that is, a built-in one by
// its name.
func identity(m *mission.Mission) string {
	if _, err := os.Stat(m.File); err == nil {
		if whole, err := filepath.Abs(m.File); err == nil {
			return whole
		}
	}
	return m.File
}

// Begin is the start of labrun's own work at a step, counted from 1. The state of a lab
// at a later one is kept in the cache, for the next time.
func Begin(store *image.Store, step int) mission.Start {
	start := mission.Start{From: step}
	if step > 1 {
		start.Checkpoints = filepath.Join(store.Dir(), "checkpoints")
	}
	return start
}
