package mission

import (
	"context"

	"github.com/labrun/labrun/internal/lab"
)

// programs are what runs on the machines of a lab, by machine and process; false if that
// cannot be had of each.
func programs(ctx context.Context, l *lab.Lab) (map[string]bool, bool) {
	running := map[string]bool{}
	for _, m := range l.Machines() {
		if !m.Running() {
			continue
		}
		of, err := m.Programs(ctx)
		if err != nil {
			return nil, false
		}
		for _, id := range of {
			running[m.Name()+" "+id] = true
		}
	}
	return running, true
}

// idleSince returns a function that reports whether no more runs in a lab than did once, which
// was when it was begun or restored and nobody had typed anything. What set-ups and students
// leave running may change later what a check looks at; what a system always has running is
// not waited for by a trial.
func idleSince(then map[string]bool, l *lab.Lab) func(context.Context) bool {
	return func(ctx context.Context) bool {
		now, known := programs(ctx, l)
		for id := range now {
			known = known && then[id]
		}
		return known
	}
}
