package qemu

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/host"
)

// keyHold is how long each key is held, and how long QEMU waits after it was let go. A keyboard has a small buffer, and a
// guest that looks for keys at each tick of its clock misses what was pressed for less.
const keyHold = 10 * time.Millisecond

// errNoDisplay is why a machine without a screen shows none.
func (p *Process) errNoDisplay() error {
	return fmt.Errorf("%s has no screen: its console is a serial port", p.spec.Name)
}

// emptyScreen empties the screen's file, for what comes next, and goes to its beginning: see
// [host.DescriptorPath].
func (p *Process) emptyScreen() error {
	if err := p.screen.Truncate(0); err != nil {
		return err
	}
	_, err := p.screen.Seek(0, io.SeekStart)
	return err
}

// dump has a QMP command write to the screen's file, and returns what it wrote.
func (p *Process) dump(ctx context.Context, command string, arguments map[string]any) ([]byte, error) {
	if p.screen == nil {
		return nil, p.errNoDisplay()
	}
	p.dumping.Lock()
	defer p.dumping.Unlock()
	if err := p.emptyScreen(); err != nil {
		return nil, err
	}
	arguments["filename"] = host.DescriptorPath(p.screenFD)
	if err := p.Command(ctx, command, arguments, nil); err != nil {
		return nil, err
	}
	info, err := p.screen.Stat()
	if err != nil {
		return nil, err
	}
	data := make([]byte, info.Size())
	_, err = io.ReadFull(io.NewSectionReader(p.screen, 0, info.Size()), data)
	return data, err
}

// Screenshot returns what stands on the screen, as a portable pixmap (PPM, P6).
func (p *Process) Screenshot(ctx context.Context) ([]byte, error) {
	return p.dump(ctx, "screendump", map[string]any{})
}

// ReadMemory returns size bytes of the guest's memory at a physical address, of a machine
// with a screen.
func (p *Process) ReadMemory(ctx context.Context, at uint64, size int) ([]byte, error) {
	return p.dump(ctx, "pmemsave", map[string]any{"val": at, "size": size})
}

