package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/labrun/labrun/internal/host"
)

// Saved is a machine's state as Process.Save or Process.SaveWhole left it: memory,
// devices and disk of one instant. Any number of machines may go on from it at
// once. Those that have the memory in a file of its own map that privately, so what
// they have not written to is in memory only once.
type Saved struct {
	Memory string // path of the guest's memory, a sparse file; empty: it is in the state
	State  string // path of the state of its devices

	ReadOnly bool // QEMU needs no right to write to the memory: see Platform
	Wired    bool // the network cards were there, with their cables as they were then
}

// The files that Process.Save makes.
const (
	SavedMemory = "memory"
	SavedState  = "state"
	SavedDisk   = "disk.qcow2"
)

// saveLimit bounds each step of saving and restoring, which takes a fraction of a
// second where the host has time. A QEMU that ends ends the wait as well.
const saveLimit = 2 * time.Minute

// capabilities are QEMU's for saving and loading. Memory that is apart is mapped
// from a file and kept out of the stream. The events tell when a stream is
// through.
func capabilities(memoryApart bool) map[string]any {
	return map[string]any{"capabilities": []map[string]any{
		{"capability": "x-ignore-shared", "state": memoryApart},
		{"capability": "events", "state": true},
	}}
}

// newMemory returns a file for a guest's memory, with what was saved of it.
func newMemory(ctx context.Context, s Spec) (*os.File, error) {
	f, err := host.MemoryFile(s.Name + " memory")
	if err != nil {
		return nil, err
	}
	if s.Saved != nil {
		err = fill(ctx, f, s.Saved.Memory)
	} else {
		err = f.Truncate(int64(s.Memory) << 20)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func fill(ctx context.Context, to *os.File, path string) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	return host.FillSparse(ctx, to, from, nil)
}

// migrated returns a channel that gets the outcome of the next migration. The caller
// calls forget.
func (p *Process) migrated() (next <-chan error, forget func()) {
	outcome := make(chan error, 1)
	forget = p.Notify(func(n Notification) {
		if n.Name != "MIGRATION" {
			return
		}
		var err error
		switch status := n.Data["status"]; status {
		case "completed":
		case "failed", "cancelled":
			err = fmt.Errorf("QEMU reports: %s", status)
		default:
			return
		}
		select {
		case outcome <- err:
		default:
		}
	})
	return outcome, forget
}

// await waits for a migration's outcome.
func (p *Process) await(ctx context.Context, outcome <-chan error) error {
	select {
	case err := <-outcome:
		return err
	case <-p.done:
		return p.exit
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Save stops the guest and writes its memory, the state of its devices and its
// disk into a folder, as SavedMemory, SavedState and SavedDisk. The machine must
// have been started with Spec.Savable. The state has its network cards if they are
// plugged in. The guest is still stopped when Save returns, also with an error, so that
// what belongs to this instant can be looked at: Continue lets it run again.
func (p *Process) Save(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, saveLimit, fmt.Errorf("not done within %v", saveLimit))
	defer cancel()
	fail := func(err error) error { return fmt.Errorf("save %s: %w", p.spec.Name, err) }
	if err := p.Pause(ctx); err != nil {
		return fail(err)
	}
	if err := p.saveState(ctx, filepath.Join(dir, SavedState), true); err != nil {
		return fail(err)
	}
	// The disk is consistent now: the end of a migration flushes QEMU's caches of
	// it, and the guest does not run.
	disk, err := os.Open(p.spec.Disk)
	if err != nil {
		return fail(err)
	}
	defer disk.Close()
	for name, from := range map[string]*os.File{SavedMemory: p.memory, SavedDisk: disk} {
		if err := host.CopySparse(ctx, filepath.Join(dir, name), from, nil); err != nil {
			return fail(err)
		}
	}
	return nil
}

// Pause stops the guest: its time stands still until Continue. A key that is being pressed comes
// up before, and others wait.
func (p *Process) Pause(ctx context.Context) error {
	return p.Press(ctx, func() error {
		if err := p.Command(ctx, "stop", nil, nil); err != nil {
			return err
		}
		p.still.Store(true)
		return nil
	})
}

// SaveWhole writes the state of a paused machine into a file, its memory and its
// network cards included, from where a machine of the same specification can go
// on: see Saved. Frames that wait outside it are not part of it. Its disk is
// consistent then, and is the caller's to copy before Continue.
func (p *Process) SaveWhole(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, saveLimit, fmt.Errorf("not done within %v", saveLimit))
	defer cancel()
	if err := p.saveState(ctx, path, false); err != nil {
		return fmt.Errorf("save %s: %w", p.spec.Name, err)
	}
	return nil
}

// saveState receives the state through a pipe and writes it to a file. It returns
// when QEMU could let the guest run again.
func (p *Process) saveState(ctx context.Context, path string, memoryApart bool) (err error) {
	if err := p.Command(ctx, "migrate-set-capabilities", capabilities(memoryApart), nil); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	stream, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, func() { stream.Close() })()
	outcome, forget := p.migrated()
	defer forget()
	const name = "state"
	err = p.command(ctx, "getfd", map[string]any{"fdname": name}, nil, theirs)
	theirs.Close()
	if err != nil {
		return err
	}
	if err := p.Command(ctx, "migrate", map[string]any{"uri": "fd:" + name}, nil); err != nil {
		return err
	}
	if _, err := io.Copy(file, stream); ctx.Err() != nil {
		return context.Cause(ctx)
	} else if err != nil {
		return err
	}
	if err := p.await(ctx, outcome); err != nil {
		return err
	}
	// The event comes a moment before QEMU would continue.
	for status := ""; status != "postmigrate"; {
		var s struct{ Status string }
		if err := p.Command(ctx, "query-status", nil, &s); err != nil {
			return err
		}
		status = s.Status
	}
	return nil
}

