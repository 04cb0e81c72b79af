package qemu

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// typewriter prints what is typed: a boot sector that asks the BIOS for a key and prints
// it, for ever, after a first sign.
var typewriter = sectorOf(
	0xb8, '>', 0x0e, // mov ax, 0x0e00 + '>'
	0xcd, 0x10, // int 0x10: print al
	0x31, 0xc0, // xor ax, ax
	0xcd, 0x16, // int 0x16: wait for a key
	0xb4, 0x0e, // mov ah, 0x0e
	0xeb, 0xf6, // jmp to the printing
)

// A machine with a screen is looked at and typed at without a serial port, from every
// medium.
func TestScreen(t *testing.T) {
	if testing.Short() {
		t.Skip("runs QEMU: run without -short")
	}
	for _, spec := range []Spec{
		{Name: "disk", DiskBus: "ide"},
		{Name: "floppy", Medium: "floppy", NoACPI: true},
		{Name: "old", Medium: "floppy", Board: "isapc", Arch: "i386"},
	} {
		t.Run(spec.Name, func(t *testing.T) {
			disk := filepath.Join(t.TempDir(), "disk.img")
			if err := os.WriteFile(disk, append(typewriter, make([]byte, 1440<<10-512)...), 0o600); err != nil {
				t.Fatal(err)
			}
			spec.Memory, spec.CPUs, spec.Accel, spec.Disk, spec.DiskFormat, spec.Display = 32, 1, TCG, disk, "raw", "vga"
			p, err := Start(limited(t), spec)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			shows := func(text string) {
				t.Helper()
				for {
					memory, err := p.ReadMemory(limited(t), 0xb8000, 4000)
					if err != nil {
						t.Fatal(err)
					}
					var seen []byte
					for i := 0; i < len(memory); i += 2 {
						seen = append(seen, memory[i])
					}
					if bytes.Contains(seen, []byte(text)) {
						return
					}
				}
			}
			shows(">")
			var strokes [][]string
			for _, key := range "hello" {
				strokes = append(strokes, []string{string(key)})
			}
			if err := p.PressKeys(limited(t), append(strokes, []string{"shift", "1"})); err != nil {
				t.Fatal(err)
			}
			shows(">hello!")
			other := bytes.Clone(typewriter)
			other[1] = '$'
			if err := p.WriteDisk(limited(t), other[:511]); err != nil { // no boot sector as yet
				t.Fatal(err)
			}
			if err := p.WriteDisk(limited(t), other); err != nil {
				t.Fatal(err)
			}
			if err := p.WriteDisk(limited(t), make([]byte, 1440<<10+1)); err == nil || !strings.Contains(err.Error(), "'s disk has 1474560 bytes") {
				t.Errorf("more than the disk has: %v", err)
			}
			if err := p.Reset(limited(t)); err != nil {
				t.Fatal(err)
			}
			shows("$")
			picture, err := p.Screenshot(limited(t))
			if err != nil || !bytes.HasPrefix(picture, []byte("P6\n720 400\n255\n")) {
				t.Errorf("the screenshot begins with %.20q, %v", picture, err)
			}
			for range 2 {
				viewer, err := p.Viewer(limited(t))
				if err != nil {
					t.Fatal(err)
				}
				defer viewer.Close()
				version := make([]byte, 12)
				if _, err := io.ReadFull(viewer, version); err != nil || string(version) != "RFB 003.008\n" {
					t.Errorf("a viewer is told %q, %v", version, err)
				}
			}
		})
	}
}
