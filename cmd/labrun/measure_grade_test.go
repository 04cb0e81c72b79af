//go:build measure

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/grade/slurmtest"
	"github.com/labrun/labrun/internal/labtest"
)

// TestMeasureGrading grades forty submissions of two missions, one of which has a (fake) machine, on a Slurm cluster with two
// nodes, of which one is killed, as is the first labrun grade. It measures; what it asserts is that all are told apart.
func TestMeasureGrading(t *testing.T) {
	dir := t.TempDir()
	fakes := labtest.Cache(t)
	t.Setenv("LABRUN_CACHE", fakes)
	in := filepath.Join(dir, "in")
	must := func(script string, env ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
		cmd.Dir = dir
		cmd.Env = append(append(os.Environ(), "XDG_STATE_HOME="+dir+"/state", "LABRUN_COURSE_KEY="+dir+"/course.key"), env...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		return string(out)
	}
	must("mkdir in old; echo the key of this course >course.key")
	save(t, dir+"/quiz.star", `mission(title = "A quiz", api = 1)
ports = [str(p) for p in range(8001, 8010)]
port = variant("port", ports)
def first():
    """The first step"""
    ask("Which port is yours?", choices = ports, answer = port)
    ask("How is it?")
step(first)
`)
	save(t, dir+"/vm.star", `mission(title = "A machine", api = 1)
debian = machine("debian")
greeting = variant("greeting", ["hello", "welcome", "hi"])
def first():
    """The first step"""
    boot(debian)
    login(debian)
    task(debian, "Write {greeting} into a note.", solution = "echo " + greeting + " >/root/note",
        check = lambda: assert_contains(read_file(debian, "/root/note"), greeting, hint = "What does it say?"))
step(first)
`)
	drawn := regexp.MustCompile(`Answer: 800(\d)`)
	plays := func(id, mission string) {
		port := drawn.FindStringSubmatch(must("labrun --as " + id + " " + mission))[1]
		must(fmt.Sprintf(`printf '%s\nfine\nquit\n' | labrun --guide --student %s %s`, port, id, mission))
	}
	submit := func(id, mission, out string) {
		must("labrun --lock " + fakes + "/images.lock --student " + id + " submit -o " + out + " " + mission)
	}
	want := map[string]string{}
	started := time.Now()
	for i := range 27 {
		id := fmt.Sprintf("s%02d", i)
		plays(id, "quiz.star")
		submit(id, "quiz.star", "in/quiz-"+id+".labrun")
		want["quiz-"+id+".labrun"] = "confirmed"
	}
	for _, id := range []string{"v1", "v2", "v3", "v4"} {
		env := []string{"XDG_STATE_HOME=" + dir + "/state", "LABRUN_COURSE_KEY=" + dir + "/course.key"}
		guide := sits(t, id, env, "--lock", fakes+"/images.lock", "--guide", "--lang", "en", "--student", id, dir+"/vm.star")
		guide.sees("> Switch on debian")
		console := guide.attaches(id, append(env, "LABRUN_STUDENT="+id), "debian")
		console.sees("Enter")
		console.types("")
		console.sees("login:")
		console.types("root")
		console.sees("assword:")
		console.typesPassword("root")
		console.sees("# $")
		greeting := guide.sees(`Write (\w+) into a note`)[1]
		console.types("echo " + greeting + " >/root/note")
		guide.sees("Mission complete")
		guide.types("quit")
		guide.leaves(0)
		submit(id, "vm.star", "in/vm-"+id+".labrun")
		want["vm-"+id+".labrun"] = "confirmed"
	}
	// The others: help that is not claimed, another's work with the name changed in the claim alone and in all its records,
	// a damaged file, hostile ones, another mission, an older one.
	must("printf 'do\\ndo\\nquit\\n' | labrun --guide --student bob quiz.star")
	submit("bob", "quiz.star", "bob.labrun")
	forges := func(kind, from, to string, words ...string) {
		data, err := os.ReadFile(filepath.Join(dir, from))
		if err == nil {
			data, err = forged(data, kind, words)
		}
		if err != nil {
			t.Fatal(err)
		}
		save(t, filepath.Join(in, to), string(data))
	}
	forges("edited", "bob.labrun", "edited.labrun", `"helped": 2`, `"helped": 0`)
	want["edited.labrun"] = "differs"
	forges("edited", "in/quiz-s00.labrun", "renamed.labrun", `"s00"`, `"mal"`)
	want["renamed.labrun"] = "refused altered"
	must(`cd state/labrun/students && cp -r v1 mal && find mal -type f | xargs sed -i 's/"v1"/"mal"/; s|students/v1|students/mal|g'`)
	greets := regexp.MustCompile(`echo (\w+)`)
	if slices.Equal(greets.FindStringSubmatch(must("labrun --lock "+fakes+"/images.lock --as mal --json vm.star")), greets.FindStringSubmatch(must("labrun --lock "+fakes+"/images.lock --as v1 --json vm.star"))) {
		t.Fatal("mal draws what v1 does: choose another name")
	}
	submit("mal", "vm.star", "in/variant.labrun")
	want["variant.labrun"] = "differs"
	must("head -c 900 in/vm-v1.labrun >in/truncated.labrun; ln -s /dev/zero in/endless.labrun; truncate -s 1T in/sparse.labrun")
	want["truncated.labrun"], want["endless.labrun"], want["sparse.labrun"] = "refused damaged", "refused hostile", "refused hostile"
	forges("escaping", "in/quiz-s00.labrun", "escaping.labrun")
	forges("huge", "in/quiz-s00.labrun", "huge.labrun")
	want["escaping.labrun"], want["huge.labrun"] = "refused hostile", "refused hostile"
	must("sed s/How/Where/ quiz.star >old/quiz.star")
	plays("s90", "old/quiz.star")
	submit("s90", "old/quiz.star", "in/changed.labrun")
	want["changed.labrun"] = "refused mission"
	if len(want) != 40 {
		t.Fatalf("%d submissions, want 40", len(want))
	}
	t.Logf("40 submissions made in %.0f s", time.Since(started).Seconds())

	cluster := slurmtest.Start(t, 2)
	started = time.Now()
	line := "exec labrun --lock " + fakes + "/images.lock grade in --mission quiz.star --mission vm.star --engine slurm --limit 5m -o out"
	first := exec.Command("sh", "-c", line)
	first.Dir, first.Env = dir, append(os.Environ(), "LABRUN_COURSE_KEY="+dir+"/course.key")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	judged := func() int {
		files, _ := filepath.Glob(dir + "/out/results/*.json")
		return len(files)
	}
	eventually(t, patience, func() bool {
		out, _ := exec.Command("squeue", "--noheader", "--array", "--states=running", "--format=%N").Output()
		return judged() >= 8 && strings.Contains(string(out), "n2")
	}, func() string { return fmt.Sprintf("%d are judged", judged()) })
	first.Process.Signal(syscall.SIGKILL)
	first.Wait()
	cluster.KillNode("n2")
	t.Logf("after %.0f s, when %d were judged, labrun grade and node n2 were killed", time.Since(started).Seconds(), judged())
	said := must(strings.TrimPrefix(line, "exec "))
	t.Logf("graded in %.0f s; labrun grade, once more, said:\n%s", time.Since(started).Seconds(), said)

	var results struct {
		Rows []struct{ File, Verdict, Cause, Reason string }
	}
	data, err := os.ReadFile(dir + "/out/results.json")
	if err == nil {
		err = json.Unmarshal(data, &results)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results.Rows {
		if got := strings.TrimSpace(r.Verdict + " " + r.Cause); got != want[r.File] {
			t.Errorf("%s is %s (%s), want %s", r.File, got, r.Reason, want[r.File])
		}
	}
	if len(results.Rows) != 40 {
		t.Errorf("%d rows, want 40", len(results.Rows))
	}
	queue := must("sacct --version >/dev/null 2>&1 || true; squeue --noheader --array --states=all --format='%K %T %N' | sort -n")
	t.Logf("the tasks, and where they ended:\n%s", queue)
}
