package grade

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/labrun/labrun/internal/handin"
	"github.com/labrun/labrun/internal/host"
)

// Slurm is a cluster that grades by an array job: sbatch, squeue and scontrol are asked for
// everything, so that partition, account and the like are what the user's environment
// (SBATCH_PARTITION …) says. Its nodes have the folders of the plan, the missions and labrun
// at the same paths as this computer.
type Slurm struct {
	Folder string   // where the job's files are
	Task   []string // the command that does a part: the part and the plan's path follow it
	Jobs   int      // how many tasks at the same time; 0: as the cluster likes
	Note   func(string)
	Poll   time.Duration // how long between two looks at the job
}

// mostTasks is the most that a job has: Slurm's MaxArraySize is 1001 where nobody has set
// it. If there are more submissions, each task judges several.
const mostTasks = 1000

// slurmJob is a job that was submitted, as it is kept until it is over: a grading that is
// killed meanwhile finds it again.
type slurmJob struct {
	ID   string `json:"id"`
	Plan string `json:"plan"`
	Of   int    `json:"of"` // parts
}

// Engine returns the cluster as an engine.
func (s *Slurm) Engine() Engine { return s.judge }

func (s *Slurm) judge(ctx context.Context, p *Plan, pending []int, tell func(*Result)) error {
	if err := os.MkdirAll(s.Folder, 0o755); err != nil {
		return err
	}
	told := map[string]bool{}
	news := func(p *Plan) {
		for i, one := range p.Submissions {
			if r := p.Result(i); r != nil && !told[one.Digest] {
				told[one.Digest] = true
				tell(r)
			}
		}
	}
	if job := s.submitted(); job != nil { // of a grading that was killed
		s.Note(fmt.Sprintf("job %s of an earlier grading still goes on: waiting for it", job.ID))
		if err := s.watch(ctx, job, map[int]string{}, func() { news(p.Only(pending)) }); err != nil {
			return err
		}
	}
	pending = slices.DeleteFunc(slices.Clone(pending), func(i int) bool { return p.Result(i) != nil })
	if len(pending) == 0 {
		return nil
	}
	part := p.Only(pending)
	job, err := s.submit(ctx, part)
	if err != nil {
		return err
	}
	s.Note(fmt.Sprintf("job %s has %d tasks; `squeue --job %s` shows them", job.ID, job.Of, job.ID))
	states := map[int]string{}
	if err := s.watch(ctx, job, states, func() { news(part) }); err != nil {
		return err
	}
	for i, one := range part.Submissions {
		if !told[one.Digest] { // not even a failure was kept: the cluster has ended the task
			tell(s.lost(one, job, states[i%job.Of], i%job.Of))
		}
	}
	return nil
}

// lost is the result of a submission whose task has left none.
func (s *Slurm) lost(one Submission, job *slurmJob, state string, task int) *Result {
	if state == "" {
		state = "it is not known any more how it ended"
	}
	r := &Result{Submission: one, Verdict: failed(handin.Host, fmt.Sprintf("task %s_%d has left no result: %s", job.ID, task, state))}
	said, _ := os.ReadFile(filepath.Join(s.Folder, fmt.Sprintf("%s_%d.log", job.ID, task)))
	t := &tail{}
	t.Write(said)
	r.Said = t.String()
	return r
}

// batch is what the job's script is made of.
var batch = template.Must(template.New("").Funcs(template.FuncMap{"quote": quote}).Parse(`#!/bin/sh
# Written by labrun grade: judges the submissions of a plan, each task its part of them. A task whose node fails is queued
# again, and goes on where it stopped.
#SBATCH --job-name=labrun-grade
#SBATCH --array=0-{{.Last}}{{if .Jobs}}%{{.Jobs}}{{end}}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --time={{.Minutes}}
{{if .Memory}}#SBATCH --mem={{.Memory}}M
{{end -}}
exec{{range .Task}} {{quote .}}{{end}} "$SLURM_ARRAY_TASK_ID/{{.Of}}" {{quote .Plan}}
`))