// Press has do press keys or buttons as soon as the guest runs, and sees to it that it runs until
// do returns: QEMU drops what is pressed while a guest is stopped (qemu_input_event_send in its
// ui/input.c), so that a key would be lost, or not come up.
func (p *Process) Press(ctx context.Context, do func() error) error {
	select {
	case p.input <- struct{}{}:
	case <-p.done:
		return p.exit
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() {
		if !p.still.Load() {
			<-p.input
		}
	}()
	return do()
}

// PressKeys presses keys, one stroke after the other; those of a stroke are held
// together. They have QEMU's names (QKeyCode in its QMP reference manual): shift, a, ret.
func (p *Process) PressKeys(ctx context.Context, strokes [][]string) error {
	type key struct {
		Type string `json:"type"`
		Data string `json:"data"`
	}
	for _, stroke := range strokes {
		var keys []key
		for _, code := range stroke {
			keys = append(keys, key{"qcode", code})
		}
		arguments := map[string]any{"keys": keys, "hold-time": keyHold.Milliseconds()}
		err := p.Press(ctx, func() error {
			if err := p.Command(ctx, "send-key", arguments, nil); err != nil {
				return err
			}
			// QEMU answers at once, and waits after each key that goes down and each that goes up.
			return host.Sleep(ctx, time.Duration(2*len(stroke))*keyHold)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Viewer returns a new connection to the screen, which speaks RFB (RFC 6143) without a
// password. Any number may be open; whoever has one closes it.
func (p *Process) Viewer(ctx context.Context) (net.Conn, error) {
	if p.screen == nil {
		return nil, p.errNoDisplay()
	}
	ours, theirs, err := socketPair(p.spec.Name + " viewer")
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	p.viewing.Lock() // a descriptor that is handed over has a name until it is used
	defer p.viewing.Unlock()
	err = p.command(ctx, "getfd", map[string]any{"fdname": "viewer"}, nil, theirs)
	if err == nil {
		err = p.Command(ctx, "add_client", map[string]any{"protocol": "vnc", "fdname": "viewer", "skipauth": true}, nil)
	}
	if err != nil {
		ours.Close()
		return nil, err
	}
	return ours, nil
}

// Click moves the pointer to a place of a screen of so many pixels and clicks there with the left button. It
// needs a guest that knows a USB tablet, since a mouse tells no places.
func (p *Process) Click(ctx context.Context, x, y, width, height int) error {
	if p.screen == nil {
		return p.errNoDisplay()
	}
	if !p.spec.tablet() {
		return fmt.Errorf("%s has no USB, so no pointer that can be put to a place", p.spec.Name)
	}
	var mice []struct{ Absolute, Current bool }
	if err := p.Command(ctx, "query-mice", nil, &mice); err != nil {
		return err
	}
	if !slices.ContainsFunc(mice, func(m struct{ Absolute, Current bool }) bool { return m.Absolute && m.Current }) {
		return fmt.Errorf("%s's system does not use its USB tablet, so it has no pointer that can be put to a place", p.spec.Name)
	}
	const far = 0x7fff // QEMU's measure of a screen's width and height
	type event struct {
		Type string         `json:"type"`
		Data map[string]any `json:"data"`
	}
	send := func(events ...event) error {
		return p.Command(ctx, "input-send-event", map[string]any{"events": events}, nil)
	}
	return p.Press(ctx, func() error {
		err := send(
			event{"abs", map[string]any{"axis": "x", "value": x * far / max(1, width-1)}},
			event{"abs", map[string]any{"axis": "y", "value": y * far / max(1, height-1)}},
		)
		for _, down := range []bool{true, false} {
			if err == nil {
				err = host.Sleep(ctx, keyHold)
			}
			if err == nil {
				err = send(event{"btn", map[string]any{"button": "left", "down": down}})
			}
		}
		return err
	})
}

// WriteDisk puts data at the beginning of the disk of a machine with a screen, and zeros after it
// up to the next sector.
func (p *Process) WriteDisk(ctx context.Context, data []byte) error {
	if p.screen == nil {
		return p.errNoDisplay()
	}
	p.dumping.Lock()
	defer p.dumping.Unlock()
	const sector = 512
	data = append(slices.Clone(data), make([]byte, (sector-len(data)%sector)%sector)...)
	size, err := p.diskSize(ctx)
	if err == nil && int64(len(data)) > size {
		err = fmt.Errorf("%s's disk has %d bytes, and these are %d", p.spec.Name, size, len(data))
	}
	if err != nil {
		return err
	}
	// QEMU's own command for it tells its standard output what went wrong, so that is looked
	// for before. It splits at blanks and knows no quotes: this name has none.
	if err := p.emptyScreen(); err != nil {
		return err
	}
	if _, err := p.screen.WriteAt(data, 0); err != nil {
		return err
	}
	line := fmt.Sprintf(`qemu-io disk "write -s %s 0 %d"`, host.DescriptorPath(p.screenFD), len(data))
	var said string
	if err := p.Command(ctx, "human-monitor-command", map[string]any{"command-line": line}, &said); err != nil {
		return err
	}
	if said = strings.TrimSpace(said); said != "" {
		return fmt.Errorf("write to %s's disk: %s", p.spec.Name, said)
	}
	return nil
}

// diskSize returns how many bytes the guest's disk has.
func (p *Process) diskSize(ctx context.Context) (int64, error) {
	var drives []struct {
		Device   string `json:"device"`
		Inserted struct {
			Image struct {
				Size int64 `json:"virtual-size"`
			} `json:"image"`
		} `json:"inserted"`
	}
	err := p.Command(ctx, "query-block", nil, &drives)
	for _, d := range drives {
		if d.Device == "disk" {
			return d.Inserted.Image.Size, err
		}
	}
	return 0, err
}

// Reset presses the machine's reset button.
func (p *Process) Reset(ctx context.Context) error { return p.Command(ctx, "system_reset", nil, nil) }
