package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/qemu"
)

// checkFirmware reports that an image needs a firmware that this computer has not.
func checkFirmware(img *image.Image) error {
	if _, _, ok := qemu.UEFI(); img.Firmware != "uefi" || ok {
		return nil
	}
	return &EnvironmentError{fmt.Errorf(
		"image %s boots by UEFI, which is not installed here: `labrun doctor --mend` installs it (%s)",
		img.Name, qemu.FirmwarePackage,
	)}
}

// variables is the path of what UEFI keeps for the machine, such as what to boot first.
func (m *Machine) variables() string { return filepath.Join(m.lab.session.dir, m.config.Name+".uefi") }

// makeVariables gives a machine with UEFI variables of its own, which live as long as its
// disk. One that goes on from a checkpoint has those of that moment in its saved memory, and QEMU
// writes them to the file.
func (m *Machine) makeVariables(ctx context.Context, spec qemu.Spec) error {
	if spec.UEFIVariables == "" {
		return nil
	}
	if _, err := os.Stat(spec.UEFIVariables); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, fresh, _ := qemu.UEFI()
	if err := copyFile(ctx, spec.UEFIVariables, fresh); err != nil {
		return fmt.Errorf("machine %s: variables of UEFI: %w", m.Name(), err)
	}
	return nil
}
