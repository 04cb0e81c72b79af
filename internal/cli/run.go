package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/phrase"
	"github.com/labrun/labrun/internal/report"
	"github.com/labrun/labrun/internal/run"
)

type runFlags struct {
	json, quiet bool
	cold, keep  bool
	records     string
	junit       string
	allow       consent

	from                                          int
	shuffle                                       seed
	guide, restart, tmux, headless, watch, author bool
}

// define adds the flags to a command.
func (f *runFlags) define(p *program, c *cobra.Command) {
	c.Flags().BoolVar(&f.json, "json", false, "write the run as JSON lines instead of text")
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "write only failures and the last line")
	c.Flags().StringVar(&f.records, "records", "", "keep what happened in this `folder`")
	c.Flags().StringVar(&f.junit, "junit", "", "write the run as JUnit XML to this `file`")
	c.Flags().BoolVar(&f.cold, "cold", false, "boot the machines instead of restoring saved ones")
	c.Flags().BoolVar(&f.keep, "keep", false,
		"leave the machines on at the end, also after a failure, until Enter is pressed")
	f.allow.flag(c)
	p.student.imagined(c)
	c.Flags().IntVar(&f.from, "from", 1,
		"begin at this `step`: what the ones before it made of the machines is restored, the first time made")
	f.shuffle.flag(c)
	c.Flags().BoolVar(&f.guide, "guide", false,
		"have a student do it, step by step; the next time it goes on where they stopped")
	c.Flags().BoolVar(&f.restart, "restart", false, "with --guide: begin at the first step again")
	c.Flags().BoolVar(&f.watch, "watch", false,
		"with --guide: say what has changed when the mission is edited meanwhile, or why that is not taken")
	c.Flags().BoolVar(&f.author, "author", false,
		"with --guide: `goto N` goes to any step, for who writes or teaches the mission")
	c.Flags().BoolVar(&f.headless, "headless", false,
		"with --guide: say nothing here and read nothing; a page leads the student, until quit or `labrun stop`")
	c.Flags().BoolVar(&f.tmux, "tmux", false, "with --guide: show the guide and the consoles side by side in tmux")
}

// loading is how missions are loaded here.
func (p *program) loading(lock *image.Lock) (mission.Options, error) {
	who, err := p.who()
	return mission.Options{
		Images: lock.Names(), Profile: lock.Profile, Derivable: lock.CheckDerivation, Language: p.language(), Who: who,
	}, err
}

// find loads a mission with the images that it may use; how, may be changed in some way.
func (p *program) find(
	ctx context.Context, c *cobra.Command, name string, ways ...func(*mission.Options),
) (*mission.Mission, *image.Lock, error) {
	lock, err := p.lockFor(name)
	if err != nil {
		return nil, nil, err
	}
	options, err := p.loading(lock)
	if err != nil {
		return nil, nil, err
	}
	for _, way := range ways {
		way(&options)
	}
	m, err := p.load(ctx, c, name, options)
	return m, lock, err
}

// load finds a mission: a file, or the name of one that is built in.
func (p *program) load(
	ctx context.Context, c *cobra.Command, name string, o mission.Options,
) (*mission.Mission, error) {
	m, err := mission.LoadFile(ctx, name, o)
	var failed *mission.Error
	if err == nil || !errors.As(err, &failed) || failed.Kind != mission.Usage {
		return m, err
	}
	if strings.ContainsRune(name, '/') || strings.HasSuffix(name, ".star") {
		return nil, err
	}
	if _, missing := fs.Stat(labrun.Missions(), name+".star"); missing == nil {
		return mission.Load(ctx, labrun.Missions(), name+".star", name+".star", o)
	}
	var names []string
	for _, sub := range c.Root().Commands() {
		names = append(names, sub.Name())
	}
	return nil, &usageError{fmt.Sprintf("%s: there is no such mission or command%s",
		name, builtins.Suggest(name, append(names, missionNames()...)))}
}

// missionNames are the missions that are built in.
func missionNames() []string {
	files, _ := fs.Glob(labrun.Missions(), "*.star")
	for i, f := range files {
		files[i] = strings.TrimSuffix(f, ".star")
	}
	return files
}

