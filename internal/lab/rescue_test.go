package lab

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/qemu"
)

// standsStill is a disk whose boot sector prints, at the first serial port, what a kernel
// begins with, and then nothing.
func standsStill() []byte {
	const line = "[    0.000000] Linux version 7.1\r\n"
	code := []byte{
		0x31, 0xc0, // xor ax, ax
		0x8e, 0xd8, // mov ds, ax
		0xbe, 0x12, 0x7c, // mov si, text
		0xba, 0xf8, 0x03, // mov dx, 0x3f8
		0xac,       // next: lodsb
		0xa8, 0xff, // test al, 0xff
		0x74, 0xfe, // jz here: for ever
		0xee,       // out dx, al
		0xeb, 0xf8, // jmp next
	}
	sector := append(append(code, line...), make([]byte, 510-len(code)-len(line))...)
	return append(append(sector, 0x55, 0xaa), make([]byte, 1<<20)...)
}

// A machine whose kernel stands still while it starts is started again, once.
func TestStandsStillWhileStarting(t *testing.T) {
	if testing.Short() {
		t.Skip("runs QEMU: run without -short")
	}
	labtest.Parallel(t)
	ctx := context5(t)
	lock, err := image.ParseLock(labrun.ImagesLock)
	if err != nil {
		t.Fatal(err)
	}
	store, err := image.Open(image.StoreOptions{Dir: t.TempDir(), Lock: lock, Recipes: labrun.Images()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	disk := filepath.Join(t.TempDir(), "still.img")
	if err := os.WriteFile(disk, standsStill(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Add(ctx, "router7", disk, image.Wish{}); err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 10)
	events := &event.Log{}
	events.Attach(func(r event.Record) {
		if e, ok := r.Event.(event.Notice); ok && strings.Contains(e.Text, "stood still") {
			told <- e.Text
		}
	})
	l := newLabWith(t, Config{Machines: []MachineConfig{{Name: "router7", Image: "router7"}}}, Options{Store: store, Events: events})
	l.stillLimit = time.Second
	m := l.Machine("router7")
	if err := l.Boot(ctx, m); err != nil {
		t.Fatal(err)
	}
	if l.accel.Accel != qemu.TCG {
		t.Skip("machines are started again under emulation only; KVM works here")
	}
	c, err := m.Console()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // as often as it starts
		if _, err := c.Expect(ctx, console.Text("Linux version")); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case text := <-told:
		if !strings.HasPrefix(text, "router7's kernel stood still") {
			t.Errorf("it tells %q", text)
		}
	case <-ctx.Done():
		t.Error("nobody is told")
	}
	short, cancel := l.Within(ctx, 3*l.stillLimit, errStill)
	defer cancel()
	if _, err := c.Expect(short, console.Text("Linux version")); !errors.Is(err, errStill) {
		t.Errorf("it starts once more: %v", err)
	}
}
