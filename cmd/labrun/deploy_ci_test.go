package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	"go.yaml.in/yaml/v3"
)

const deployed = "../../deploy/"

// deployFile is a file of deploy, which has to be YAML.
func deployFile[T any](t *testing.T, name string) (text string, parsed T) {
	t.Helper()
	data, err := os.ReadFile(deployed + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &parsed); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(data), parsed
}

// commented is the example in a file's comment at its top, from a line that begins with a word on.
func commented(text, first string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line, ok := strings.CutPrefix(line, "#")
		if !ok {
			break
		}
		line = strings.TrimPrefix(line, "   ")
		if strings.HasPrefix(line, first) || len(lines) > 0 {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// The workflows are as GitHub takes them, and give the action what it asks for.
func TestWorkflowsAreSound(t *testing.T) {
	t.Parallel()
	action, _ := deployFile[any](t, "ci/action.yml")
	classroom, _ := deployFile[any](t, "ci/classroom.yml")
	dir := t.TempDir()
	workflow := strings.Replace(commented(action, "on:"), "labrun/labrun/deploy/ci@main", "./deploy/ci", 1)
	if !strings.Contains(workflow, "uses: ./deploy/ci") {
		t.Fatalf("the example is\n%s", workflow)
	}
	for name, text := range map[string]string{
		".git/HEAD": "", "deploy/ci/action.yml": action, ".github/workflows/missions.yml": workflow, ".github/workflows/classroom.yml": classroom,
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		save(t, filepath.Join(dir, name), text)
	}
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{WorkingDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	found, err := linter.LintRepository(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// step is one of an action's or a job's.
type step struct {
	ID  string
	Run string
}

// What the templates say is what labrun does: their commands prove a mission, and grade what was handed in.
func TestCICommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	save(t, filepath.Join(dir, "lab.star"), `mission(title = "A lab", api = 1)
liked = variant("liked", ["yes", "yes"])
def first():
    """The first step

    Here is a question for you.
    """
    ask("Do you like it?", choices = ["yes", "no"], answer = liked)
step(first)
`)
	home := t.TempDir()
	env := append(os.Environ(), "MISSIONS=*.star", "VARIANTS=2", "HOME="+home, "XDG_STATE_HOME="+home,
		"GITHUB_OUTPUT="+filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY="+filepath.Join(dir, "summary"))
	run := func(script, in string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "bash", "-e", "-o", "pipefail", "-c", script)
		cmd.Dir, cmd.Env, cmd.Stdin = dir, env, strings.NewReader(in)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s\n%v: %s", script, err, out)
		}
	}
	_, action := deployFile[struct{ Runs struct{ Steps []step } }](t, "ci/action.yml")
	run(commandOf(t, action.Runs.Steps, "prove"), "")
	_, gitlab := deployFile[map[string]struct{ Script []string }](t, "ci/gitlab.yml")
	run(strings.Join(gitlab["labrun"].Script, "\n"), "")
	if _, err := os.Stat(filepath.Join(dir, "labrun.xml")); err != nil {
		t.Error(err)
	}

	run("labrun --guide --student ann lab.star && labrun --student ann submit lab.star", "1\nquit\n")
	_, classroom := deployFile[struct {
		Jobs map[string]struct{ Steps []step }
	}](t, "ci/classroom.yml")
	run(commandOf(t, classroom.Jobs["autograding"].Steps, "labrun"), "")
	run(`sed s/result=// output | base64 -d | grep '"max_score": 1' && grep '1 of 1 points' summary`, "")
}

func commandOf(t *testing.T, steps []step, id string) string {
	t.Helper()
	for _, s := range steps {
		if s.ID == id {
			return s.Run
		}
	}
	t.Fatalf("no step is called %s", id)
	return ""
}

// The parts that the Job's pods do are all that it has.
func TestKubernetesJob(t *testing.T) {
	t.Parallel()
	text, job := deployFile[struct {
		Spec struct{ Completions int }
	}](t, "kubernetes/grade-job.yaml")
	if n := len(regexp.MustCompile(`completions: 40|INDEX/40|maxFailedIndexes: 40`).FindAllString(text, -1)); n != 3 || job.Spec.Completions != 40 {
		t.Errorf("40 is in %d places, want 3, and %d completions", n, job.Spec.Completions)
	}
}
