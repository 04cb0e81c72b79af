package qemu

import (
	"context"
	"errors"
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

// Host describes this computer, as far as machines with that processor depend on it.
func Host(ctx context.Context, arch Arch, accel Accel) (Platform, error) {
	path, err := exec.LookPath(arch.Binary)
	if err != nil {
		return Platform{}, &missing{arch}
	}
	// The version's text names the package that QEMU comes from; size and time
	// tell builds apart that have the same version.
	version, about, err := arch.InstalledVersion(ctx)
	if err != nil {
		return Platform{}, err
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
	text := fmt.Sprintf("%s%d bytes of %s\n%s", about, file.Size(), file.ModTime().UTC(), processor(cpu, accel))
	if accel == KVM {
		// What of the processor a guest sees is the host kernel's decision, too.
		kernel, err := host.Kernel()
		if err != nil {
			return Platform{}, err
		}
		text += kernel + "\n"
	}
	return Platform{Description: text, MapsReadOnly: version.AtLeast(8, 2)}, nil
}

// Version is QEMU's. The zero Version is one that cannot be read.
type Version struct{ Major, Minor int }

// AtLeast reports whether a version is that one or a later one. One that cannot be read
// is taken for an old one.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// InstalledVersion asks the emulator for its version, and returns all that it says about itself
// as well.
func (a Arch) InstalledVersion(ctx context.Context) (v Version, about string, err error) {
	out, err := exec.CommandContext(ctx, a.Binary, "--version").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return v, "", &missing{a}
	}
	if err != nil {
		return v, "", fmt.Errorf("ask %s for its version: %w", a.Binary, err)
	}
	return readVersion(string(out)), string(out), nil
}

func readVersion(about string) (v Version) {
	if _, err := fmt.Sscanf(about, "QEMU emulator version %d.%d", &v.Major, &v.Minor); err != nil {
		return Version{}
	}
	return v
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
