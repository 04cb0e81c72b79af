package grade

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/handin"
)

// Whatever a submission's process does, it has a result and no other's suffers; what was
// judged is not judged again, and what failed is.
func TestEachSubmissionHasItsOwnResult(t *testing.T) {
	t.Parallel()
	p, journal := batchOf(t, map[string]string{
		"ann.labrun":      "confirmed ann",
		"bob.labrun":      "differs bob",
		"cut.labrun":      "refused",
		"crash.labrun":    "crash",
		"flood.labrun":    "flood",
		"garbage.labrun":  `garbage {"format":1,"verdict":"splendid"}`,
		"newer.labrun":    `garbage {"format":2,"verdict":"confirmed"}`,
		"silent.labrun":   "garbage ",
		"again.labrun":    "confirmed ann", // the same bytes
		"sub/dora.labrun": "confirmed dora",
		"readme.txt":      "nothing",
	})
	got := judged(t, p, Here(3))
	want := map[string]string{
		"ann.labrun": "confirmed", "again.labrun": "confirmed", "bob.labrun": "differs", "sub/dora.labrun": "confirmed",
		"cut.labrun":     "refused damaged: it ends too early",
		"crash.labrun":   "failed host: its process ended without a verdict (exit status 2): panic: the replay is broken",
		"flood.labrun":   "failed host: its process printed more than 8 MiB",
		"garbage.labrun": `failed host: its process printed no verdict (the verdict "splendid" is not known)`,
		"newer.labrun":   "failed host: its process printed no verdict (a verdict of format 2, and not 1)",
		"silent.labrun":  "failed host: its process printed no verdict (unexpected end of JSON input)",
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s: %q, want %q", name, got[name], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d results, want %d: %q", len(got), len(want), got)
	}
	if n := strings.Count(journal(), "\n"); n != 9 {
		t.Errorf("%d replays, want one of each that differ, 9:\n%s", n, journal())
	}
	judged(t, p, Here(3))
	if n := strings.Count(journal(), "\n"); n != 9+5 {
		t.Errorf("%d replays after the second time, want those that had failed once more, 14:\n%s", n, journal())
	}
	p.Basis = "another mission"
	if n := len(p.Pending()); n != 9 {
		t.Errorf("%d are pending when the mission has changed, want all 9", n)
	}
}

// A replay without end is ended with all that it has started.
func TestLimit(t *testing.T) {
	t.Parallel()
	p, _ := batchOf(t, map[string]string{"endless.labrun": "hang"})
	p.Limit = 3 * time.Second
	pid := filepath.Join(t.TempDir(), "pid")
	p.Replay = []string{"/bin/sh", "-c", "sleep 3600 >/dev/null 2>&1 & echo $! >" + pid + "; wait"}
	if got := judged(t, p, Here(1))["endless.labrun"]; got != "failed timeout: it was not played to its end within 3s" {
		t.Errorf("it says %q", got)
	}
	data, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	// It is killed already, and ends as soon as it has a processor; nobody may take note of that (Z).
	until(t, "end of what it had started", func() bool {
		state, err := exec.Command("ps", "-o", "stat=", "-p", strings.TrimSpace(string(data))).Output()
		return err != nil || strings.HasPrefix(string(state), "Z")
	})
}

// A replay that tells how far it came when its time was over is listened to.
func TestLimitTellsHowFar(t *testing.T) {
	t.Parallel()
	p, _ := batchOf(t, map[string]string{"slow.labrun": "hang"})
	p.Limit = 3 * time.Second
	p.Replay = []string{
		"/bin/sh", "-c",
		`trap 'echo "{\"format\":1,\"verdict\":\"failed\",\"cause\":\"host\",\"student\":\"ann\"}"; exit 4' TERM; while :; do sleep 0.1; done`,
	}
	results, err := Judge(t.Context(), p, p.Pending(), Here(1), func(*Result) {})
	if err != nil {
		t.Fatal(err)
	}
	if r := results[0]; r.Student != "ann" || r.Cause != handin.TimedOut {
		t.Errorf("of %q the cause is %q, want what it told, and that its time was over", r.Student, r.Cause)
	}
}

