package qemu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"github.com/labrun/labrun/internal/host"
)

// Verdict says which accelerator works on this host, and why.
type Verdict struct {
	Accel  Accel  `json:"accel"`
	Reason string `json:"reason"` // one line for the user
	Detail string `json:"detail"` // for who wants to mend it; may be empty
	Boot   string `json:"boot"`   // the host's boot it holds for
}

// probeLimit is how long a kernel may take to its end under KVM. A working KVM
// needs about a second; a broken one hangs.
const probeLimit = 8 * time.Second

// Probe finds out whether KVM works, by booting kernel until it complains that it
// has no root file system; it is for a processor that fits this computer's (see
// Arch.Fits), and has a serial console. That /dev/kvm opens proves nothing: there
// are hosts where it opens, creates machines, and hangs Linux in its first
// instructions.
//
// The verdict is kept in cacheDir for this boot of the host. Without a kernel
// (empty) and a kept verdict it is TCG. Probe fails only if ctx ends or QEMU is
// missing.
func Probe(ctx context.Context, arch Arch, kernel, cacheDir string) (Verdict, error) {
	boot := host.BootID()
	file := filepath.Join(cacheDir, "accel.json")
	if data, err := os.ReadFile(file); err == nil {
		var known Verdict
		ofThisBoot := json.Unmarshal(data, &known) == nil && known.Boot == boot && boot != ""
		if ofThisBoot && accessible() == (known.Accel == KVM || known.Reason != noAccess) {
			return known, nil
		}
	}
	verdict := Verdict{Accel: TCG, Reason: noAccess, Boot: boot}
	if kernel == "" && accessible() {
		// Nothing to try it with; the verdict is left to a run that has a kernel.
		verdict.Reason = "/dev/kvm is there, but no image at hand has a kernel to try it out with"
		return verdict, nil
	}
	if accessible() {
		err := bootOnce(ctx, arch, kernel)
		switch {
		case err == nil:
			verdict.Accel, verdict.Reason = KVM, "KVM works here"
		case ctx.Err() != nil:
			return verdict, context.Cause(ctx)
		case errors.Is(err, ErrNoQEMU):
			return verdict, err
		default:
			verdict.Reason, verdict.Detail = "/dev/kvm is there but does not work", err.Error()
		}
	}
	// The cache only saves time: without it the next run probes again.
	if data, err := json.Marshal(verdict); err == nil && os.MkdirAll(cacheDir, 0o700) == nil {
		_ = renameio.WriteFile(file, data, 0o600, renameio.WithTempDir(cacheDir))
	}
	return verdict, nil
}

const noAccess = "there is no /dev/kvm that this user may open"

func accessible() bool {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// bootOnce boots the kernel under KVM until its "VFS: Unable to mount root fs".
func bootOnce(ctx context.Context, arch Arch, kernel string) error {
	p, err := Start(ctx, Spec{
		Name: "probe", Arch: arch.Name, Memory: 256, CPUs: 1, Accel: KVM,
		Kernel: kernel, Cmdline: "console=" + arch.Console + " root=/dev/none panic=0",
	})
	if err != nil {
		return err
	}
	broken := make(chan struct{}, 1)
	p.Notify(func(n Notification) {
		// KVM's internal error stops the machine and leaves QEMU running.
		if n.Name == "STOP" {
			select {
			case broken <- struct{}{}:
			default:
			}
		}
	})
	reached, read := make(chan struct{}), make(chan struct{})
	defer func() { p.Close(); <-read }()
	go func() {
		defer close(read)
		var seen []byte
		chunk := make([]byte, 4096)
		for {
			n, err := p.Console().Read(chunk)
			seen = append(seen, chunk[:n]...)
			if bytes.Contains(seen, []byte("VFS: ")) && bytes.Contains(seen, []byte("panic")) {
				close(reached)
				return
			}
			if err != nil {
				return
			}
		}
	}()
	limit := time.NewTimer(probeLimit)
	defer limit.Stop()
	select {
	case <-reached:
		return nil
	case <-broken:
		return errors.New("KVM internal error")
	case <-p.Done():
		return p.Exit()
	case <-limit.C:
		return fmt.Errorf("a kernel did not boot within %d s", probeLimit/time.Second)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
