package image

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Overlay makes a qcow2 file at path that reads from i's disk and takes all
// writes. An existing file is overwritten. It fails if the image has no disk,
// or if qemu-img is missing or fails.
func (i *Image) Overlay(ctx context.Context, path string) error {
	if i.Disk == "" {
		return fmt.Errorf("overlay of image %s: it has no disk", i.Name)
	}
	// Absolute, so that neither name can be taken for a protocol or resolved
	// against the overlay's folder.
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("overlay of %s: %w", i.Disk, err)
	}
	out, err := exec.CommandContext(ctx, "qemu-img", "create", "-q",
		"-f", "qcow2", "-F", i.DiskFormat, "-b", i.Disk, path).CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("overlay of %s: qemu-img is missing; install the package qemu-utils", i.Disk)
	case err != nil:
		return fmt.Errorf("overlay of %s: qemu-img: %v: %s", i.Disk, err, strings.TrimSpace(string(out)))
	}
	return nil
}