// quote makes a word of a shell's out of a text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// submit hands the job in.
func (s *Slurm) submit(ctx context.Context, p *Plan) (*slurmJob, error) {
	of := min(len(p.Submissions), mostTasks)
	job := &slurmJob{Plan: filepath.Join(s.Folder, fmt.Sprintf("plan-%s.json", time.Now().UTC().Format("20060102T150405.000"))), Of: of}
	if err := p.Save(job.Plan); err != nil {
		return nil, err
	}
	each := (len(p.Submissions) + of - 1) / of
	// Slurm counts in minutes; a minute more is for starting labrun.
	minutes := int((time.Duration(each)*(p.Limit+grace)+time.Minute-1)/time.Minute) + 1
	var script bytes.Buffer
	if err := batch.Execute(&script, struct {
		Last, Of, Jobs, Minutes, Memory int
		Task                            []string
		Plan                            string
	}{of - 1, of, s.Jobs, minutes, p.Memory, s.Task, job.Plan}); err != nil {
		return nil, err
	}
	file := strings.TrimSuffix(job.Plan, ".json") + ".sh"
	if err := host.WriteFile(file, script.Bytes(), 0o755); err != nil {
		return nil, err
	}
	// The folder is no comment's: in one, a blank or a % would mean something.
	out, err := s.run(ctx, "sbatch", "--parsable", "--chdir="+s.Folder, "--output=%A_%a.log", file)
	if err != nil {
		return nil, err
	}
	job.ID, _, _ = strings.Cut(strings.TrimSpace(out), ";") // the cluster's name may follow
	data, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	return job, host.WriteFile(s.jobFile(), append(data, '\n'), 0o644)
}

func (s *Slurm) jobFile() string { return filepath.Join(s.Folder, "job.json") }

// submitted is the job that an earlier grading has submitted and not seen end; nil: none.
func (s *Slurm) submitted() *slurmJob {
	data, err := os.ReadFile(s.jobFile())
	var job slurmJob
	if err != nil || json.Unmarshal(data, &job) != nil || job.ID == "" {
		return nil
	}
	return &job
}

// watch waits until a job is over, and notes how each task stands. Look is called again and
// again meanwhile, and at the end. A controller that does not answer is asked again: it may
// be about to start anew.
func (s *Slurm) watch(ctx context.Context, job *slurmJob, states map[int]string, look func()) error {
	silent := false
	for {
		over, err := s.look(ctx, job, states)
		look()
		switch {
		case ctx.Err() != nil:
			s.Note(fmt.Sprintf("job %s goes on: the same command waits for it again, `scancel %s` ends it", job.ID, job.ID))
			return context.Cause(ctx)
		case over:
			look() // what came between the two
			if err := os.Remove(s.jobFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		case err != nil && !silent:
			s.Note(fmt.Sprintf("Slurm does not answer, and is asked again: %v", err))
		}
		silent = err != nil
		if err := host.Sleep(ctx, s.Poll); err != nil {
			continue // it is told above
		}
	}
}

// ended are the states that a task does not leave. One whose node has failed is queued again;
// where a cluster does not do that, its job is forgotten after a while (MinJobAge).
var ended = []string{"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "DEADLINE"}

// look asks how the tasks of a job stand.
func (s *Slurm) look(ctx context.Context, job *slurmJob, states map[int]string) (over bool, err error) {
	out, err := s.run(ctx, "squeue", "--noheader", "--array", "--states=all", "--jobs="+job.ID, "--format=%K|%T|%N|%r")
	if err != nil {
		if strings.Contains(err.Error(), "Invalid job id") { // it is over for so long that it is forgotten
			return true, nil
		}
		return false, err
	}
	over = true
	for line := range strings.Lines(out) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		var task int
		if len(fields) < 4 {
			continue
		}
		if _, err := fmt.Sscan(fields[0], &task); err != nil {
			continue
		}
		states[task] = strings.TrimSpace(fields[1] + " " + fields[2])
		over = over && slices.Contains(ended, fields[1])
	}
	return over, nil
}

// run runs one of Slurm's programs.
func (s *Slurm) run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%s is not installed: on Debian, slurm-client has it, and a cluster's own computers do", name)
	case err != nil:
		return "", fmt.Errorf("%s: %w", name, errors.Join(errors.New(strings.TrimSpace(words.String())), err))
	}
	return out.String(), nil
}
