package grade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/grade/slurmtest"
)

// On a cluster of Debian's Slurm with two nodes: submissions of every kind are told apart; a
// grading that is killed finds its job again; and the tasks of a node that is killed run
// again on the other one.
func TestSlurm(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Slurm cluster")
	}
	cluster := slurmtest.Start(t, 2)
	gate := t.TempDir()
	texts := map[string]string{"bob.labrun": "differs bob", "cut.labrun": "refused", "crash.labrun": "crash"}
	for i := range 4 {
		texts[fmt.Sprintf("s%d.labrun", i)] = fmt.Sprintf("confirmed s%d", i)
		// The first ones differ, and wait for the same file.
		texts[fmt.Sprintf("a%d.labrun", i)] = "wait " + gate + strings.Repeat("/.", i) + "/open"
	}
	p, journal := batchOf(t, texts)
	self := p.Replay[0]
	folder := filepath.Join(filepath.Dir(p.Results), "slurm job's") // a name that shells would take apart
	var notes []string
	slurm := &Slurm{
		Folder: folder, Task: []string{self, "task"}, Poll: 200 * time.Millisecond,
		Note: func(text string) { notes = append(notes, text) },
	}

	// The first grading is stopped as soon as tasks wait on both nodes; its job goes on.
	ctx, stop := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	ended := make(chan error)
	go func() {
		_, err := Judge(ctx, p, p.Pending(), slurm.Engine(), func(*Result) {})
		ended <- err
	}()
	until(t, "tasks that wait on both nodes", func() bool { return strings.Count(journal(), "\n") == 4 })
	stop(stopped)
	if err := <-ended; !errors.Is(err, stopped) {
		t.Fatalf("the grading that was stopped has %v", err)
	}

	cluster.KillNode("n2")
	until(t, "tasks that are queued again", func() bool {
		out, _ := exec.Command("squeue", "--noheader", "--array", "--states=running", "--format=%N").Output()
		return strings.Count(string(out), "n1") == 2 && !strings.Contains(string(out), "n2")
	})
	if err := os.WriteFile(filepath.Join(gate, "open"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	got := judged(t, p, slurm.Engine())
	for name := range texts {
		want := "confirmed"
		switch name {
		case "bob.labrun":
			want = "differs"
		case "cut.labrun":
			want = "refused damaged"
		case "crash.labrun":
			want = "failed host: its process ended without a verdict"
		}
		if !strings.HasPrefix(got[name], want) {
			t.Errorf("%s: %s, want %s", name, got[name], want)
		}
	}
	if n := strings.Count(journal(), "\n"); n != len(texts)+2 {
		t.Errorf("%d replays, want one of each, and of the two that were on the killed node another one, %d", n, len(texts)+2)
	}
	said := strings.Join(notes, "\n")
	for _, want := range []string{"job 1 has 11 tasks", "job 1 goes on", "job 1 of an earlier grading still goes on"} {
		if !strings.Contains(said, want) {
			t.Errorf("nothing says %q:\n%s", want, said)
		}
	}
	if t.Failed() {
		t.Logf("replays:\n%s", journal())
	}
}

// until waits until something holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("three minutes, and no %s", what)
		}
	}
}
