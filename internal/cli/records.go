package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/report"
)

// records are what a run leaves behind: a folder with its events as they happen,
// and at its end the report, beside what the lab puts there.
type records struct {
	dir    string
	junit  *resultFile
	events *os.File
	failed func() error // what went wrong with writing events
	begun  bool         // a step began: there is something to keep
}

// openRecords makes the folder and keeps the events of the run in it from now on.
// The caller closes the records.
func (p *program) openRecords(dir, mission string, junit *resultFile, events *event.Log) (*records, error) {
	r := &records{dir: dir, junit: junit}
	var err error
	if r.dir == "" {
		r.dir, err = newRecords(p.Getenv, mission)
	} else if err = os.MkdirAll(r.dir, 0o700); err != nil {
		err = fmt.Errorf("records: %w", err)
	}
	if err != nil {
		return nil, &environmentError{err}
	}
	if r.events, err = os.OpenFile(filepath.Join(r.dir, report.EventsFile), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600); err != nil {
		return nil, &environmentError{fmt.Errorf("records: %w", err)}
	}
	os.Remove(filepath.Join(r.dir, report.PageFile)) // an earlier run's, in a folder that is used again
	var sink func(event.Record)
	sink, r.failed = report.JSONLines(r.events)
	events.Attach(func(e event.Record) {
		if _, ok := e.Event.(event.StepStarted); ok {
			r.begun = true
		}
		sink(e)
	})
	return r, nil
}

// folder returns where the records are; nowhere before the first step.
func (r *records) folder() string {
	if r.begun {
		return r.dir
	}
	return ""
}

// close writes the reports of the run, which is over. One without a step leaves no
// records: it would only push out older ones.
func (r *records) close() error {
	err := r.failed()
	if err != nil {
		err = fmt.Errorf("records: %w", err)
	}
	if _, seek := r.events.Seek(0, 0); seek != nil {
		err = errors.Join(err, seek)
	}
	all, read := report.ReadEvents(r.events)
	err = errors.Join(err, read, r.events.Close())
	err = errors.Join(err, r.junit.write(report.JUnit(all)))
	if r.begun {
		err = errors.Join(err, report.WritePage(r.dir, all))
	} else {
		os.Remove(r.events.Name())
		os.Remove(r.dir) // if there is nothing else in it
	}
	if err != nil {
		return &environmentError{err}
	}
	return nil
}

// titles are the titles of steps.
func titles(steps []builtins.Step) []string {
	var titles []string
	for _, s := range steps {
		titles = append(titles, s.Title)
	}
	return titles
}

// keptRecords is how many runs' records are kept in the default place, of each mission:
// an author's many runs push no student's out.
const keptRecords = 10

// newRecords makes a folder for a run's records and removes the oldest ones.
func newRecords(getenv func(string) string, file string) (string, error) {
	root, err := recordsRoot(getenv)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", fmt.Errorf("records: %w: say --records FOLDER", err)
	}
	name := strings.TrimSuffix(filepath.Base(file), ".star")
	old := slices.DeleteFunc(keptRuns(root), func(dir string) bool { return missionOf(dir) != name })
	for _, dir := range old[:max(0, len(old)-keptRecords+1)] {
		os.RemoveAll(dir)
	}
	return os.MkdirTemp(root, time.Now().Format(recordsTime)+name+"-")
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

// recordsRoot is the folder in which each run has its own.
func recordsRoot(getenv func(string) string) (string, error) {
	state, err := stateFolder(getenv)
	if err != nil {
		return "", fmt.Errorf("records: %w, or say --records FOLDER", err)
	}
	return filepath.Join(state, "runs"), nil
}

// stateFolder is where records and progress are kept.
func stateFolder(getenv func(string) string) (string, error) {
	root, err := host.StateDir(getenv)
	if err != nil {
		return "", fmt.Errorf("find the folder for records and progress: %w", err)
	}
	return filepath.Join(root, "labrun"), nil
}

// keptRuns are the folders of runs, oldest first.
func keptRuns(root string) []string {
	runs, _ := filepath.Glob(filepath.Join(root, "2*")) // names begin with the year
	slices.Sort(runs)
	return runs
}
