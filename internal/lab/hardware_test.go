package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/qemu"
)

// A disk that was added gets what was said with it, else what the real image
// needs, which is more than its stand-in does; a mission has the last word. No
// machine is booted.
func TestHardwareOfAnAddedDisk(t *testing.T) {
	labtest.Parallel(t)
	labtest.Options(t) // QEMU need not be installed
	lock, err := image.ParseLock(labrun.ImagesLock)
	if err != nil {
		t.Fatal(err)
	}
	store, err := image.Open(image.StoreOptions{Dir: t.TempDir(), Lock: lock, Recipes: labrun.Images()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	standIn, _ := store.Profile("router7")
	disk := filepath.Join(t.TempDir(), "router7.img")
	if err := os.WriteFile(disk, []byte("\xeb\xfe"+strings.Repeat("\x00", 508)+"\x55\xaa"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		said     image.Hardware
		declared int
		memory   int
		argument string
	}{
		{image.Hardware{}, 0, 256, "virtio-blk-pci,drive=disk,bootindex=1"},
		{image.Hardware{Memory: 320, DiskBus: "ide"}, 0, 320, "ide-hd,bus=ide.0,drive=disk,bootindex=1"},
		{image.Hardware{Memory: 320, NICModel: "e1000"}, 512, 512, "e1000,netdev=nic0,mac=52:55:00:d1:55:03,romfile="},
	} {
		if _, err := store.Add(t.Context(), "router7", disk, image.Wish{Hardware: c.said}); err != nil {
			t.Fatal(err)
		}
		l := newLabWith(t, Config{Machines: []MachineConfig{{Name: "r", Image: "router7", Memory: c.declared, NICs: []NICConfig{{Uplink: true}}}}}, Options{Store: store})
		if err := l.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		m := l.Machine("r")
		if got := m.Config().Memory; got != c.memory || got <= standIn.Memory {
			t.Errorf("%+v, memory = %d: it has %d MiB, and %d for the stand-in", c.said, c.declared, got, standIn.Memory)
		}
		if line := strings.Join(m.spec("disk").Argv(qemu.Descriptors{}), "\n"); !strings.Contains(line, c.argument) {
			t.Errorf("%+v: no %s in %s", c.said, c.argument, line)
		}
	}
}