// A replay that takes all memory is ended by its limit, not the computer's.
func TestMemory(t *testing.T) {
	t.Parallel()
	p, _ := batchOf(t, map[string]string{"huge.labrun": "huge"})
	p.Memory = 200
	p.Replay = []string{"/bin/sh", "-c", "head -c 1G /dev/zero | tail >/dev/null || exit 9"}
	if got := judged(t, p, Here(1))["huge.labrun"]; !strings.HasPrefix(got, "failed host: its process ended without a verdict (exit status 9)") {
		t.Errorf("it says %q", got)
	}
}

// A grading that was stopped goes on where it stopped.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	gate := filepath.Join(t.TempDir(), "gate")
	p, journal := batchOf(t, map[string]string{
		"a.labrun": "confirmed ann", "b.labrun": "wait " + gate, "c.labrun": "confirmed cleo",
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped")
	time.AfterFunc(time.Minute, func() { cancel(errors.New("the first was not judged within a minute")) })
	_, err := Judge(ctx, p, p.Pending(), Here(1), func(r *Result) {
		if r.Name == "a.labrun" {
			cancel(stop)
		}
	})
	if !errors.Is(err, stop) {
		t.Fatalf("the error is %v", err)
	}
	if n := len(p.Pending()); n != 2 {
		t.Errorf("%d are pending, want 2", n)
	}
	if err := os.WriteFile(gate, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, got := range judged(t, p, Here(1)) {
		if got != "confirmed" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if strings.Count(journal(), "a.labrun") != 1 {
		t.Errorf("what was judged was judged again:\n%s", journal())
	}
}

// What is no file, or larger than any submission, is not read.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/a.labrun", []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", dir+"/b.labrun"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(dir+"/c.labrun", 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/d.labrun", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/e.labrun", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(dir+"/e.labrun", 1<<40); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/notes.txt", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	found, others, err := Find(t.Context(), []string{dir, dir + "/a.labrun"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range found {
		got = append(got, s.Name+" "+s.Problem)
	}
	link := "it is no file, but a link, a pipe or a device"
	want := []string{"a.labrun ", "b.labrun " + link, "c.labrun " + link, "d.labrun it is a folder", "e.labrun it has more than 256 MiB"}
	if !slices.Equal(got, want) || others != 1 {
		t.Errorf("found %q and %d others, want %q and 1", got, others, want)
	}
	p := &Plan{Submissions: found, Results: dir}
	if r := p.Result(1); r == nil || r.Judgement != handin.Refused || r.Cause != handin.Hostile {
		t.Errorf("a link is %+v, want refused", r)
	}
	if pending := p.Pending(); !slices.Equal(pending, []int{0}) {
		t.Errorf("pending are %v, want the one file", pending)
	}
}

// Two gradings do not work on one folder.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	release, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); err == nil || !strings.Contains(err.Error(), "another `labrun grade` works on it") {
		t.Errorf("the second has %v", err)
	}
	release()
	if release, err = Lock(dir); err != nil {
		t.Fatal(err)
	}
	release()
}

func TestParsePart(t *testing.T) {
	if p, err := ParsePart("3/40"); err != nil || p != (Part{3, 40}) {
		t.Errorf("%v, %v", p, err)
	}
	for _, bad := range []string{"", "3", "40/40", "-1/4", "a/4", "1/b", "0/0"} {
		if _, err := ParsePart(bad); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

// Parts are all, and none twice; one that is done again goes on.
func TestParts(t *testing.T) {
	p, journal := batchOf(t, map[string]string{
		"a.labrun": "confirmed a", "b.labrun": "confirmed b", "c.labrun": "differs c", "d.labrun": "refused", "e.labrun": "confirmed e",
	})
	for i := range 3 {
		for range 2 {
			if err := p.Do(t.Context(), Part{i, 3}, func(*Result) {}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(p.Pending()) != 0 || strings.Count(journal(), "\n") != 5 {
		t.Errorf("%d are pending after:\n%s", len(p.Pending()), journal())
	}
}
