package qemu

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// looks begins to look at a screen, as a VNC viewer does, up to where it asks for the picture.
func looks(t *testing.T, p *Process) (viewer net.Conn) {
	t.Helper()
	viewer, err := p.Viewer(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { viewer.Close() })
	viewer.SetDeadline(time.Now().Add(10 * time.Minute))
	hears := func(n int) []byte {
		t.Helper()
		b := make([]byte, n)
		if _, err := io.ReadFull(viewer, b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	says := func(text string) {
		t.Helper()
		if _, err := io.WriteString(viewer, text); err != nil {
			t.Fatal(err)
		}
	}
	hears(12)
	says("RFB 003.008\n")
	types := hears(int(hears(1)[0]))
	says(string(types[:1]))
	if refused := binary.BigEndian.Uint32(hears(4)); refused != 0 {
		t.Fatalf("a viewer is refused: %d", refused)
	}
	says("\x01")
	init := hears(24)
	hears(int(binary.BigEndian.Uint32(init[20:]))) // the name
	return viewer
}

// pictured asks for the whole picture and waits for the first part of it.
func pictured(t *testing.T, viewer net.Conn) {
	t.Helper()
	if _, err := viewer.Write([]byte{3, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(viewer, head); err != nil || head[0] != 0 {
		t.Fatalf("instead of a picture came %q, %v", head, err)
	}
}

// A machine is saved, and goes on, while others look at its screen; one that comes from the
// saved state can be looked at as well.
func TestSavedWithViewers(t *testing.T) {
	if testing.Short() {
		t.Skip("runs QEMU: run without -short")
	}
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk.img")
	if err := os.WriteFile(disk, append(typewriter, make([]byte, 1<<20)...), 0o600); err != nil {
		t.Fatal(err)
	}
	spec := Spec{Name: "saved", Memory: 32, CPUs: 1, Accel: TCG, Disk: disk, DiskFormat: "raw", DiskBus: "ide", Display: "vga"}
	p, err := Start(limited(t), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	viewer := looks(t, p)
	pictured(t, viewer)
	looks(t, p) // one that then says nothing
	if err := p.PressKeys(limited(t), [][]string{{"a"}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Pause(limited(t)); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state")
	if err := p.SaveWhole(limited(t), state); err != nil {
		t.Fatal(err)
	}
	if err := p.Continue(limited(t)); err != nil {
		t.Fatal(err)
	}
	viewer.Close()
	again := looks(t, p)
	pictured(t, again)

	p.Close() // it has the disk
	spec.Saved = &Saved{State: state}
	other, err := Start(limited(t), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Continue(limited(t)); err != nil {
		t.Fatal(err)
	}
	restored := looks(t, other)
	pictured(t, restored)
}
