package run

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
)

// A folder that is used again never has the page of one run and the events of
// another: a run that is killed makes no page.
func TestRecordsInAUsedFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/report.html", []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log event.Log
	r, err := openRecords(Options{Records: dir, Events: &log}, "lab.star")
	if err != nil {
		t.Fatal(err)
	}
	log.Emit(event.StepStarted{Index: 1, Total: 1, Title: "One"})
	if left, err := filepath.Glob(dir + "/*"); err != nil || !slices.Equal(left, []string{dir + "/events.jsonl"}) {
		t.Errorf("while the run goes on there are %v (%v)", left, err)
	}
	data, err := os.ReadFile(dir + "/events.jsonl")
	const want = `"event":"step_started","index":1,"total":1,"title":"One"}`
	if err != nil || !strings.Contains(string(data), want) {
		t.Errorf("the events are %s (%v), want %s", data, err, want)
	}
	if all, err := r.close(); err != nil || len(all) != 1 || r.folder() != dir {
		t.Errorf("folder %q, events %v, error %v", r.folder(), all, err)
	}
}

func TestRecordsArePruned(t *testing.T) {
	state := t.TempDir()
	needed, err := newRecords(state, "lab.star")
	if err != nil {
		t.Fatal(err)
	}
	progress, err := guide.OpenProgress(progressIn(state), "lab.star")
	if err != nil {
		t.Fatal(err)
	}
	defer progress.Close()
	progress.Runs = []string{needed}
	if err := progress.Save(); err != nil {
		t.Fatal(err)
	}
	other, err := newRecords(state, "my-lab.star")
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	for range keptRecords + 2 {
		dir, err := newRecords(state, "folder/lab.star")
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, dir)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("another mission's run has gone: %v", err)
	}
	if _, err := os.Stat(needed); err != nil {
		t.Errorf("the run that somebody's progress rests on has gone: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(state, "runs", "*-[0-9][0-9]-lab-*"))
	left = slices.DeleteFunc(left, func(dir string) bool { return dir == needed })
	if err != nil || len(left) != keptRecords {
		t.Fatalf("%d runs are kept (%v), want %d", len(left), err, keptRecords)
	}
	if newest := made[len(made)-1]; !slices.Contains(left, newest) {
		t.Errorf("%s is gone; kept: %v", newest, left)
	}
	for _, dir := range left {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("records %s: %v, %v: want a folder for its owner alone", dir, info.Mode(), err)
		}
	}
}
