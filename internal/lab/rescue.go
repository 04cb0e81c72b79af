package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/qemu"
)

// Before 8.1 QEMU's translator, with a thread for each virtual CPU, does not lock the page that
// it reads (QEMU's commit deba78709a mends it). A kernel that changes its own code there
// on another CPU, which it does by way of int3, may so leave a translation behind that is
// of no code any more, and crash or stand still. With QEMU 7.2 and two CPUs a restored
// Linux 7.1 crashed within seconds of switching sched_schedstats on and off all the time,
// and a 6.1 stood still; with one CPU the 7.1 did not. Of itself a kernel changes its code
// above all while it starts, and 7.1 some seconds later when it comes to trust its clock:
// router7, which needs no second CPU, has one. Of other boots one in some hundred crashed,
// and fewer, on a busy host, stood still while they looked for PCI devices. Nobody could
// tell from a machine that does nothing what to do about it, so it is reset then, once.

// stillLimit is how long a kernel that starts may print nothing before it is taken to
// stand still. What takes longest are its disks, which is seconds.
const stillLimit = 2 * time.Minute

// errStill ends the time that a kernel has.
var errStill = errors.New("it prints nothing")

// PanicError says that a guest's kernel panicked.
type PanicError struct{ Machine, Message string }

func (e *PanicError) Error() string {
	return fmt.Sprintf("%s's kernel panicked: %s", e.Machine, e.Message)
}

// panicked handles a kernel panic. A machine that nobody has seen up is reset. Any other
// panic ends the machine for its mission.
func (m *Machine) panicked(g *guest, line string) {
	if g.up.Load() || g.restarted.Load() || m.accel() != qemu.TCG {
		g.fail(&PanicError{Machine: m.config.Name, Message: line})
		return
	}
	g.restarted.Store(true)
	text := fmt.Sprintf("%s's kernel crashed while it started, as it may under emulation; it is started again (%s)",
		m.config.Name, line)
	m.lab.options.Events.Emit(event.Notice{Text: text})
	g.tasks.Go(func() {
		// This runs in no call of the mission's: it ends with the machine.
		if err := g.process.Reset(context.Background()); err != nil {
			g.fail(&PanicError{Machine: m.config.Name, Message: line})
		}
	})
}

// unstick resets a machine whose kernel stands still while it starts: no program has said
// a word, and nothing more is printed. A guest that prints nothing at all may be meant to,
// unless labrun has a control channel and waits there to be answered.
func (m *Machine) unstick(g *guest) {
	var answered <-chan struct{} // nil: nobody is asked
	if g.control != nil {
		answered = g.settled
	}
	for still := false; !still; {
		before := g.console.LastByte()
		ctx, cancel := m.lab.Within(g.ctx, m.lab.stillLimit, errStill)
		select {
		case <-ctx.Done():
		case <-answered:
		}
		cancel()
		if g.ctx.Err() != nil || context.Cause(ctx) != errStill || g.up.Load() || !g.console.LastText().IsZero() {
			return
		}
		still = g.console.LastByte().Equal(before) && (answered != nil || !before.IsZero())
	}
	if !g.restarted.CompareAndSwap(false, true) {
		return
	}
	m.lab.notice("%s's kernel stood still while it started, as may happen under emulation; it is started again",
		m.config.Name)
	if err := g.process.Reset(g.ctx); err != nil && g.ctx.Err() == nil {
		g.fail(fmt.Errorf("%s's kernel stood still while it started: %w", m.config.Name, err))
	}
}
