package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
)

// bench is a lab of one machine, on which an image is made of the one that it has booted.
type bench struct {
	lab     *Lab
	machine *Machine
}

// wholeLimit is how long the guest may take to end what it does: then its disk is whole.
const wholeLimit = 3 * time.Minute

// Bench boots a machine on which an image can be made of that one, by its saved state if
// there is one. It has no network. It is an [image.Booter].
func Bench(ctx context.Context, store *image.Store, img *image.Image) (image.Guest, error) {
	l, err := New(
		Config{Machines: []MachineConfig{{Name: benchName, Image: img.Name}}},
		// What a lab would tell of acceleration and saved states is not asked for here.
		Options{Store: store, Events: &event.Log{}, Mission: "labrun images", Title: "an image made of " + img.Name},
	)
	if err != nil {
		return nil, err
	}
	m := l.Machine(benchName)
	m.image = img // and no other by that name, which its user may have added
	err = l.Prepare(ctx)
	if why := ""; err == nil {
		if why = m.coldBecause(); why != "" {
			err = fmt.Errorf("no image can be made of %s: %s", img.Name, why)
		}
	}
	if err == nil {
		err = l.Boot(ctx, m)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &bench{l, m}, nil
}

// benchName is what labrun ps calls the machine.
const benchName = "bench"

// Run implements image.Guest.
func (b *bench) Run(ctx context.Context, command string, limit time.Duration) (string, int, error) {
	result, err := b.machine.Run(ctx, "exec 2>&1\n"+command, limit)
	return result.Stdout, result.Status, err
}

// Plug implements image.Guest.
func (b *bench) Plug(ctx context.Context, disk string) error {
	g, err := b.machine.current()
	if err != nil {
		return err
	}
	if err := g.settle(ctx); err != nil {
		return err
	}
	return g.qemu().PlugDisk(ctx, disk, image.DiskSerial)
}

// Finish implements image.Guest.
func (b *bench) Finish(ctx context.Context) (string, error) {
	ctx, cancel := b.lab.Within(ctx, wholeLimit, fmt.Errorf("it did not shut down within %v", wholeLimit))
	defer cancel()
	return b.machine.overlay(), b.machine.Shutdown(ctx)
}

// Close implements image.Guest.
func (b *bench) Close() error { return b.lab.Close() }
