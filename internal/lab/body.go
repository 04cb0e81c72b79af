package lab

import (
	"context"
	"net"
	"time"

	"github.com/labrun/labrun/internal/qemu"
)

// body is what a guest runs in: QEMU, or a page of a browser.
type body interface {
	Console() net.Conn
	Control() net.Conn
	NIC(i int) net.Conn
	Port(i int) net.Conn // of further console i
	Started() time.Time
	Done() <-chan struct{}
	Exit() *qemu.ExitError
	Usage() (qemu.Usage, error)
	CPU() (time.Duration, error)
	Waited() time.Duration
	Delays() map[int]time.Duration

	Reset(ctx context.Context) error
	Powerdown(ctx context.Context) error
	Quit(ctx context.Context)
	Kill()
	Close()

	SetCarrier(ctx context.Context, card int, up bool) error
	Plug(ctx context.Context) error
	Pause(ctx context.Context) error
	Continue(ctx context.Context) error
	Save(ctx context.Context, dir string) error
	SaveWhole(ctx context.Context, path string) error
}

// qemu is the guest's body where it has a screen, which only QEMU gives it.
func (g *guest) qemu() *qemu.Process { return g.process.(*qemu.Process) }
