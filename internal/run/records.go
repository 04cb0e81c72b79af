package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/report"
)

// records are what a run leaves behind: a folder with its events as they happen,
// and at its end the report, beside what the lab puts there.
type records struct {
	dir    string
	events *os.File
	failed func() error // what went wrong with writing events
	begun  bool         // a step began: there is something to keep
}

// openRecords makes the folder and keeps the events of the run in it from now on.
// The caller closes the records.
func openRecords(o Options, mission string) (*records, error) {
	r := &records{dir: o.Records}
	var err error
	if r.dir == "" {
		r.dir, err = newRecords(o.State, mission)
	} else if err = os.MkdirAll(r.dir, 0o700); err != nil {
		err = fmt.Errorf("records: %w", err)
	}
	if err != nil {
		return nil, err
	}
	r.events, err = os.OpenFile(filepath.Join(r.dir, report.EventsFile), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	os.Remove(filepath.Join(r.dir, report.PageFile)) // an earlier run's, in a folder that is used again
	var sink func(event.Record)
	sink, r.failed = report.JSONLines(r.events)
	o.Events.Attach(func(e event.Record) {
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

// close writes the report of the run, which is over, and returns its events as they were
// recorded. A run without a step leaves no records: it would only push out older ones.
func (r *records) close() ([]event.Record, error) {
	err := r.failed()
	if err != nil {
		err = fmt.Errorf("records: %w", err)
	}
	if _, seek := r.events.Seek(0, 0); seek != nil {
		err = errors.Join(err, seek)
	}
	all, read := report.ReadEvents(r.events)
	err = errors.Join(err, read, r.events.Close())
	if r.begun {
		err = errors.Join(err, report.WritePage(r.dir, all))
	} else {
		os.Remove(r.events.Name())
		os.Remove(r.dir) // if there is nothing else in it
	}
	return all, err
}
