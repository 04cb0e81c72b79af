package run

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/phrase"
	"github.com/labrun/labrun/internal/script"
)

// load loads a mission with these lines as its only step, and no machines.
func load(t *testing.T, lines ...string) *mission.Mission {
	t.Helper()
	source := "mission(title = \"Lab\", api = 1, needs = [\"host\"])\n\ndef work():\n    \"\"\"Work\"\"\"\n    " +
		strings.Join(lines, "\n    ") + "\n\nstep(work)\n"
	m, err := mission.Load(t.Context(), fstest.MapFS{"lab.star": {Data: []byte(source)}}, "lab.star", "lab.star", script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// options are those of a run with a cache and a state folder of its own.
func options(t *testing.T) Options {
	t.Helper()
	store, err := image.Open(image.StoreOptions{Lock: &image.Lock{}, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return Options{Store: store, Events: &event.Log{}, State: t.TempDir()}
}

// limit is for what ends by itself.
func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// Who follows a run through its door is told what is recorded, to the last event, and the
// door is closed when the run is over.
func TestRunIsToldToItsEnd(t *testing.T) {
	o := options(t)
	following := make(chan struct{})
	var failure error
	o.Failed = func(err error) {
		<-following
		failure = err
	}
	r, err := Start(limit(t), load(t, `say("one")`, `fail("no", hint = "Once more.")`), o)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	err = attach.Events(limit(t), r.Session(), func(line []byte) error {
		if told = append(told, string(line)+"\n"); len(told) == 1 {
			close(following)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	result := r.Wait()
	var failed *mission.Error
	if result.ExitCode() != ExitCheck || result.Passed != 0 || result.Total != 1 || result.Closing != nil ||
		!errors.As(result.Err, &failed) || failed.Hint != "Once more." || failure != result.Err {
		t.Errorf("%+v", result)
	}
	recorded, err := os.ReadFile(filepath.Join(result.Records, "events.jsonl"))
	if err != nil || strings.Join(told, "") != string(recorded) || len(told) != len(result.Events) {
		t.Errorf("%v; told was\n%s\nand recorded\n%s", err, strings.Join(told, ""), recorded)
	}
	if !strings.Contains(told[len(told)-1], `"event":"run_ended","passed":false,"steps":0,"total":1,`) {
		t.Errorf("the last is %s", told[len(told)-1])
	}
	if _, err := os.Stat(r.Session()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the session is still there: %v", err)
	}
}

// A run is stopped through its door, and whoever does that waits until it is over and its
// report written.
func TestStopThroughTheDoor(t *testing.T) {
	o := options(t)
	o.Records = t.TempDir()
	m := load(t, `host = terminal("host")`, `wait_prompt(host)`, `send(host, "cat")`,
		`wait_for(host, text = "never", timeout = 3600)`)
	r, err := Start(limit(t), m, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := attach.Command(limit(t), r.Session(), "hint", ""); err == nil || err.Error() != attach.ErrNoStudent.Error() {
		t.Errorf("a word to nobody is answered with %v", err)
	}
	for record := range o.Events.Follow(limit(t)) {
		if _, ok := record.Event.(event.StepStarted); ok {
			break
		}
	}
	if err := attach.Stop(limit(t), r.Session()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(o.Records, "report.html")); err != nil {
		t.Errorf("after the end: %v", err)
	}
	if result := r.Wait(); result.ExitCode() != ExitInterrupted || result.Records != o.Records {
		t.Errorf("%+v", result)
	}
}

// A student who quits is not kept waiting until what labrun does by itself is over.
func TestQuitWhileLabrunWorks(t *testing.T) {
	o := options(t)
	defer func(steps uint64) { builtins.MaxSteps = steps }(builtins.MaxSteps)
	builtins.MaxSteps = 1 << 60
	m := load(t, `for i in range(1 << 30):`, `    pass`)
	progress, err := OpenProgress(o.State, m)
	if err != nil {
		t.Fatal(err)
	}
	defer progress.Close()
	o.Student = &Student{Progress: progress, Language: phrase.In("en"), Command: "lab"}
	r, err := Start(limit(t), m, o)
	if err != nil {
		t.Fatal(err)
	}
	for record := range o.Events.Follow(limit(t)) {
		if _, ok := record.Event.(event.StepStarted); ok {
			break
		}
	}
	if err := attach.Command(limit(t), r.Session(), "quit", ""); err != nil {
		t.Error(err)
	}
	var unfinished *Unfinished
	if result := r.Wait(); !errors.As(result.Err, &unfinished) || !unfinished.Stopped {
		t.Errorf("%+v", result)
	}
}

// A run whose machines cannot be had fails as any other, and leaves nothing behind.
func TestRunThatCannotBegin(t *testing.T) {
	o := options(t)
	o.Records = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(o.Records, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), load(t, "pass"), o); ExitCode(err) != ExitEnvironment {
		t.Errorf("where no records can be kept: %v", err)
	}
	o = options(t)
	if err := os.WriteFile(filepath.Join(o.Store.Dir(), "sessions"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Start(t.Context(), load(t, "pass"), o)
	if err != nil {
		t.Fatal(err)
	}
	if result := r.Wait(); result.ExitCode() != ExitEnvironment || result.Records != "" || len(result.Events) != 2 || r.Session() != "" {
		t.Errorf("where no session can be: %+v", result)
	}
	if kept := Kept(o.State); len(kept) > 0 {
		t.Errorf("it left %v", kept)
	}
}

// A student does a lab through the door alone.
func TestStudentAtTheDoor(t *testing.T) {
	o := options(t)
	questions := []string{`ask("Which has a kernel of its own?", choices = ["the container", "the VM"], answer = "the VM")`, `ask("Why?")`}
	m := load(t, questions...)
	progress, err := OpenProgress(o.State, m)
	if err != nil {
		t.Fatal(err)
	}
	defer progress.Close()
	o.Student = &Student{Progress: progress, Language: phrase.In("en"), Command: "lab.star"}
	r, err := Start(limit(t), m, o)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	asked := 0
	err = attach.Events(limit(t), r.Session(), func(line []byte) error {
		var e struct {
			Event  string
			Number int
			May    []string
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		kinds = append(kinds, e.Event)
		if e.Event != "instructed" {
			return nil
		}
		if !slices.Contains(e.May, "answer") || slices.Contains(e.May, "ok") {
			t.Errorf("it may be said: %v", e.May)
		}
		say := func(number int, word, text string) error {
			return attach.CommandFor(limit(t), r.Session(), number, word, text)
		}
		var refused *attach.RefusedError
		if err := say(0, "ok", ""); !errors.As(err, &refused) {
			t.Errorf("ok: %v", err)
		}
		if asked++; asked == 2 {
			if err := say(e.Number-1, "answer", "the VM"); !errors.As(err, &refused) {
				t.Errorf("an answer to the question before: %v", err)
			}
			return say(e.Number, "answer", "It boots one.")
		}
		return errors.Join(say(0, "answer", "the container"), say(e.Number, "answer", "the VM"))
	})
	if err != nil {
		t.Error(err)
	}
	if result := r.Wait(); result.Err != nil || result.Passed != 1 || asked != 2 {
		t.Errorf("%+v, and %d questions: %v", result, asked, kinds)
	}

	// They do it once more, and leave.
	o.Events = &event.Log{}
	if r, err = Start(limit(t), load(t, questions...), o); err != nil {
		t.Fatal(err)
	}
	if err := attach.Command(limit(t), r.Session(), "quit", ""); err != nil {
		t.Error(err)
	}
	if result := r.Wait(); result.ExitCode() != ExitInterrupted {
		t.Errorf("%+v", result)
	}
}
