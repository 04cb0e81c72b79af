package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// A machine that was reset has come to something when its screen has stood still for so long; one
// whose screen never does is waited for no longer than the other.
const (
	bootedStill = time.Second
	bootedLimit = 15 * time.Second
)

// BootFrom puts data at the beginning of the disk of a machine that boots by its BIOS, presses
// its reset button, and waits until its screen stands still. A machine that has booted from just
// these data is left alone.
func (m *Machine) BootFrom(ctx context.Context, data []byte) error {
	g, err := m.screenOf()
	if err != nil {
		return err
	}
	if !m.image.BIOS {
		return fmt.Errorf("%s boots a kernel, and nothing that is on its disk: its image is to boot by the BIOS", m.Name())
	}
	release, err := m.takePower(ctx)
	if err != nil {
		return err
	}
	defer release()
	if bytes.Equal(data, g.bootedFrom) {
		return nil
	}
	if err := g.qemu().WriteDisk(ctx, data); err != nil {
		return err
	}
	if err := g.process.Reset(ctx); err != nil {
		return err
	}
	g.bootedFrom = bytes.Clone(data)
	waiting, cancel := context.WithTimeout(ctx, bootedLimit)
	defer cancel()
	var before []byte
	since := time.Now()
	_, err = m.AwaitSight(waiting, "what it boots", func(now Sight) bool {
		if !bytes.Equal(before, now.Picture.Pix) {
			before, since = now.Picture.Pix, time.Now()
		}
		return time.Since(since) >= bootedStill
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil
	}
	return err
}