// loadState brings a machine that was started with Spec.Saved to that state.
func (p *Process) loadState(ctx context.Context, fd int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, saveLimit, fmt.Errorf("not done within %v", saveLimit))
	defer cancel()
	if err := p.Command(ctx, "migrate-set-capabilities", capabilities(p.spec.Saved.Memory != ""), nil); err != nil {
		return err
	}
	if p.spec.Saved.Memory != "" {
		// A template's guest has moved nowhere: it need not tell a network five times where it is now. To
		// be told not at all it cannot take: QEMU fails then when the card is reset, as by a reboot
		// (hw/net/virtio-net.c stops a timer that it has freed).
		if err := p.Command(ctx, "migrate-set-parameters", map[string]any{"announce-rounds": 1}, nil); err != nil {
			return err
		}
	}
	outcome, forget := p.migrated()
	defer forget()
	if err := p.Command(ctx, "migrate-incoming", map[string]any{"uri": fmt.Sprintf("fd:%d", fd)}, nil); err != nil {
		return err
	}
	return p.await(ctx, outcome)
}

// Plug plugs in the network cards of a machine that was started without them, and its
// further consoles. A guest without ACPI hot-plug sees them when it looks for new PCI
// devices.
func (p *Process) Plug(ctx context.Context) error {
	for i, nic := range p.spec.NICs {
		if nic.User {
			user := map[string]any{"type": "user", "id": fmt.Sprintf("nic%d", i)}
			if err := p.Command(ctx, "netdev_add", user, nil); err != nil {
				return err
			}
		}
		err := p.Command(ctx, "device_add", map[string]any{
			"driver": p.spec.nicModel(), "id": fmt.Sprintf("card%d", i),
			"netdev": fmt.Sprintf("nic%d", i), "mac": nic.MAC, "romfile": "",
		}, nil)
		if err != nil {
			return err
		}
	}
	for i := range p.spec.Consoles {
		card := map[string]any{"driver": serialCard, "id": "serial" + fmt.Sprint(i+1), "chardev": consolePort(i)}
		if err := p.Command(ctx, "device_add", card, nil); err != nil {
			return err
		}
	}
	return nil
}

// PlugDisk plugs in a second disk, a raw file that the guest may read and that has this serial
// number. As with Plug, a guest may have to look for it.
func (p *Process) PlugDisk(ctx context.Context, path, serial string) error {
	err := p.Command(ctx, "blockdev-add", map[string]any{
		"driver": "raw", "node-name": "second", "read-only": true,
		"file": map[string]any{"driver": "file", "filename": path},
	}, nil)
	if err != nil {
		return err
	}
	return p.Command(ctx, "device_add", map[string]any{
		"driver": "virtio-blk-pci", "id": "second-disk", "drive": "second", "serial": serial,
	}, nil)
}

// SetCarrier pulls the cable of a network card, counted from 0, out of the guest,
// which notices, or puts it back (QMP's set_link). It is in when the machine starts.
func (p *Process) SetCarrier(ctx context.Context, card int, up bool) error {
	return p.Command(ctx, "set_link", map[string]any{"name": fmt.Sprintf("nic%d", card), "up": up}, nil)
}

// Continue lets a stopped guest run.
func (p *Process) Continue(ctx context.Context) error {
	err := p.Command(ctx, "cont", nil, nil)
	if err == nil && p.still.Swap(false) {
		<-p.input
	}
	return err
}
