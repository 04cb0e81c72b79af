package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// bootCD is a CD that loads a boot sector (El Torito, without emulation).
func bootCD(sector []byte) []byte {
	const block = 2048
	d := make([]byte, 64*block)
	copy(d[16*block:], "\x01CD001\x01")
	binary.LittleEndian.PutUint32(d[16*block+80:], 64)
	copy(d[17*block:], "\x00CD001\x01EL TORITO SPECIFICATION")
	binary.LittleEndian.PutUint32(d[17*block+71:], 20)
	copy(d[18*block:], "\xffCD001\x01")
	catalog := d[20*block:]
	catalog[0], catalog[30], catalog[31], catalog[32] = 1, 0x55, 0xaa, 0x88
	binary.LittleEndian.PutUint16(catalog[38:], 1)  // sectors to load
	binary.LittleEndian.PutUint32(catalog[40:], 24) // from here
	copy(d[24*block:], sector)
	return d
}

// TestDisksBoot adds disks of all kinds, and has a machine boot each and read what is typed. What they are is tested in
// package image.
func TestDisksBoot(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines: run without -short")
	}
	folder := t.TempDir()
	env := []string{"LABRUN_CACHE=" + t.TempDir()}
	file := func(name string, data []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	hello := func(what string) []byte { return bootSector(t, "Hello from "+what+"\r\n> ") }
	sized := func(sector []byte, size int) []byte { return append(sector, make([]byte, size-len(sector))...) }
	converted := func(format string) string {
		path := filepath.Join(folder, "hd."+format)
		raw := file("hd-"+format+".img", sized(hello(format), 4<<20))
		if out, err := exec.Command("qemu-img", "convert", "-f", "raw", "-O", format, raw, path).CombinedOutput(); err != nil {
			t.Fatalf("qemu-img: %v: %s", err, out)
		}
		return path
	}
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	w, _ := z.Create("disks/fd.img")
	w.Write(sized(hello("zip"), 720<<10))
	z.Close()

	mission := "mission(title = \"Disks\", api = 1)\n"
	steps := ""
	for _, add := range [][]string{
		{"floppy", file("fd.img", sized(hello("floppy"), 1440<<10))},
		{"old", file("old.img", sized(hello("old"), 360<<10)), "--board=isapc", "--no-acpi", "--memory=16"},
		{"oldhd", file("oldhd.img", sized(hello("oldhd"), 1<<20)), "--board=isapc", "--memory=16"},
		{"sector", file("sector.img", hello("sector"))},
		{"short", file("short.img", hello("short")), "--medium=floppy"},
		{"cd", file("cd.iso", bootCD(hello("cd")))},
		{"vmdk", converted("vmdk")},
		{"vdi", converted("vdi")},
		{"vpc", converted("vpc")},
		{"vhdx", converted("vhdx")},
		{"qcow2", converted("qcow2"), "--board=q35", "--disk-bus=sata"},
		{"zip", file("fd.zip", packed.Bytes())},
	} {
		args := append([]string{"images", "add", add[0], add[1], "--prompt=^> $"}, add[2:]...)
		l := command(t, args...)
		l.Env = append(l.Env, env...)
		l.begin(t)
		l.finish(t, 0)
		mission += fmt.Sprintf("%s = machine(%q, memory = 32, nics = [uplink()])\n", add[0], add[0])
		steps += fmt.Sprintf(`
def try_%[1]s():
    """Boot %[1]s"""
    boot(%[1]s)
    wait_for(%[1]s, "Hello from %[1]s")
    wait_prompt(%[1]s)
    send(%[1]s, "typed")
    wait_screen(%[1]s, "> typed")

step(try_%[1]s)
`, add[0])
	}
	run := command(t, file("disks.star", []byte(mission+steps)))
	run.Env = append(run.Env, env...)
	run.begin(t)
	run.finish(t, 0)
	if text := run.out.String() + run.err.String(); !strings.Contains(text, "12 of 12 steps") {
		t.Errorf("it says\n%s", text)
	}
}
