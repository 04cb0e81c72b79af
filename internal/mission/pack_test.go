package mission

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/script"
)

// provePack proves a pack of ../pack/testdata on a machine that is a fake: its scripts are
// run all the same, by this computer's shells. It returns a line for each trial.
func provePack(t *testing.T, name string) (told []string) {
	t.Helper()
	labtest.Parallel(t)
	lock, err := image.ParseLock(labrun.ImagesLock)
	if err != nil {
		t.Fatal(err)
	}
	store := labtest.Store(t)
	defer store.Close()
	source := "mission(title = \"Lab\", api = 1)\nport = variant(\"port\", [8123])\nflag = secret(\"flag\")\npc = machine(\"pc\", image = \"debian\")\npack(\"./" + name + "\", on = pc)\n"
	files := folder("lab.star", source)
	tree := os.DirFS("../pack/testdata")
	err = fs.WalkDir(tree, name, func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(tree, at)
		files[at] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(t.Context(), files, "lab.star", "lab.star", script.Options{Images: lock.Names()})
	if err != nil {
		t.Fatal(err)
	}
	events := &event.Log{}
	l, err := lab.New(m.Config(), lab.Options{Store: store, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	err = m.Prove(ctx, l, events, Proof{Begins: func(Trial, int) {}, Tell: func(trial Trial) {
		line := fmt.Sprintf("%s: %s", trial.Title, trial.Name)
		switch {
		case trial.Failure != "":
			line += " FAILED: " + trial.Failure
		case trial.NotTried != "":
			line += " not tried: " + trial.NotTried
		case trial.Told != "":
			line += ": " + trial.Told
		}
		told = append(told, line)
	}})
	if err != nil {
		t.Error(err)
	}
	return told
}

// TestProvePacks: packs in forms that labrun's authors did not choose are proved as they are.
func TestProvePacks(t *testing.T) {
	for name, want := range map[string][]string{
		"links": {
			"Lab: solved",
			"Lab: twice",
			"Lab1 a second name: solved",
			"Lab1 a second name: not solved before",
			"Lab1 a second name: wrong answer 1 fails: both lead to one file, without a detour",
			"Lab1 a second name: wrong answer 2 fails: both lead to one file, without a detour",
			"Lab1 a second name: the hint of task solves it",
			"Lab1 a second name: begins anew",
			"Lab10 gone: solved",
			"Lab10 gone: not solved before",
			"Lab10 gone: wrong answer 1 fails: The file keep has gone, too.",
			"Lab10 gone: the hint of task solves it",
			"Lab10 gone: begins anew",
		},
		"scripts": {
			"Scripts that run: solved",
			"Scripts that run: twice",
			"Run it: solved",
			"Run it: not solved before",
			"Run it: wrong answer 1 fails: hello.sh is gone; its mode is , and not 755",
			"Run it: wrong answer 2 fails: its mode is 777, and not 755",
			"Run it: the hint of task solves it",
			"Run it: begins anew",
			"Make one: solved",
			"Make one: not solved before",
			"Make one: wrong answer 1 fails: two.sh cannot be run; it does not print 1 and 2",
			"Make one: begins anew",
		},
		"drawn": {
			"Lab: solved",
			"Lab: twice",
			"Door 8123: solved",
			"Door 8123: not solved before",
			"Door 8123: wrong answer 1 fails: there is no door 8123",
			"Door 8123: the hint of task solves it",
			"Door 8123: begins anew",
		},
		"killercoda": {
			"Files, first steps: solved",
			"Files, first steps: twice",
			"Make a file: solved",
			"Make a file: not solved before",
			"Make a file: twice",
			"Remove a file: solved",
			"Remove a file: not solved before",
			"Remove a file: twice",
			"Read: solved",
			"Read: twice",
			"Well done: solved",
			"Well done: twice",
		},
		"instruqt": {
			"First files: solved",
			"First files: twice",
			"Make a file: solved",
			"Make a file: not solved before",
			"Make a file: twice",
			"Remove it: solved",
			"Remove it: not solved before",
			"Remove it: twice",
		},
	} {
		t.Run(name, func(t *testing.T) { wantTrials(t, provePack(t, name), want...) })
	}
}
