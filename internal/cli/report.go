package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/report"
	"github.com/labrun/labrun/internal/run"
)

func (p *program) newReport() *cobra.Command {
	var html bool
	var junit string
	c := &cobra.Command{
		Use:   "report [FOLDER]",
		Short: "print a run again from its records; without a folder, the last one",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{"report: one run at a time"}
			}
			xml, err := p.openResult("--junit", junit)
			if err != nil {
				return err
			}
			dir, err := p.recordsOf(args)
			if err != nil {
				return err
			}
			return p.report(dir, html, xml)
		},
	}
	c.Flags().BoolVar(&html, "html", false, "write "+report.PageFile+" anew")
	c.Flags().StringVar(&junit, "junit", "", "write the run as JUnit XML to this `file`")
	return c
}

// recordsOf returns the folder that was named, or that of the last run.
func (p *program) recordsOf(args []string) (string, error) {
	if len(args) == 1 {
		info, err := os.Stat(args[0])
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "", &usageError{fmt.Sprintf("report %s: there is no such folder", args[0])}
		case err != nil:
			return "", &usageError{fmt.Sprintf("report: %v", err)}
		case !info.IsDir():
			return "", &usageError{fmt.Sprintf("report %s: it is a file: name the folder of a run's records", args[0])}
		}
		return args[0], nil
	}
	state, err := p.recordsState()
	if err != nil {
		return "", err
	}
	runs := run.Kept(state)
	if len(runs) == 0 {
		return "", &usageError{
			fmt.Sprintf("report: no run is recorded in %s: name the folder of its records", run.RecordsIn(state)),
		}
	}
	return runs[len(runs)-1], nil
}

// tellFailures says why steps have failed, as the run did when they had.
func (p *program) tellFailures(records []event.Record) {
	hint := ""
	for _, r := range records {
		switch e := r.Event.(type) {
		case event.StepStarted:
			hint = ""
		case event.Checked:
			if !e.Passed {
				hint = e.Hint
			}
		case event.StepEnded:
			if e.Error == "" {
				continue
			}
			p.tellFailure(p.Out, e.Title, e.Error, hint)
		}
	}
}

// report prints a run from its records.
func (p *program) report(dir string, html bool, junit *resultFile) error {
	file, err := os.Open(filepath.Join(dir, report.EventsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return &usageError{fmt.Sprintf("report %s: no run is recorded there: it has no %s", dir, report.EventsFile)}
	}
	if err != nil {
		return &environmentError{err}
	}
	defer file.Close()
	records, damaged := report.ReadEvents(file)
	if len(records) == 0 && damaged == nil {
		return &usageError{fmt.Sprintf("report %s: its %s has no event in it", dir, report.EventsFile)}
	}
	text := report.NewTerminal(p.Out, p.Err, report.StyleOf(p.Out, p.Getenv), report.Style{}, false)
	for _, r := range records {
		text.Record(r)
	}
	p.tellFailures(records)
	if damaged != nil {
		return &environmentError{
			fmt.Errorf("report: %s: %w: it is damaged there; what comes before is above", file.Name(), damaged),
		}
	}
	if !slices.ContainsFunc(records, func(r event.Record) bool { _, ended := r.Event.(event.RunEnded); return ended }) {
		p.tell(p.Err, "note: the record ends here: the run was killed, or it still goes on")
	}
	if err := junit.write(report.JUnit(records)); err != nil {
		return &environmentError{err}
	}
	page := filepath.Join(dir, report.PageFile)
	if html {
		if err := report.WritePage(dir, records); err != nil {
			return &environmentError{err}
		}
	} else if _, err := os.Stat(page); err != nil {
		p.tell(p.Err, "there is no report.html yet: `labrun report --html %s` writes it", dir)
		return nil
	}
	p.tell(p.Err, "report: %s", page)
	return nil
}
