package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/grade"
	"github.com/labrun/labrun/internal/handin"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/qemu"
	"github.com/labrun/labrun/internal/report"
)

type gradeFlags struct {
	missions         []string
	points, key, out string
	jobs             int
	limit            time.Duration
	engine, task     string
	changed          bool
	allow            consent
}

func (p *program) newGrade() *cobra.Command {
	var f gradeFlags
	c := &cobra.Command{
		Use:   "grade FOLDER|FILE…",
		Short: "play the files that students handed in again, and give points",
		Long: `grade plays each file of labrun submit again, on fresh machines and in a process of its own, and writes what that comes
to into a folder: grades.csv, tables for Moodle and Canvas, results.json, junit.xml, and a page for each student. Of each file
it says one of these:

  confirmed   it came to what it claims
  differs     it came to something else: both numbers are told
  refused     it cannot be judged: damaged, hostile, changed, of another mission …
  failed      labrun could not judge it: the computer, the time limit

What was judged is kept. The same command again goes on where it stopped, tries again what has failed, and judges what is
new. A step gives one point, unless a file beside the mission (MISSION.points.toml) says something else.

With --engine slurm the cluster's nodes do it, by an array job. With --engine plan nobody does: plan.json in the
results' folder says what is to be done, and ` + "`labrun grade --task I/N PLAN`" + ` does a part of it, wherever that file is.

The exit code is 0 if all files were judged, whatever came of it, and 4 if some were not.`,
		RunE: func(c *cobra.Command, args []string) error {
			if f.task != "" {
				return p.gradePart(c.Context(), args, f.task)
			}
			return p.grade(c.Context(), c, args, f)
		},
	}
	c.Flags().StringArrayVarP(&f.missions, "mission", "m", nil, "the `mission` that was played; may be said several times")
	c.Flags().StringVar(&f.points, "points", "", "what its steps give, in this TOML `file`, instead of MISSION.points.toml beside it")
	c.Flags().StringVar(&f.key, "key", "", "the public key, in this `file`, by which submissions must be signed")
	c.Flags().StringVarP(&f.out, "out", "o", "grades", "the `folder` of the results")
	c.Flags().IntVarP(&f.jobs, "jobs", "j", 0, "so `many` at the same time; by itself labrun takes as many as memory and processors allow")
	c.Flags().DurationVar(&f.limit, "limit", 10*time.Minute, "the `time` that each submission has")
	c.Flags().StringVar(&f.engine, "engine", "here", "who judges: here, slurm or plan")
	c.Flags().StringVar(&f.task, "task", "", "do `part` I of N of a plan, such as 3/40, and nothing else")
	c.Flags().BoolVar(&f.changed, "changed", false, "play submissions also if a mission's files are others by now")
	f.allow.flag(c)
	return c
}

// gradePart does a part of a plan, as a task of an array job.
func (p *program) gradePart(ctx context.Context, args []string, text string) error {
	part, err := grade.ParsePart(text)
	if err != nil {
		return &usageError{fmt.Sprintf("--task %v", err)}
	}
	if len(args) != 1 {
		return &usageError{"grade --task: name the plan's file"}
	}
	plan, err := grade.ReadPlan(args[0])
	if err != nil {
		return &usageError{err.Error()}
	}
	err = plan.Do(ctx, part, func(r *grade.Result) { p.tellResult(r) })
	if err != nil && ctx.Err() == nil {
		return &environmentError{err}
	}
	return err
}

