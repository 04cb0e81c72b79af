package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/report"
)

type runFlags struct {
	json, quiet bool
	cold        bool
	records     string
	allow       []string
}

func (p *program) newRun() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use: "run MISSION.star",
		RunE: func(c *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return c.Help()
			case 1:
				return p.run(c.Context(), c, args[0], f)
			}
			return &usageError{fmt.Sprintf("one mission at a time: got %s", strings.Join(args, ", "))}
		},
	}
	c.Flags().BoolVar(&f.json, "json", false, "write the run as JSON lines instead of text")
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "write only failures and the last line")
	c.Flags().StringVar(&f.records, "records", "", "keep console transcripts and packet captures in this `folder`")
	c.Flags().BoolVar(&f.cold, "cold", false, "boot the machines instead of restoring saved ones")
	c.Flags().StringSliceVar(&f.allow, "allow", nil, "`host`: let the mission open a shell on this computer")
	return c
}

// load finds a mission: a file, or the name of one that is built in.
func (p *program) load(ctx context.Context, c *cobra.Command, name string, lock *image.Lock) (*mission.Mission, error) {
	m, err := mission.LoadFile(ctx, name, lock.Names())
	var failed *mission.Error
	if err == nil || !errors.As(err, &failed) || failed.Kind != mission.Usage {
		return m, err
	}
	if strings.ContainsRune(name, '/') || strings.HasSuffix(name, ".star") {
		return nil, err
	}
	if _, missing := fs.Stat(labrun.Missions(), name+".star"); missing == nil {
		return mission.Load(ctx, labrun.Missions(), name+".star", name+".star", lock.Names())
	}
	var names []string
	for _, sub := range c.Root().Commands() {
		names = append(names, sub.Name())
	}
	return nil, &usageError{fmt.Sprintf("%s: there is no such mission or command%s", name, builtins.Suggest(name, append(names, missionNames()...)))}
}

// missionNames are the missions that are built in.
func missionNames() []string {
	files, _ := fs.Glob(labrun.Missions(), "*.star")
	for i, f := range files {
		files[i] = strings.TrimSuffix(f, ".star")
	}
	return files
}

func (p *program) run(ctx context.Context, c *cobra.Command, name string, f runFlags) (err error) {
	for _, a := range f.allow {
		if a != "host" {
			return &usageError{fmt.Sprintf("--allow %s: only host can be allowed", a)}
		}
	}
	lock, err := p.lock()
	if err != nil {
		return err
	}
	m, err := p.load(ctx, c, name, lock)
	if err != nil {
		return err
	}

	declared := m.Declared()
	if slices.Contains(declared.Needs, "host") && !slices.Contains(f.allow, "host") {
		if err := p.askHost(f); err != nil {
			return err
		}
	}

	events := &event.Log{}
	var written func() error
	if f.json {
		var sink func(event.Record)
		sink, written = report.JSONLines(p.Out)
		events.Attach(sink)
	} else {
		live := report.StyleOf(p.Err, p.Getenv).Live
		events.Attach(report.NewTerminal(p.Out, p.Err, report.StyleOf(p.Out, p.Getenv), live, f.quiet).Record)
	}
	store, err := p.store(lock, progressTo(events))
	if err != nil {
		return err
	}
	defer store.Close()

	records := f.records
	if records == "" {
		if records, err = newRecords(p.Getenv, m.File); err != nil {
			return &environmentError{err}
		}
	}
	started := time.Now()
	events.Emit(event.RunStarted{Mission: m.File, Title: declared.Title, Steps: len(declared.Steps), Minutes: declared.Minutes})
	passed, err := p.play(ctx, m, lab.Options{Store: store, Events: events, Records: records, Cold: f.cold})
	// Only an empty folder can be removed: nothing booted.
	if err := os.Remove(records); err == nil || errors.Is(err, fs.ErrNotExist) {
		records = ""
	}
	ended := event.RunEnded{
		Passed: err == nil, Steps: passed, Total: len(declared.Steps), Seconds: time.Since(started).Seconds(), Records: records,
	}
	if err != nil {
		ended.ExitCode = p.explain(ctx, err)
		ended.Failed = err.Error()
	}
	events.Emit(ended)
	if err != nil {
		return errReported(ended.ExitCode)
	}
	if written != nil {
		return written()
	}
	return nil
}

// play boots the mission's lab, runs its steps, and takes the lab down again.
func (p *program) play(ctx context.Context, m *mission.Mission, o lab.Options) (passed int, err error) {
	l, err := lab.New(m.Config(), o)
	if err != nil {
		return 0, mission.Classify(ctx, err)
	}
	defer func() {
		if closing := l.Close(); closing != nil && err == nil {
			err = &environmentError{fmt.Errorf("close the lab: %w", closing)}
		}
	}()
	if len(m.Config().Machines) > 0 {
		if err := l.Prepare(ctx); err != nil {
			return 0, mission.Classify(ctx, err)
		}
	}
	return m.Run(ctx, l, o.Events)
}

// askHost asks for the user's consent to shells on the host, where there is a
// terminal to ask on. Its error is one of usage, not a failed check: nothing is
// wrong with the lab.
func (p *program) askHost(f runFlags) error {
	in, ok := p.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) || f.json {
		return &usageError{"the mission wants to open a shell on this computer: if you trust it, say --allow host"}
	}
	fmt.Fprint(p.Err, "This mission wants to open a shell on this computer, with your rights. Do you trust it? [y/N] ")
	answer, _ := bufio.NewReader(in).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a == "y" || a == "yes" {
		return nil
	}
	return &usageError{"the mission was not allowed to open a shell on this computer"}
}

// keptRecords is how many runs' records are kept in the default place.
const keptRecords = 10

// newRecords makes a folder for a run's records and removes the oldest ones.
func newRecords(getenv func(string) string, file string) (string, error) {
	root := getenv("XDG_STATE_HOME")
	if root == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("records: %w: set HOME, or say --records FOLDER", err)
		}
		root = filepath.Join(home, ".local", "state")
	}
	root = filepath.Join(root, "labrun", "runs")
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", fmt.Errorf("records: %w: say --records FOLDER", err)
	}
	old, _ := filepath.Glob(filepath.Join(root, "2*")) // names begin with the year
	slices.Sort(old)
	for _, dir := range old[:max(0, len(old)-keptRecords+1)] {
		os.RemoveAll(dir)
	}
	name := strings.TrimSuffix(filepath.Base(file), ".star")
	return os.MkdirTemp(root, time.Now().Format("2006-01-02T15-04-05")+"-"+name+"-")
}
