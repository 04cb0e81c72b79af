package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/labrun/labrun/internal/disk"
	"github.com/labrun/labrun/internal/host"
)

// QEMU's tool reads what strangers wrote, in C. It gets only files that package disk has
// found to refer to no other, always with their format, so that nothing in them is taken for
// another one; and no more than this.
const (
	toolMemory = 2 << 30         // bytes of address space; it maps much more than it uses
	toolTime   = 2 * time.Minute // for what looks at tables alone
)

// qemuImg runs qemu-img, and returns what it prints.
func qemuImg(ctx context.Context, args ...string) ([]byte, error) {
	var out, said bytes.Buffer
	c := exec.CommandContext(ctx, "qemu-img", args...)
	c.Env = append(os.Environ(), "LC_ALL=C")
	c.Stdout, c.Stderr = &out, &said
	if err := host.StartChild(c); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, errors.New("qemu-img is missing; `labrun doctor --mend` installs it (the package qemu-utils)")
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("qemu-img: %w", err)
	}
	limited := host.LimitMemory(c.Process.Pid, toolMemory)
	err := c.Wait()
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err == nil && limited != nil:
		return nil, fmt.Errorf("qemu-img: limit its memory: %w", limited)
	case strings.Contains(said.String(), unix.ENOSPC.Error()), strings.Contains(said.String(), "No space left"):
		return nil, unix.ENOSPC
	case err != nil:
		text, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		for _, arg := range args { // whose names nobody knows
			if filepath.IsAbs(arg) {
				text = strings.ReplaceAll(text, arg, filepath.Base(arg))
			}
		}
		return out.Bytes(), &toolError{args[0], strings.TrimPrefix(text, "qemu-img: "), err}
	}
	return out.Bytes(), nil
}

// toolError is what qemu-img says of a file.
type toolError struct {
	verb, text string
	cause      error
}

func (e *toolError) Error() string {
	if e.text == "" {
		return fmt.Sprintf("qemu-img %s: %v", e.verb, e.cause)
	}
	return fmt.Sprintf("qemu-img %s: %s", e.verb, e.text)
}

// damaged makes what QEMU's tool says of a stranger's file an error for people.
func damaged(format string, err error) error {
	var tool *toolError
	if errors.As(err, &tool) {
		return fmt.Errorf("this %s is damaged or cut short (%w); copy or download it again", format, err)
	}
	return err
}

// virtualSize is how large the guest sees a disk.
func (t taking) virtualSize(ctx context.Context, path, format string) (int64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, toolTime, fmt.Errorf("qemu-img info took more than %v", toolTime))
	defer cancel()
	out, err := qemuImg(ctx, "info", "--output=json", "-f", format, path)
	if err != nil {
		return 0, damaged(format, err)
	}
	var info struct {
		Size int64 `json:"virtual-size"`
	}
	if err := json.Unmarshal(out, &info); err != nil {
		return 0, fmt.Errorf("qemu-img info: %w", err)
	}
	return info.Size, nil
}

// checkWhole compares a disk's tables with the file: one that was cut short refers to what
// is behind its end.
func (t taking) checkWhole(ctx context.Context, path, format string) error {
	if format == "vpc" { // QEMU cannot check it; package disk has looked for its end
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, toolTime, fmt.Errorf("qemu-img check took more than %v", toolTime))
	defer cancel()
	out, err := qemuImg(ctx, "check", "--output=json", "-f", format, path)
	var result struct {
		Errors      int `json:"check-errors"`
		Corruptions int `json:"corruptions"`
	}
	if json.Unmarshal(out, &result) == nil && result.Errors+result.Corruptions == 0 {
		return nil // leaked clusters, which it calls an error, too, do no harm
	}
	if err == nil {
		err = &toolError{verb: "check", text: fmt.Sprintf("%d errors", result.Errors+result.Corruptions)}
	}
	return damaged(format, err)
}

// convert makes the disk at path a qcow2.
func (t taking) convert(ctx context.Context, path, format string) error {
	s := t.store
	s.say(Progress{Image: t.image, Phase: PhaseCopy, Note: "converting it to qcow2"})
	if err := s.needSpace(host.DiskUsage(path)); err != nil {
		return err
	}
	foreign := filepath.Join(t.dir, "foreign")
	if err := os.Rename(path, foreign); err != nil {
		return err
	}
	_, err := qemuImg(ctx, "convert", "-f", format, "-O", "qcow2", foreign, path)
	if host.DiskFull(err) {
		return &spaceError{dir: s.dir, free: s.freeOrZero()}
	}
	if err != nil {
		return damaged(format, err)
	}
	return os.Remove(foreign)
}

// head is the beginning of what a guest sees of a qcow2.
func (t taking) head(ctx context.Context, path string) (*os.File, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, toolTime, fmt.Errorf("qemu-img dd took more than %v", toolTime))
	defer cancel()
	head := filepath.Join(t.dir, "head")
	_, err := qemuImg(ctx, "dd", "-f", "qcow2", "-O", "raw", fmt.Sprintf("bs=%d", disk.HeadSize), "count=1", "if="+path, "of="+head)
	if host.DiskFull(err) {
		return nil, &spaceError{dir: t.store.dir, free: t.store.freeOrZero()}
	}
	if err != nil {
		return nil, damaged("qcow2", err)
	}
	defer os.Remove(head) // it stays open
	return os.Open(head)
}
