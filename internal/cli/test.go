package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/course"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/markdown"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/report"
	"github.com/labrun/labrun/internal/run"
)

type testFlags struct {
	step  int
	jobs  int
	json  bool
	junit string
	allow consent

	shuffle  seed
	variants int
}

func (p *program) newTest() *cobra.Command {
	var f testFlags
	c := &cobra.Command{
		Use:   "test FILE…",
		Short: "prove missions on real machines: checks that can fail, hints that help",
		Long: `test plays each step of a mission, and then tries from the state in which the step
began what students do. A lab is proved if

  - every step is solved by what it types and by its tasks' solutions,
  - no task's check holds before the task is done,
  - leaving a line out makes a check fail,
  - every wrong answer that a task lists fails,
  - what the last hint shows in backquotes solves the task, when it is typed,
  - a step that is played twice passes twice.

With --shuffle it plays the challenges of each board in other orders instead, and finds those that spoil each other.
With --variants 20 it plays the whole mission as 20 imagined students instead, for each of whom other variants are drawn.

The exit code is 0 if all of this holds, and 1 if it does not.`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{"test: which missions? Name their files"}
			}
			return p.test(c.Context(), c, args, f)
		},
	}
	c.Flags().IntVar(
		&f.step, "step", 0,
		"prove this `step` only: the machines are brought there, from a saved state from the second time on",
	)
	c.Flags().IntVarP(
		&f.jobs, "jobs", "j", 0,
		"make trials in so many `labs` side by side; by itself labrun takes as many as memory and processors allow",
	)
	c.Flags().BoolVar(&f.json, "json", false, "write each trial as a JSON line")
	c.Flags().StringVar(&f.junit, "junit", "", "write the trials as JUnit XML to this `file`")
	f.shuffle.flag(c)
	c.Flags().IntVar(&f.variants, "variants", 0, "play the mission as so many imagined `students`, each with their own draws")
	f.allow.flag(c)
	p.student.imagined(c)
	return c
}

func (p *program) test(ctx context.Context, c *cobra.Command, files []string, f testFlags) error {
	if f.json && slices.Contains(standardOutput, f.junit) {
		return errBothOut
	}
	if f.shuffle > 0 && f.step > 0 {
		return &usageError{"--shuffle plays whole missions: leave out --step"}
	}
	switch {
	case f.variants < 0 || f.variants > mostImagined:
		return &usageError{fmt.Sprintf("--variants %d: want from 1 to %d students", f.variants, mostImagined)}
	case f.variants > 0 && (f.step > 0 || f.shuffle > 0):
		return &usageError{"--variants plays whole missions in the script's order: leave out --step and --shuffle"}
	case f.variants > 0 && p.student.as != "":
		return &usageError{"--variants imagines the students: leave out --as"}
	}
	if f.shuffle > 0 {
		p.tell(p.Err, "the orders are those of --shuffle %d", f.shuffle)
	}
	junit, err := p.openResult("--junit", f.junit)
	if err != nil {
		return err
	}
	var missions []*mission.Mission
	var locks []*image.Lock
	load := func(ctx context.Context, i int) (*mission.Mission, error) {
		options, err := p.loading(locks[i])
		if err != nil {
			return nil, err
		}
		return p.load(ctx, c, files[i], options)
	}
	for i, file := range files { // all mistakes in the call come before the first machine
		lock, err := p.lockFor(file)
		if err != nil {
			return err
		}
		locks = append(locks, lock)
		m, err := load(ctx, i)
		if err != nil {
			return err
		}
		d := m.Declared()
		if f.step < 0 || f.step > len(d.Steps) {
			return &usageError{fmt.Sprintf("--step %d: %s has %s", f.step, file, report.Count(len(d.Steps), "step"))}
		}
		if f.jobs < 0 || f.jobs > mostJobs {
			return &usageError{fmt.Sprintf("--jobs %d: want from 1 to %d, or 0 for what the computer allows", f.jobs, mostJobs)}
		}
		if f.variants > 0 && len(d.Variants) == 0 {
			return &usageError{fmt.Sprintf("--variants: %s draws nothing: it has no variant(…) and no secret(…)", file)}
		}
		if f.allow.missing(m) {
			return &usageError{
				fmt.Sprintf("%s wants to run commands on this computer: if you trust it, say --allow host", file),
			}
		}
		missions = append(missions, m)
	}
	started, cases, worst := time.Now(), map[string][]report.Case{}, exitPassed
	for i, m := range missions {
		proof := &proof{p: p, file: files[i], json: f.json, live: !f.json && report.StyleOf(p.Out, p.Getenv).Live}
		again := func(ctx context.Context) (*mission.Mission, error) { return load(ctx, i) }
		var err error
		if f.variants > 0 {
			err = p.proveVariants(ctx, files[i], locks[i], f, proof, func(who course.Student) (*mission.Mission, error) {
				options, err := p.loading(locks[i])
				if err != nil {
					return nil, err
				}
				options.Who = who
				return p.load(ctx, c, files[i], options)
			})
		} else {
			err = p.prove(ctx, m, again, locks[i], f, proof)
		}
		if err != nil {
			return err
		}
		cases[files[i]] = proof.cases
		if proof.close() > 0 {
			worst = exitCheck
		}
	}
	if err := junit.write(report.JUnitOfCases(started, files, cases)); err != nil {
		return &environmentError{err}
	}
	if worst != exitPassed {
		return errReported(worst)
	}
	return nil
}

