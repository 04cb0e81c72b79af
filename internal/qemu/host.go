package qemu

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
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
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return Platform{}, err
	}
	text := fmt.Sprintf("%s%d bytes of %s\n%s", version, file.Size(), file.ModTime().UTC(), processor(string(cpu), accel))
	if accel == KVM {
		// What of the processor a guest sees is the host kernel's decision, too.
		var name unix.Utsname
		if err := unix.Uname(&name); err != nil {
			return Platform{}, err
		}
		text += unix.ByteSliceToString(name.Release[:]) + "\n"
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

// processor returns those lines about the first processor of /proc/cpuinfo that
// tell what a guest depends on.
func processor(cpuinfo string, accel Accel) string {
	first, _, _ := strings.Cut(cpuinfo, "\n\n")
	// The frequency is that of the time stamp counter, unless the kernel reports
	// the present one.
	fixed := !strings.Contains(first, "aperfmperf")
	var b strings.Builder
	for line := range strings.SplitSeq(first, "\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(name) {
		case "vendor_id", "cpu family", "model", "model name", "stepping":
		case "cpu MHz":
			if !fixed {
				continue
			}
			value, _, _ = strings.Cut(value, ".")
		case "flags", "microcode":
			if accel != KVM {
				continue
			}
		default:
			continue
		}
		fmt.Fprintln(&b, strings.TrimSpace(name), value)
	}
	return b.String()
}
