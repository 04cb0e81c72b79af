package qemu

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/labrun/labrun/internal/host"
)

// A Platform is what saved states depend on besides their machines: the emulator
// and the processor.
type Platform struct {
	// Description differs where a state must not go on. The processor counts also
	// where it is emulated, because the guest's time stamp counter runs at the host's
	// rate.
	Description string
	// MapsReadOnly says that this QEMU maps a file privately without the right to
	// write to it. Earlier ones open it for writing though they never do
	// (memory-backend-file's rom=off, QEMU 8.2).
	MapsReadOnly bool
}

// Host describes this computer.
func Host(ctx context.Context, accel Accel) (Platform, error) {
	path, err := exec.LookPath(Binary)
	if err != nil {
		return Platform{}, ErrNoQEMU
	}
	// The version's text names the package that QEMU comes from; size and time
	// tell builds apart that have the same version.
	version, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return Platform{}, fmt.Errorf("ask %s for its version: %w", Binary, err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return Platform{}, err
	}
	file, err := os.Stat(path)
	if err != nil {
		return Platform{}, err
	}
	cpu, err := host.FirstProcessor()
	if err != nil {
		return Platform{}, err
	}
	text := fmt.Sprintf("%s%d bytes of %s\n%s", version, file.Size(), file.ModTime().UTC(), processor(cpu, accel))
	if accel == KVM {
		// What of the processor a guest sees is the host kernel's decision, too.
		kernel, err := host.Kernel()
		if err != nil {
			return Platform{}, err
		}
		text += kernel + "\n"
	}
	return Platform{Description: text, MapsReadOnly: mapsReadOnly(string(version))}, nil
}

// mapsReadOnly tells from what `qemu --version` prints whether memory-backend-file has
// the option rom. A version that cannot be read is taken for an old one, which works
// for the owner of the file.
func mapsReadOnly(version string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(version, "QEMU emulator version %d.%d", &major, &minor); err != nil {
		return false
	}
	return major > 8 || major == 8 && minor >= 2
}

// processor is what of the processor a guest depends on.
func processor(p host.Processor, accel Accel) string {
	text := p.Model
	if accel == KVM {
		text += "microcode " + p.Microcode + "\n"
	}
	if p.MHz != "" {
		text += "cpu MHz " + p.MHz + "\n"
	}
	if accel == KVM {
		text += "flags " + p.Flags + "\n"
	}
	return text
}