func (p *program) grade(ctx context.Context, c *cobra.Command, args []string, f gradeFlags) error {
	switch {
	case len(args) == 0:
		return &usageError{"grade: where are the submissions? Name their folder, or their files"}
	case len(f.missions) == 0:
		return &usageError{"grade: which mission was played? Say --mission FILE"}
	case f.points != "" && len(f.missions) > 1:
		return &usageError{"--points is for one mission: with several, each has its own file beside it, MISSION.points.toml"}
	case f.jobs < 0 || f.jobs > mostJobs && f.engine == "here":
		return &usageError{fmt.Sprintf("--jobs %d: want from 1 to %d, or 0 for what the computer allows", f.jobs, mostJobs)}
	case f.limit < time.Second:
		return &usageError{fmt.Sprintf("--limit %s: want at least a second, such as 10m", f.limit)}
	case !slices.Contains([]string{"here", "slurm", "plan"}, f.engine):
		return &usageError{fmt.Sprintf("--engine %s: want here, slurm or plan", f.engine)}
	}
	started := time.Now()
	plan, missions, err := p.planOf(ctx, c, f)
	if err != nil {
		return err
	}
	others := 0
	if plan.Submissions, others, err = grade.Find(ctx, args); errors.Is(err, fs.ErrNotExist) {
		return &usageError{fmt.Sprintf("grade: %v", err)}
	} else if err != nil {
		return &environmentError{err}
	}
	if len(plan.Submissions) == 0 {
		return &usageError{fmt.Sprintf("grade %s: no file there ends in %s", strings.Join(args, " "), grade.Suffix)}
	}
	if others > 0 {
		p.tell(p.Err, "note: %s not looked at: names of submissions end in %s", report.Count(others, "other file"), grade.Suffix)
	}
	out, err := filepath.Abs(f.out)
	if err != nil {
		return &environmentError{err}
	}
	release, err := grade.Lock(out)
	if err != nil {
		return &environmentError{err}
	}
	defer release()
	plan.Results = filepath.Join(out, "results")
	pending := plan.Pending()
	if kept := len(plan.Submissions) - len(pending); kept > 0 {
		p.tell(p.Err, "%d of %s need not be played again", kept, report.Count(len(plan.Submissions), "submission"))
	}
	if f.engine == "plan" {
		return p.savePlan(plan, pending, out)
	}
	engine, err := p.engine(f, plan, out)
	if err != nil {
		return err
	}
	done := 0
	results, err := grade.Judge(ctx, plan, pending, engine, func(r *grade.Result) {
		done++
		fmt.Fprintf(p.Out, "%*d/%d  ", len(fmt.Sprint(len(pending))), done, len(pending))
		p.tellResult(r)
	})
	if err != nil {
		if ctx.Err() != nil {
			p.tell(p.Err, "%d of %d are judged and kept: the same command goes on from there", done, len(pending))
			return err
		}
		return &environmentError{err}
	}
	rows := grade.Rows(results, missions)
	if err := grade.Write(out, started, rows, missions); err != nil {
		return &environmentError{err}
	}
	if p.tellGrades(rows, out) > 0 {
		return errReported(exitEnvironment)
	}
	return nil
}

// planOf is the plan without its submissions, and the missions with what their steps give.
func (p *program) planOf(ctx context.Context, c *cobra.Command, f gradeFlags) (*grade.Plan, []grade.Mission, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, &environmentError{err}
	}
	who, err := p.who()
	if err != nil {
		return nil, nil, err
	}
	plan := &grade.Plan{Replay: []string{self, "replay", "--json"}, Limit: f.limit}
	var missions []grade.Mission
	basis := sha256.New()
	fmt.Fprintln(basis, version(), who.Key.Fingerprint(), p.strict, f.allow.host, f.changed)
	for _, name := range f.missions {
		m, lock, err := p.find(ctx, c, name)
		if err != nil {
			return nil, nil, err
		}
		if f.allow.missing(m) {
			return nil, nil, &usageError{
				fmt.Sprintf("%s wants to run commands on this computer: if you trust it, say --allow host", name),
			}
		}
		one, err := missionGraded(m, name, f.points)
		if err != nil {
			return nil, nil, err
		}
		if slices.ContainsFunc(missions, func(other grade.Mission) bool { return other.Name == one.Name }) {
			return nil, nil, &usageError{fmt.Sprintf("--mission %s: there are two called %s, which submissions cannot tell apart", name, one.Name)}
		}
		missions = append(missions, one)
		plan.Memory = max(plan.Memory, memoryOf(m, lock))
		files, err := m.Files()
		if err != nil {
			return nil, nil, &environmentError{err}
		}
		fmt.Fprintln(basis, one.Name, handin.MissionClaim{Files: files}.Digest())
		if !m.BuiltIn() {
			if name, err = filepath.Abs(name); err != nil {
				return nil, nil, &environmentError{err}
			}
		}
		plan.Replay = append(plan.Replay, "--mission", name)
	}
	files := []struct{ flag, name string }{{"--key", f.key}, {"--course-key", p.courseKeyFile()}, {"--lock", p.lockFile}}
	for _, file := range files {
		if file.name == "" {
			continue
		}
		data, err := os.ReadFile(file.name)
		if err != nil {
			return nil, nil, &usageError{fmt.Sprintf("%s: %v", file.flag, err)}
		}
		fmt.Fprintf(basis, "%s %x\n", file.flag, sha256.Sum256(data))
		if file.name, err = filepath.Abs(file.name); err != nil {
			return nil, nil, &environmentError{err}
		}
		plan.Replay = append(plan.Replay, file.flag, file.name)
	}
	if p.strict {
		plan.Replay = append(plan.Replay, "--strict")
	}
	if f.changed {
		plan.Replay = append(plan.Replay, "--changed")
	}
	if f.allow.host {
		plan.Replay = append(plan.Replay, "--allow", "host")
	}
	plan.Basis = hex.EncodeToString(basis.Sum(nil))
	return plan, missions, nil
}

