package lab

import (
	"slices"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/labtest"
)

// greets is a boot sector that prints a text by the BIOS and stops.
func greets(text string) []byte {
	code := []byte{
		0x31, 0xc0, // xor ax, ax
		0x8e, 0xd8, // mov ds, ax
		0xbe, 0x14, 0x7c, // mov si, text
		0xac,       // next: lodsb
		0xb4, 0x0e, // mov ah, 0x0e
		0x84, 0xc0, // test al, al
		0x74, 0x04, // jz stop
		0xcd, 0x10, // int 0x10
		0xeb, 0xf5, // jmp next
		0xeb, 0xfe, // stop: jmp stop
	}
	code = append(append(code, text...), 0)
	return append(append(code, make([]byte, 510-len(code))...), 0x55, 0xaa)
}

// What a machine has been booted from is on its screen when that is said, also while the computer
// is busy: a check looks once.
func TestBootFrom(t *testing.T) {
	if testing.Short() {
		t.Skip("runs QEMU: run without -short")
	}
	ctx := context5(t)
	l := newLabWith(t, Config{Machines: []MachineConfig{{Name: "pc", Image: "tiny"}}}, Options{Store: labtest.Tiny(t)})
	pc := l.Machine("pc")
	if err := l.Boot(ctx, pc); err != nil {
		t.Fatal(err)
	}
	none := slices.Concat(greets("none")[:510], []byte{0, 0})
	for _, c := range []struct {
		data []byte
		want string
	}{
		{greets("one"), "one"}, {greets("two"), "two"}, {greets("two"), "two"}, {none, "No bootable device"}, {greets("one"), "one"},
	} {
		if err := pc.BootFrom(ctx, c.data); err != nil {
			t.Fatal(err)
		}
		now, err := pc.Look(ctx)
		if err != nil || !strings.Contains(now.Lines(), c.want) {
			t.Errorf("want %q: %s, %v", c.want, now.Describe(), err)
		}
	}
}