func (p *program) run(ctx context.Context, c *cobra.Command, args []string, f runFlags) error {
	switch len(args) {
	case 0:
		return c.Help()
	case 1:
	default:
		return &usageError{fmt.Sprintf("one mission at a time: got %s", strings.Join(args, ", "))}
	}
	name := args[0]
	switch {
	case !f.guide && (f.restart || f.tmux || f.headless || f.watch || f.author):
		return &usageError{"--restart, --tmux, --headless, --watch and --author go with --guide"}
	case f.shuffle > 0 && (f.guide || f.from != 1):
		return &usageError{"--shuffle plays a whole mission without a student: leave out --guide and --from"}
	case f.headless && f.tmux:
		return &usageError{"--headless shows nothing here and --tmux shows everything: leave one of them out"}
	case f.keep && f.guide:
		return &usageError{
			"--keep is for labrun's own runs: with --guide the machines stay until the student says quit",
		}
	case f.keep && p.keyboard() == nil:
		return &usageError{
			"--keep needs a terminal: somebody has to press Enter when the machines are not needed any more",
		}
	case f.guide && p.student.as != "":
		return &usageError{"--as is nobody's progress and --guide keeps one: say --student " + p.student.as}
	case f.from < 1:
		return &usageError{fmt.Sprintf("--from %d: steps are counted from 1", f.from)}
	case f.guide && f.from > 1:
		return &usageError{"--from is for labrun's own runs: --guide goes on where the student stopped"}
	case f.json && slices.Contains(standardOutput, f.junit):
		return errBothOut
	case f.guide && slices.Contains(standardOutput, f.junit):
		return &usageError{"--guide talks with a student on standard output: give --junit a file"}
	case f.guide && f.json:
		return &usageError{"--guide talks with a student and --json with a program: " +
			"`labrun events` writes the events of a guided run as JSON lines, and the records folder has them"}
	}
	junit, err := p.openResult("--junit", f.junit)
	if err != nil {
		return err
	}
	m, lock, err := p.find(ctx, c, name)
	if err != nil {
		return err
	}
	if err := p.checkLanguage(m); err != nil {
		return err
	}
	if n := len(m.Declared().Steps); f.from > n {
		return &usageError{fmt.Sprintf("--from %d: the mission has %s", f.from, report.Count(n, "step"))}
	}
	events := &event.Log{}
	if f.allow.missing(m) {
		if err := p.askHost(f.json || f.headless); err != nil {
			return err
		}
	}
	store, err := p.store(lock, progressTo(events))
	if err != nil {
		return err
	}
	defer store.Close()
	if f.guide {
		return p.guide(ctx, m, name, store, events, f, junit)
	}

	style, errStyle := report.StyleOf(p.Out, p.Getenv), report.StyleOf(p.Err, p.Getenv)
	sink := report.NewTerminal(p.Out, p.Err, style, errStyle, f.quiet).Record
	if f.json {
		sink, _ = report.JSONLines(p.Out) // which remembers its error
	}
	return p.play(ctx, m, run.Options{Store: store, Events: events, From: f.from, Shuffle: uint64(f.shuffle)}, show(events, sink), f, junit)
}

// errBothOut is a call that wants two kinds of results in one place.
var errBothOut = &usageError{"--json and --junit cannot both write to standard output: give --junit a file"}

// play has a run played, and says why it did not pass and where its records are. The view
// is closed; nil: there is none.
func (p *program) play(
	ctx context.Context, m *mission.Mission, o run.Options, v *view, f runFlags, junit *resultFile,
) error {
	defer v.close()
	o.Cold = f.cold
	if o.Records = f.records; o.Records == "" {
		var err error
		if o.State, err = p.recordsState(); err != nil {
			return err
		}
	}
	told := false
	o.Failed = func(err error) {
		if !told {
			v.catchUp()
			p.explain(ctx, err)
		}
	}
	if f.keep {
		o.Rest = func(ctx context.Context, l *lab.Lab, err error) {
			v.catchUp()
			if told = err != nil; told { // who looks around in the machines of a failed run wants to know why it did
				p.explain(ctx, err)
			}
			p.keep(ctx, l)
		}
	}
	running, err := run.Start(ctx, m, o)
	if err != nil {
		return err
	}
	result := running.Wait()
	v.catchUp()
	closing := errors.Join(result.Closing, junit.write(report.JUnit(result.Events)))
	if closing != nil && result.Err == nil {
		return &environmentError{closing}
	} else if closing != nil {
		p.tell(p.Err, "labrun: %v", closing)
	}
	if result.Records != "" && !f.json && (!f.quiet || result.Err != nil) {
		p.tell(
			p.Err, "report: %s, with the run's other records beside it", filepath.Join(result.Records, report.PageFile),
		)
		if o.Student != nil {
			p.tell(p.Err, "%s", phrase.In(p.spoken()).Say("submit kept"))
		}
	}
	if result.Err != nil {
		return errReported(result.ExitCode())
	}
	return nil
}

// recordsState is the folder of what outlives a run, for its records.
func (p *program) recordsState() (string, error) {
	state, err := p.state()
	var environment *environmentError
	if errors.As(err, &environment) {
		err = &environmentError{fmt.Errorf("records: %w, or say --records FOLDER", err)}
	}
	return state, err
}