// missionGraded is a mission with what its steps give.
func missionGraded(m *mission.Mission, file, points string) (grade.Mission, error) {
	one := grade.Mission{Name: handin.MissionName(file), Title: m.Declared().Title}
	for _, s := range m.Declared().Steps {
		one.Steps = append(one.Steps, grade.Step{Name: s.Function.Name(), Title: s.Title})
	}
	named := points != ""
	if !named {
		points = grade.PointsBeside(file)
	}
	var err error
	if one.Points, err = grade.ReadPoints(points, one.Steps); err != nil && (named || !errors.Is(err, fs.ErrNotExist)) {
		return one, &usageError{err.Error()}
	}
	return one, nil
}

// labrunOwn is what a replay needs besides its machines, in MiB.
const labrunOwn = 1024

// memoryOf is what playing a mission takes, in MiB.
func memoryOf(m *mission.Mission, lock *image.Lock) int {
	need := labrunOwn
	for _, machine := range m.Declared().Machines {
		profile, _ := lock.Profile(machine.Image)
		if machine.Memory > 0 {
			profile.Memory = machine.Memory
		}
		need += profile.Memory + qemu.OwnMemory
	}
	return need
}

// engine is who judges.
func (p *program) engine(f gradeFlags, plan *grade.Plan, out string) (grade.Engine, error) {
	if f.engine == "slurm" {
		slurm := &grade.Slurm{
			Folder: filepath.Join(out, "slurm"), Task: []string{plan.Replay[0], "grade", "--task"}, Jobs: f.jobs,
			Poll: 2 * time.Second, Note: func(text string) { p.tell(p.Err, "%s", text) },
		}
		return slurm.Engine(), nil
	}
	jobs := f.jobs
	if jobs == 0 {
		free, err := host.AvailableMemory()
		if err != nil {
			return nil, &environmentError{fmt.Errorf("how much memory is free is not known: %w: say -j N", err)}
		}
		jobs = max(1, min(runtime.NumCPU(), mostJobs, free*2/3/plan.Memory))
	}
	return grade.Here(jobs), nil
}

// savePlan writes what is to be done, for those who will do it, and says how.
func (p *program) savePlan(plan *grade.Plan, pending []int, out string) error {
	if len(pending) == 0 {
		p.tell(p.Out, "nothing is left to be done: the same command without --engine plan writes the results")
		return nil
	}
	file := filepath.Join(out, "plan.json")
	if err := plan.Only(pending).Save(file); err != nil {
		return &environmentError{err}
	}
	p.tell(p.Out, "%s: %s to be judged. For each part I, from 0 to %d:\n  labrun grade --task I/%d %s\n"+
		"Then the same command without --engine plan writes the results.",
		file, report.Count(len(pending), "submission"), len(pending)-1, len(pending), file)
	return nil
}

// tellResult tells what came of one submission.
func (p *program) tellResult(r *grade.Result) {
	line := fmt.Sprintf("%-9s  %s (%.0f s)", r.Judgement, r.Name, r.Took)
	if r.Reason != "" {
		line += ": " + r.Reason
	}
	p.tell(p.Out, "%s", line)
}

// tellGrades tells the sum, and returns how many were not judged.
func (p *program) tellGrades(rows []grade.Row, out string) (notJudged int) {
	counts := map[handin.Judgement]int{}
	for _, r := range rows {
		counts[r.Judgement]++
	}
	p.tell(p.Out, "%s: %d confirmed, %d differ from what they claim, %d refused, %d failed", report.Count(len(rows), "submission"),
		counts[handin.Confirmed], counts[handin.Differs], counts[handin.Refused], counts[handin.Failed])
	p.tell(p.Out, "grades: %s, with the gradebooks' tables, results.json, junit.xml and the students' pages beside it",
		filepath.Join(out, grade.TableFile))
	if counts[handin.Failed] > 0 {
		p.tell(p.Err, "what has failed is not the students' fault: the same command tries it again")
	}
	return counts[handin.Failed]
}