// mostJobs bounds a slip of the keyboard.
const mostJobs = 64

// prove has one mission proved on a lab of its own, or on several, for which it is loaded
// again.
func (p *program) prove(
	ctx context.Context, m *mission.Mission, again func(context.Context) (*mission.Mission, error),
	lock *image.Lock, f testFlags, to *proof,
) error {
	events := &event.Log{}
	style := report.StyleOf(p.Err, p.Getenv)
	events.Attach(report.NewTerminal(p.Err, p.Err, style, style, true).Record)
	store, err := p.store(lock, progressTo(events))
	if err != nil {
		return err
	}
	defer store.Close()
	return run.OnLab(ctx, m, lab.Options{Store: store, Events: events}, func(ctx context.Context, l *lab.Lab) error {
		proof := mission.Proof{Start: run.Begin(store, f.step), Begins: to.begins, Tell: to.tell}
		if f.shuffle > 0 {
			return m.ProveOrders(ctx, l, events, uint64(f.shuffle), proof)
		}
		if proof.Jobs = jobs(m, l, f.jobs); proof.Jobs == 1 {
			return m.Prove(ctx, l, events, proof)
		}
		proof.Beside = func(
			ctx context.Context, use func(context.Context, *mission.Mission, *lab.Lab, *event.Log) error,
		) error {
			m, err := again(ctx)
			if err != nil {
				return err
			}
			events := &event.Log{} // what there is to be told of the machines is told of the first lab's
			return run.OnLab(ctx, m, lab.Options{Store: store, Events: events}, func(ctx context.Context, l *lab.Lab) error {
				return use(ctx, m, l, events)
			})
		}
		return m.Prove(ctx, l, events, proof)
	})
}

// jobs is in how many labs a mission's trials are made side by side: as many as are wanted,
// or else as there are processors and one more, since a trial waits now and then, if two
// thirds of the free memory are enough for that. A mission that works on this computer's own
// files or shells has one lab.
func jobs(m *mission.Mission, l *lab.Lab, wanted int) int {
	switch {
	case len(m.Declared().Needs) > 0:
		return 1
	case wanted > 0:
		return wanted
	}
	free, err := host.AvailableMemory()
	if err != nil {
		return 1
	}
	return max(1, min(runtime.NumCPU()+1, mostJobs, free*2/3/max(1, l.Memory())))
}

// proof tells the trials of one mission.
type proof struct {
	p    *program
	file string
	json bool
	live bool // the last line is what is being tried now

	begun                    bool // the file was announced
	step                     int  // that was announced
	passed, failed, notTried int
	seconds                  float64
	cases                    []report.Case
}

// begins says on a terminal what is being tried, until it has ended.
func (t *proof) begins(trial mission.Trial, more int) {
	if !t.live {
		return
	}
	t.announce(trial)
	after := ""
	if more > 0 {
		after = fmt.Sprintf("(%d more in this step) ", more)
		if trial.As != "" {
			after = fmt.Sprintf("(%d more students) ", more)
		}
	}
	line := []rune("     trying     " + after + markdown.Clean(trial.Name))
	for uniseg.StringWidth(string(line)) >= t.p.width() { // a line that wraps could not be taken back
		line = line[:len(line)-1]
	}
	fmt.Fprint(t.p.Out, string(line))
}

