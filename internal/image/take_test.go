package image

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/labrun/labrun/internal/disk"
)

// nothingLeft fails if the cache has more than it had when it was made.
func nothingLeft(t *testing.T, s *Store) {
	t.Helper()
	for _, sub := range []string{"added", "work", "blobs", "builds"} {
		left, err := os.ReadDir(filepath.Join(s.dir, sub))
		if err != nil || len(left) != 0 {
			t.Errorf("left in %s: %v, %v", sub, left, err)
		}
	}
}

func written(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(text string) string {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the race detector makes it slow enough
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

func zipped(files ...string) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, _ := w.Create(files[i])
		io.WriteString(f, files[i+1])
	}
	w.Close()
	return b.String()
}

// A disk in every format and packing comes to boot the same bytes, under a name of its own,
// which is an image like any other until it is removed.
func TestAddAsItComes(t *testing.T) {
	raw := rawDisk(strings.Repeat("\x00", 3<<20) + strings.Repeat("data", 128) + strings.Repeat("\x00", 1<<20))
	floppy := rawDisk(strings.Repeat("f", 300<<10) + strings.Repeat("\x00", 20<<10)) // cut off after its last file
	for name, c := range map[string]struct{ content, member, found string }{
		"d.img":      {raw, "", "a hard disk of 4 MiB (raw)"},
		"d.qcow2":    {made(t, "qcow2", raw), "", "(qcow2)"},
		"d.vmdk":     {made(t, "vmdk", raw), "", "(VMDK)"},
		"s.vmdk":     {made(t, "vmdk", raw, "-o", "subformat=streamOptimized"), "", "(VMDK)"},
		"d.vdi":      {made(t, "vdi", raw), "", "(VDI)"},
		"d.vhd":      {made(t, "vpc", raw), "", "(VHD)"},
		"f.vhd":      {made(t, "vpc", raw, "-o", "subformat=fixed,force_size=on"), "", "(VHD)"},
		"d.vhdx":     {made(t, "vhdx", raw), "", "(VHDX)"},
		"d.img.gz":   {gzipped(raw), "", "(raw)"},
		"d.vdi.gz":   {gzipped(made(t, "vdi", raw)), "", "(VDI)"},
		"d.zip":      {zipped("readme", "read me", "d/a.vmdk", made(t, "vmdk", raw)), "", "(VMDK)"},
		"several":    {zipped("a.img", raw[:1<<20], "b.img", raw), "b.img", "(raw)"},
		"floppy.img": {floppy, "", "a floppy disk of 360 KB"},
	} {
		s := tiny(t, "exit 75", &notes{})
		wish := Wish{Member: c.member}
		want := raw
		if name == "floppy.img" {
			wish.Medium, want = "floppy", floppy
		}
		img, err := s.Add(within(t), "dos", written(t, name, c.content), wish)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out := filepath.Join(t.TempDir(), "out")
		if text, err := exec.Command("qemu-img", "convert", "-f", img.DiskFormat, "-O", "raw", img.Disk, out).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, text)
		}
		got := contents(t, out)
		if !strings.HasPrefix(got, want) || strings.Trim(got[len(want):], "\x00") != "" {
			t.Errorf("%s: the guest sees another disk, of %d bytes", name, len(got))
		}
		if !strings.Contains(img.Found, c.found) || img.Display != "vga" || img.Name != "dos" || !img.BIOS {
			t.Errorf("%s: %+v", name, img)
		}
		if wish.Medium == "floppy" && (len(got) != 360<<10 || img.Medium != "floppy" || img.Memory != 32) {
			t.Errorf("%s has %d bytes: %+v", name, len(got), img)
		}
		// Others see it, too, by the cache alone.
		p, ok := s.lock.WithAdded(s.dir).Profile("dos")
		if !ok || p.Display != "vga" || p.Summary != img.Found {
			t.Errorf("%s: as others see it: %+v", name, p)
		}
		again := open(t, StoreOptions{Dir: s.dir, Lock: s.lock.WithAdded(s.dir), Recipes: recipes()})
		if _, err := again.Add(within(t), "dos", written(t, name, c.content), wish); err != nil {
			t.Errorf("%s, once more: %v", name, err)
		}
		if got, err := again.Ensure(within(t), "dos"); err != nil || got.Digest != img.Digest {
			t.Errorf("%s: Ensure: %+v, %v", name, got, err)
		}
		if list, err := again.List(within(t)); err != nil || len(list) != 2 || list[1].Name != "dos" || len(list[1].Sources) != 0 {
			t.Errorf("%s: List: %+v, %v", name, list, err)
		}
		if err := again.Verify(within(t), "dos"); err != nil {
			t.Error(err)
		}
		if _, err := again.Remove(within(t), "dos"); err != nil {
			t.Error(err)
		}
		if _, err := again.Ensure(within(t), "dos"); err == nil || !strings.Contains(err.Error(), "no such image") {
			t.Errorf("%s, after Remove: %v", name, err)
		}
		nothingLeft(t, s)
	}
}

