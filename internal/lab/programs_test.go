package lab

import (
	"testing"
	"time"

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
	before := programs()
	if len(before) < 2 { // its first program, and the shells
		t.Errorf("there run %q", before)
	}
	if r, err := mini.Run(ctx, "sleep 600 & echo $!", time.Minute); err != nil || r.Status != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if after := programs(); len(after) != len(before)+1 {
		t.Errorf("there run %q, and before a program was begun %q", after, before)
	}
}
