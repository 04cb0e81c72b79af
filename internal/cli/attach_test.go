package cli

import (
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/attach"
)

// Of several labs with such a machine, the one with a student is meant.
func TestAttachPrefersTheStudentsLab(t *testing.T) {
	run := func(folder string, guided bool) attach.Found {
		return attach.Found{Folder: folder, Status: attach.Status{Guided: guided, Machines: []attach.MachineStatus{{Name: "debian"}}}}
	}
	found := []attach.Found{run("/s1", false), run("/s2", true), run("/s3", false)}
	if got, err := choose(found, "", "debian"); err != nil || got.Session() != "s2" {
		t.Errorf("chosen is %s, %v", got.Session(), err)
	}
	if got, err := choose(found, "s3", "debian"); err != nil || got.Session() != "s3" {
		t.Errorf("asked for s3, chosen is %s, %v", got.Session(), err)
	}
	for _, found := range [][]attach.Found{append(found, run("/s4", true)), {found[0], found[2]}} {
		if _, err := choose(found, "", "debian"); err == nil || !strings.Contains(err.Error(), "say which") {
			t.Errorf("of %d one was chosen: %v", len(found), err)
		}
	}
}
