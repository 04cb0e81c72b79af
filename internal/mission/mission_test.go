package mission

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/script"
)

// folder makes a mission's folder of files; each name has its text after it.
func folder(namesAndTexts ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for i := 0; i < len(namesAndTexts); i += 2 {
		files[namesAndTexts[i]] = &fstest.MapFile{Data: []byte(namesAndTexts[i+1])}
	}
	return files
}

// scriptOf is a mission with one step of these lines.
func scriptOf(lines ...string) string {
	return "mission(title = \"Lab\", api = 1, needs = [\"host\"])\n\ndef work():\n    \"\"\"Work\"\"\"\n    " +
		strings.Join(lines, "\n    ") + "\n\nstep(work)\n"
}

// load loads lab.star of a folder.
func load(t *testing.T, files fstest.MapFS) *Mission {
	t.Helper()
	m, err := Load(t.Context(), files, "lab.star", "lab.star", script.Options{Images: []string{"debian"}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// openLab returns the lab of a mission without machines.
func openLab(t *testing.T, m *Mission, events *event.Log) *lab.Lab {
	t.Helper()
	store, err := image.Open(image.StoreOptions{Lock: &image.Lock{}, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	l, err := lab.New(m.Config(), lab.Options{Store: store, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(l.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestMain(m *testing.M) {
	builtins.MaxSteps = 2_000_000
	labtest.Main(m)
}

// openImages opens a cache of images for tests that boot machines: of real ones, the user's own, or with -short of fakes.
// The caller closes it, after its lab.
func openImages(t *testing.T) (*image.Lock, *image.Store) {
	t.Helper()
	if testing.Short() {
		return openFakes(t)
	}
	lock, err := image.ParseLock(labrun.ImagesLock)
	if err != nil {
		t.Fatal(err)
	}
	store, err := image.Open(image.StoreOptions{Lock: lock, Recipes: labrun.Images(), Mirror: os.Getenv("LABRUN_MIRROR")})
	if err != nil {
		t.Fatal(err)
	}
	return lock, store
}

// openFakes is openImages with fakes whatever the tests' length: for what has nothing to do with how a real machine
// behaves.
func openFakes(t *testing.T) (*image.Lock, *image.Store) {
	t.Helper()
	lock, err := image.ParseLock(labrun.ImagesLock)
	if err != nil {
		t.Fatal(err)
	}
	return lock, labtest.Store(t)
}

// wantInterrupted checks what Run returns after the user stopped it in the step
// «Work», and returns it.
func wantInterrupted(t *testing.T, passed int, err error) *Error {
	t.Helper()
	var failed *Error
	if !errors.As(err, &failed) || failed.Kind != Interrupted || failed.Step != "Work" || !errors.Is(err, ErrInterrupted) || passed != 0 {
		t.Fatalf("%d steps passed, error %#v; want an interrupted step", passed, err)
	}
	return failed
}

func TestInterruptWhileAStepWaits(t *testing.T) {
	// When the script comes to its wait, the test tells the shell through one
	// pipe, and that answers through another.
	gate, answer := filepath.Join(t.TempDir(), "gate"), filepath.Join(t.TempDir(), "answer")
	if err := errors.Join(syscall.Mkfifo(gate, 0o600), syscall.Mkfifo(answer, 0o600)); err != nil {
		t.Fatal(err)
	}
	m := load(t, folder("lab.star", scriptOf(
		`host = terminal("host")`,
		`wait_prompt(host)`,
		`send(host, "read x <`+gate+`; echo >`+answer+`")`,
		`say("waiting")`,
		`wait_for(host, text = "never")`,
		`say("not reached")`)))
	ctx, cancel := context.WithCancelCause(t.Context())
	told := make(chan error, 1)
	events := &event.Log{}
	var seen []event.Event
	events.Attach(func(r event.Record) {
		seen = append(seen, r.Event)
		if _, ok := r.Event.(event.Said); ok {
			go func() {
				err := os.WriteFile(gate, []byte("now\n"), 0)
				_, closed := os.ReadFile(answer)
				cancel(ErrInterrupted)
				told <- errors.Join(err, closed)
			}()
		}
	})
	passed, err := m.Run(ctx, openLab(t, m, events), events, Start{})
	failed := wantInterrupted(t, passed, err)
	if err := <-told; err != nil {
		t.Error(err)
	}
	// Nothing tells from outside that line 8 has returned.
	if !strings.HasPrefix(failed.Position, "lab.star:9:") && !strings.HasPrefix(failed.Position, "lab.star:8:") {
		t.Errorf("interrupted at %s, want the wait in line 9, or the line before it", failed.Position)
	}
	ended, ok := seen[len(seen)-1].(event.StepEnded)
	if !ok || ended.Passed || ended.Error == "" {
		t.Errorf("the last event is %#v, want the end of a step that failed", seen[len(seen)-1])
	}
}

func TestInterruptWhileAStepComputes(t *testing.T) {
	m := load(t, folder("lab.star", scriptOf(`say("begin")`, `for i in range(1 << 30):`, `    pass`)))
	ctx, cancel := context.WithCancelCause(t.Context())
	events := &event.Log{}
	events.Attach(func(r event.Record) {
		if _, ok := r.Event.(event.Said); ok {
			cancel(ErrInterrupted)
		}
	})
	passed, err := m.Run(ctx, openLab(t, m, events), events, Start{})
	wantInterrupted(t, passed, err)
}

func TestInterruptBeforeLoading(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ErrInterrupted)
	_, err := Load(ctx, folder("lab.star", scriptOf("pass")), "lab.star", "lab.star", script.Options{})
	var failed *Error
	if !errors.As(err, &failed) || failed.Kind != Interrupted {
		t.Errorf("got %#v, want an interrupted load", err)
	}
}

func TestRunPlaysTheStepsInOrder(t *testing.T) {
	m := load(t, folder("lab.star", `mission(title = "Lab", api = 1)

def one():
    """One

    First,

        a command
    """
    say("1")

def two():
    """Two"""
    print("2", 3)

step(two)
step(one)
`))
	events := &event.Log{}
	var seen []string
	events.Attach(func(r event.Record) {
		switch e := r.Event.(type) {
		case event.StepStarted:
			seen = append(seen, "started "+e.Title, e.Narration)
		case event.Said:
			seen = append(seen, "said "+e.Text)
		case event.StepEnded:
			seen = append(seen, "ended "+e.Title)
		}
	})
	passed, err := m.Run(t.Context(), openLab(t, m, events), events, Start{})
	want := []string{"started Two", "", "said 2 3", "ended Two", "started One", "First,\n\n    a command", "said 1", "ended One"}
	if passed != 2 || err != nil || !slices.Equal(seen, want) {
		t.Errorf("%d steps passed (%v), seen %q, want %q", passed, err, seen, want)
	}
}
