package cli

import (
	"bufio"
	"context"
	"strings"

	"github.com/labrun/labrun/internal/lab"
)

// errTold is an error that its reader has been told of already, with its exit code.
type errTold struct {
	error
	code int
}

// Unwrap returns the error.
func (e *errTold) Unwrap() error { return e.error }

// keep leaves the machines of a run that has ended with err to whoever is at the
// keyboard, until they press Enter or interrupt. What has failed is told before, since
// they will want to look at it.
func (p *program) keep(ctx context.Context, l *lab.Lab, err error) error {
	if err != nil {
		err = &errTold{err, p.explain(ctx, err)}
	}
	l.HandOver()
	var names []string
	for _, m := range l.Machines() {
		if m.Running() {
			names = append(names, m.Name())
		}
	}
	p.tell(p.Err, "the machines stay on (%s): `labrun attach NAME` in another terminal sits at one. Enter here ends the lab.", strings.Join(names, ", "))
	entered := make(chan struct{})
	go func() { // a read cannot be ended: after an interrupt it ends with the process
		defer close(entered)
		bufio.NewReader(p.keyboard()).ReadString('\n')
	}()
	select {
	case <-entered:
	case <-ctx.Done():
	}
	return err
}

// anyOn reports whether a machine of the lab is on.
func anyOn(l *lab.Lab) bool {
	for _, m := range l.Machines() {
		if m.Running() {
			return true
		}
	}
	return false
}
