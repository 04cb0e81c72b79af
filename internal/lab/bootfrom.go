package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// A machine that was reset has come to something when its screen has stood still for so long, or
// longer while the BIOS is at work, which reads a disk. One whose screen never stands still is
// waited for no longer than bootedLimit.
const (
	bootedStill = time.Second
	biosStill   = 5 * time.Second
	bootedLimit = 15 * time.Second
)

// errStood ends the time in which a screen could have changed.
var errStood = errors.New("it stands still")

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
	// SeaBIOS that is reset before it has set up the screen does nothing more: seen with 1.16 and QEMU 7.2.
	waiting, cancel := m.lab.Within(ctx, biosStill, errStood)
	before, err := m.AwaitSight(waiting, "its BIOS", func(s Sight) bool { return !s.unset() })
	cancel()
	if err != nil && !errors.Is(err, errStood) {
		return err
	}
	if err := g.qemu().WriteDisk(ctx, data); err != nil {
		return err
	}
	if err := g.process.Reset(ctx); err != nil {
		return err
	}
	g.bootedFrom = bytes.Clone(data)
	for began := time.Now(); time.Since(began) < bootedLimit; {
		now, err := g.screen.look(ctx)
		if err != nil {
			return err
		}
		limit := bootedStill
		if now.same(before) || now.unset() || now.ofBIOS() {
			limit = biosStill
		}
		waiting, cancel := m.lab.Within(ctx, limit, errStood)
		_, err = m.AwaitSight(waiting, "what it boots", func(s Sight) bool { return !s.same(now) })
		cancel()
		switch {
		case errors.Is(err, errStood):
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// same reports whether two sights show the same; that a cursor blinks is no difference.
func (s Sight) same(other Sight) bool {
	if s.Text != nil && other.Text != nil {
		return s.Lines() == other.Lines()
	}
	return s.Picture != nil && other.Picture != nil && bytes.Equal(s.Picture.Pix, other.Picture.Pix)
}

// unset reports whether a screen is as QEMU shows it before a guest has set it up.
func (s Sight) unset() bool { return s.Picture.Width == 640 && s.Picture.Height == 480 }

// biosWords are what SeaBIOS says last while it is at work.
var biosWords = regexp.MustCompile(`(?m)^(SeaBIOS .*|Booting from .*|)\s*\z`)

// ofBIOS reports whether what is shown is the BIOS's, which has not yet come to something, or nothing.
func (s Sight) ofBIOS() bool { return s.Text != nil && biosWords.MatchString(s.Lines()) }