// announce tells the headings that a trial stands under, once.
func (t *proof) announce(trial mission.Trial) {
	if !t.begun {
		t.begun = true
		t.line("", t.file)
	}
	if trial.As == "" && trial.Step != t.step {
		t.step = trial.Step
		t.line("  ", fmt.Sprintf("%d. %s", trial.Step, trial.Title))
	}
}

// line writes a line, or several, behind an indent.
func (t *proof) line(indent, text string) {
	fmt.Fprintln(t.p.Out, report.StyleOf(t.p.Out, t.p.Getenv).Fold(indent, text))
}

func (t *proof) tell(trial mission.Trial) {
	t.seconds += trial.Seconds
	word := "ok"
	switch {
	case trial.Failure != "":
		t.failed++
		word = "FAILED"
	case trial.NotTried != "":
		t.notTried++
		word = "not tried"
	default:
		t.passed++
	}
	name := fmt.Sprintf("%d. %s: %s", trial.Step, trial.Title, trial.Name)
	if trial.As != "" {
		name = trial.Name
	}
	if slices.ContainsFunc(t.cases, func(c report.Case) bool { return c.Name == name }) {
		name += " (" + trial.Position + ")" // programs tell cases by their names
	}
	t.cases = append(t.cases, report.Case{
		Class: t.file, Name: name, Seconds: trial.Seconds,
		Failure: problemOf(trial), Skipped: trial.NotTried, Output: strings.Join(circumstances(trial), "\n"),
	})
	if t.json {
		line, _ := json.Marshal(trial) // it has nothing that JSON has not
		fmt.Fprintf(t.p.Out, "%s\n", line)
		return
	}
	if t.live {
		fmt.Fprint(t.p.Out, "\r\x1b[K")
	}
	t.announce(trial)
	line := fmt.Sprintf("     %-9s  %s", word, trial.Name)
	if trial.Seconds >= 0.05 {
		line += fmt.Sprintf(" (%.1f s)", trial.Seconds)
	}
	t.line("", line)
	switch {
	case trial.Failure != "":
		t.line("       ", problemOf(trial))
	case trial.NotTried != "":
		t.line("       ", trial.Position+": "+trial.NotTried)
	}
	for _, line := range circumstances(trial) {
		t.line("       ", line)
	}
}

// circumstances are what the console said in a trial, which check refused it, and what the
// student is told, each a line or several.
func circumstances(t mission.Trial) (all []string) {
	if said := strings.Split(t.Screen, "\n"); len(said) > 1 {
		all = append(all, "the console says:\n  "+strings.Join(said, "\n  "))
	} else if t.Screen != "" {
		all = append(all, "the console says: "+t.Screen)
	}
	if r := t.Refused; r != nil {
		message, _, _ := strings.Cut(r.Message, "\n")
		if short := []rune(message); len(short) > 200 {
			message = string(short[:200]) + "…" // --json has all of it
		}
		all = append(all, fmt.Sprintf("refused by %s, %s: %s", r.Builtin, cmp.Or(r.Position, t.Position), message))
	}
	if t.Told != "" {
		all = append(all, "the student is told: "+t.Told)
	}
	return all
}

// problemOf is where, what, and how to mend it; empty if nothing is wrong.
func problemOf(t mission.Trial) string {
	if t.Failure == "" {
		return ""
	}
	text := t.Failure
	if file, _, _ := strings.Cut(t.Position, ":"); !strings.HasPrefix(text, file+":") {
		text = t.Position + ": " + text
	}
	return text + "\nto mend it: " + t.Remedy
}

// close tells the sum, and returns how many trials have failed.
func (t *proof) close() int {
	if !t.json {
		text := fmt.Sprintf("%s: %d passed, %d failed", t.file, t.passed, t.failed)
		if t.notTried > 0 {
			text += fmt.Sprintf(", %d not tried", t.notTried)
		}
		fmt.Fprintf(t.p.Out, "%s, in %.0f s\n", text, t.seconds)
	}
	return t.failed
}
