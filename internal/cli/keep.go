package cli

import (
	"bufio"
	"context"
	"strings"

	"github.com/labrun/labrun/internal/lab"
)

// keep leaves the machines of a run that has ended to whoever is at the keyboard, until
// they press Enter or interrupt.
func (p *program) keep(ctx context.Context, l *lab.Lab) {
	l.HandOver()
	var names []string
	for _, s := range l.Stations() {
		if s.Machine().Running() {
			names = append(names, s.Name())
		}
	}
	p.tell(
		p.Err,
		"the machines stay on (%s): `labrun attach NAME` in another terminal sits at one. Enter here ends the lab.", strings.Join(names, ", "),
	)
	entered := make(chan struct{})
	go func() { // a read cannot be ended: after an interrupt it ends with the process
		defer close(entered)
		bufio.NewReader(p.keyboard()).ReadString('\n')
	}()
	select {
	case <-entered:
	case <-ctx.Done():
	}
}
