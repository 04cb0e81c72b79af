package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// What `labrun new` writes is a lab that works.
func TestNewMissionPlays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "first-lab.star")
	begin := command(t, "new", file)
	begin.begin(t)
	begin.finish(t, 0)
	play := command(t, file)
	play.begin(t)
	play.finish(t, 0)
	if !strings.Contains(play.out.String(), "Mission complete: 1 of 1 steps") {
		t.Errorf("it said:\n%s", play.out.String())
	}
}
