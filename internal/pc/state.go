package pc

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/labrun/labrun/internal/host"
)

// Kernel is what a machine in a page boots, once.
type Kernel struct {
	Kernel, Initrd string // files
	Cmdline        string
	Memory         int // MiB
}

// options are what a Linux kernel is told besides: v86 has neither APIC nor ACPI, and
// memory that nobody uses is zero, so the state of it is small.
const options = " noapic nolapic acpi=off pnpbios=off mce=off init_on_free=1 loglevel=1"

//go:embed boot.mjs
var booting []byte

// emulator are the page's files that a state is made with, and depends on.
var emulator = []string{"npm/v86/libv86.mjs", "npm/v86/v86.wasm", "page/saved.js"}

// State returns the file of the state that a machine in a page goes on from, in the format
// of the page's saved PCs, with the page's files. It is kept in folder, named by all that it
// depends on; the first time it is made, by Node, which takes about a minute.
func State(ctx context.Context, folder string, page fs.FS, k Kernel) (string, error) {
	work, err := os.MkdirTemp("", "labrun-v86-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	key := sha256.New()
	fmt.Fprintln(key, k.Memory, k.Cmdline+options)
	keep := func(name string, data []byte) error {
		fmt.Fprintln(key, name, len(data))
		key.Write(data)
		file := filepath.Join(work, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		return os.WriteFile(file, data, 0o644)
	}
	for _, name := range emulator {
		data, err := fs.ReadFile(page, name)
		if err != nil {
			return "", fmt.Errorf("the emulator is not part of this labrun: %w: run make in labrun's source, with npm installed", err)
		}
		if err := keep(name, data); err != nil {
			return "", err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(firmware)) {
		data, err := BIOS(name)
		if err != nil {
			return "", err
		}
		if err := keep(name, data); err != nil {
			return "", err
		}
	}
	for _, err := range []error{keep("boot.mjs", booting), keep("package.json", []byte(`{"type":"module"}`))} {
		if err != nil {
			return "", err
		}
	}
	for _, name := range []string{k.Kernel, k.Initrd} {
		if err := addFile(key, name); err != nil {
			return "", err
		}
	}
	file := filepath.Join(folder, fmt.Sprintf("%x.state", key.Sum(nil)[:8]))
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	made := filepath.Join(work, "state")
	var words bytes.Buffer
	c := exec.CommandContext(ctx, "node", "boot.mjs", work, "bios.bin", "vgabios.bin", k.Kernel, k.Initrd,
		fmt.Sprint(k.Memory), k.Cmdline+options, made)
	c.Dir, c.Stdout, c.Stderr = work, &words, &words
	switch err := host.StartChild(c); {
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("node is missing, which boots the machine once for the page: `labrun doctor --mend serve` installs it")
	case err != nil:
		return "", err
	}
	if err := c.Wait(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("boot the machine in v86: %w: %s", err, strings.TrimSpace(words.String()))
	}
	data, err := os.ReadFile(made)
	if err == nil {
		err = os.MkdirAll(folder, 0o755)
	}
	if err == nil {
		err = renameio.WriteFile(file, data, 0o644)
	}
	return file, err
}

func addFile(to io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(to, f)
	return err
}
