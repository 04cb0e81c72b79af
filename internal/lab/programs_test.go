package lab

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/labtest"
)

// TestPrograms: what somebody leaves running is known, and asking for it runs nothing.
func TestPrograms(t *testing.T) {
	labtest.Parallel(t)
	ctx := context5(t)
	l := newLab(t, Config{Machines: []MachineConfig{{Name: "mini", Image: "mini"}}})
	mini := l.Machine("mini")
	if err := l.Boot(ctx, mini); err != nil {
		t.Fatal(err)
	}
	if err := mini.Own().Login(ctx, "", ""); err != nil {
		t.Fatal(err)
	}
	programs := func() []string {
		all, err := mini.Programs(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if all := programs(); len(all) < 2 { // its first program, and the shells
		t.Errorf("there run %q", all)
	}
	r, err := mini.Run(ctx, "sleep 600 & echo $!", time.Minute)
	if err != nil || r.Status != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	sleeper := strings.TrimSpace(r.Stdout)
	if all := programs(); !slices.Contains(all, sleeper) {
		t.Errorf("there run %q, and %s was left running", all, sleeper)
	}
	if r, err := mini.Run(ctx, "kill "+sleeper, time.Minute); err != nil || r.Status != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	for slices.Contains(programs(), sleeper) { // until its parent has heard
		if err := host.Sleep(ctx, 100*time.Millisecond); err != nil {
			t.Fatalf("%s still runs: %v", sleeper, err)
		}
	}
}