func TestAsked(t *testing.T) {
	s := tiny(t, "exit 75", &notes{})
	file := written(t, "fd.img", rawDisk(strings.Repeat("\x00", 360<<10-512)))
	wish := Wish{Hardware: Hardware{Memory: 16}, Ask: func(found disk.Image, guess Hardware) (Hardware, error) {
		if found.Medium != disk.Floppy || guess.Memory != 16 || guess.NICModel != "ne2k_isa" {
			t.Errorf("asked about %+v and %+v", found, guess)
		}
		return Hardware{Board: "isapc", NoACPI: true}, nil
	}}
	img, err := s.Add(within(t), "dos", file, wish)
	if want := (Hardware{
		Memory: 16, CPUs: 1, NICModel: "ne2k_isa", DiskBus: "ide", Display: "vga", Medium: "floppy", Board: "isapc", NoACPI: true,
	}); err != nil || img.Hardware != want {
		t.Errorf("got %+v, %v", img, err)
	}
	hard := written(t, "hd.img", rawDisk(strings.Repeat("\x00", 1<<20)))
	if img, err := s.Add(within(t), "at", hard, Wish{Hardware: Hardware{Board: "isapc"}}); err != nil || img.NICModel != "ne2k_isa" || img.DiskBus != "ide" {
		t.Errorf("an AT's disk: %+v, %v", img, err)
	}
	for _, bad := range []Hardware{{Board: "isapc", NICModel: "pcnet"}, {Board: "isapc", DiskBus: "sata"}} {
		if _, err := s.Add(within(t), "at", hard, Wish{Hardware: bad}); err == nil || !strings.Contains(err.Error(), "older than PCI") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := s.Add(within(t), "fd", file, Wish{Hardware: Hardware{Board: "q35"}}); err == nil || !strings.Contains(err.Error(), "no floppy drive") {
		t.Errorf("q35: %v", err)
	}
	stop := errors.New("interrupted")
	wish.Ask = func(disk.Image, Hardware) (Hardware, error) { return Hardware{}, stop }
	if _, err := s.Add(within(t), "other", file, wish); !errors.Is(err, stop) {
		t.Errorf("who does not answer: %v", err)
	}
	if _, err := s.Add(within(t), "Bad Name", file, wish); err == nil || !strings.Contains(err.Error(), "lower-case") {
		t.Errorf("a bad name: %v", err)
	}
	if img, err := s.Add(within(t), "plain", file, Wish{Hardware: Hardware{Display: "none"}}); err != nil || img.Display != "" {
		t.Errorf("without a screen: %+v, %v", img, err)
	}
}

// What boots by UEFI alone needs it to be there.
func TestUEFI(t *testing.T) {
	s := tiny(t, "exit 75", &notes{})
	file := written(t, "efi.img", strings.Repeat("\x00", 450)+"\xef"+strings.Repeat("\x00", 59)+"\x55\xaa"+strings.Repeat("\x00", 1<<20))
	if _, err := s.Add(within(t), "efi", file, Wish{}); err == nil || !strings.Contains(err.Error(), "UEFI alone, and UEFI is not installed here: `labrun doctor --mend`") {
		t.Errorf("without UEFI: %v", err)
	}
	if _, err := s.Add(within(t), "efi", file, Wish{UEFI: true, Hardware: Hardware{Firmware: "bios"}}); err == nil || !strings.Contains(err.Error(), "not by BIOS") {
		t.Errorf("by BIOS: %v", err)
	}
	nothingLeft(t, s)
	img, err := s.Add(within(t), "efi", file, Wish{UEFI: true})
	if err != nil || img.Firmware != "uefi" || img.Memory != 1024 {
		t.Errorf("with UEFI: %+v, %v", img, err)
	}
	bios := written(t, "bios.img", rawDisk(strings.Repeat("\x00", 1<<20)))
	if _, err := s.Add(within(t), "efi2", bios, Wish{UEFI: true, Hardware: Hardware{Firmware: "uefi"}}); err == nil || !strings.Contains(err.Error(), "only by BIOS") {
		t.Errorf("a BIOS disk by UEFI: %v", err)
	}
}

// Whatever is wrong with a file, it is said, and nothing stays in the cache. Looking at
// content alone is tested in package disk.
func TestAddLeavesNothing(t *testing.T) {
	raw := rawDisk(strings.Repeat("data", 1<<20))
	vmdk, vdi, vhd, qcow2 := made(t, "vmdk", raw), made(t, "vdi", raw), made(t, "vpc", raw), made(t, "qcow2", raw)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	huge := written(t, "huge.img", raw)
	if err := os.Truncate(huge, 4<<40); err != nil {
		t.Fatal(err)
	}
	secret := written(t, "secret", raw)
	var climbs bytes.Buffer
	w := tar.NewWriter(&climbs)
	w.WriteHeader(&tar.Header{Name: "../fd.img", Size: 3})
	w.Write([]byte("abc"))
	w.Close()
	for name, c := range map[string]struct{ from, want string }{
		"a folder":           {t.TempDir(), "a folder"},
		"a pipe":             {fifo, "not a regular file"},
		"4 TB of nothing":    {huge, "this disk is 4 TiB large (and takes 4 MiB): labrun takes disks of 6 MiB at most"},
		"empty":              {written(t, "e", ""), "empty"},
		"half a qcow2":       {written(t, "d", qcow2[:len(qcow2)/2]), "damaged or cut short"},
		"half a VMDK":        {written(t, "d", vmdk[:len(vmdk)/2]), "cut short"},
		"half a VDI":         {written(t, "d", vdi[:len(vdi)/2]), "cut short"},
		"half a VHD":         {written(t, "d", vhd[:len(vhd)/2]), "cut short"},
		"half a VHDX":        {written(t, "d", made(t, "vhdx", raw)[:4<<20]), "damaged or cut short"},
		"a large qcow2":      {written(t, "d", made(t, "qcow2", raw+strings.Repeat("\x00", 7<<20))), "this disk is 11"},
		"a qcow2 of nothing": {written(t, "d", made(t, "qcow2", strings.Repeat("\x00", 1<<20))), "no boot signature"},
		"a VMDK of nothing":  {written(t, "d", made(t, "vmdk", strings.Repeat("\x00", 1<<20))), "no boot signature"},
		"a VMDK's pointer":   {written(t, "d.vmdk", "# Disk DescriptorFile\nRW 9 FLAT \""+secret+"\" 0\n"), "in other files"},
		"several":            {written(t, "d.zip", zipped("a.img", raw, "b/c.img", raw)), "say which with --member NAME:\n  a.img (4 MiB)\n  b/c.img (4 MiB)"},
		"none":               {written(t, "d.zip", zipped("a.txt", "text")), "none looks like one"},
		"../":                {written(t, "d.tar", climbs.String()), "outside of its folder"},
		"a bomb":             {written(t, "d.img.gz", gzipped(rawDisk(strings.Repeat("x", 7<<20)))), "more than 6 MiB"},
		"packed twice":       {written(t, "d.gz", gzipped(gzipped(raw))), "holds an archive"},
		"a backing file":     {written(t, "d.gz", gzipped(changed(qcow2, 15, 104))), "backing file"},
	} {
		s := tiny(t, "exit 75", &notes{})
		s.maxDisk = 6 << 20
		_, err := s.Add(within(t), "dos", c.from, Wish{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), s.dir) {
			t.Errorf("%s: it names the cache's own files: %v", name, err)
		}
		nothingLeft(t, s)
	}
	s := tiny(t, "exit 75", &notes{})
	if _, err := s.Add(within(t), "dos", secret, Wish{Member: "a"}); err == nil || !strings.Contains(err.Error(), "no archive") {
		t.Errorf("a file of a disk: %v", err)
	}
	// The disk fills up.
	packed := written(t, "d.img.gz", gzipped(rawDisk(strings.Repeat("x", 40<<20))))
	calls := 0
	s.free = func(string) (int64, error) {
		if calls++; calls > 1 {
			return 1 << 20, nil
		}
		return 1 << 30, nil
	}
	var full *spaceError
	if _, err := s.Add(within(t), "dos", packed, Wish{}); !errors.As(err, &full) {
		t.Errorf("a full disk: %v", err)
	}
	nothingLeft(t, s)
}

// An interrupt ends each part of the work, and nothing stays.
func TestAddInterrupted(t *testing.T) {
	raw := rawDisk(strings.Repeat("data", 1<<20))
	for name, path := range map[string]string{
		"looking into":  written(t, "d.img.gz", gzipped(raw)),
		"unpacking":     written(t, "d.img.gz", gzipped(raw)),
		"converting it": written(t, "d.vmdk", made(t, "vmdk", raw)),
		"disk.img":      written(t, "d.img", raw), // its digest is computed
	} {
		cause := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(within(t))
		s := tiny(t, "exit 75", &notes{})
		s.progress = func(p Progress) {
			if strings.Contains(p.Note, name) {
				cancel(cause)
			}
		}
		if _, err := s.Add(ctx, "dos", path, Wish{}); !errors.Is(err, cause) {
			t.Errorf("while %s: %v", name, err)
		}
		nothingLeft(t, s)
	}
}
