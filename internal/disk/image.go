package disk

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Media, as images.lock calls them.
const (
	Hard   = "disk"
	Floppy = "floppy"
	CD     = "cd"
)

// Image is what a disk image is.
type Image struct {
	Format string // as QEMU calls it: raw, qcow2, vmdk, vdi, vpc or vhdx
	Medium string // Hard, Floppy or CD
	Size   int64  // bytes, as the guest sees them
	BIOS   bool   // the BIOS can boot it
	UEFI   bool   // UEFI can
	Label  string // a CD's name, as it says itself; empty: it has none
	Doubt  string // something is odd, but it may work; empty: nothing is
}

// formats are for people.
var formats = map[string]string{
	"raw": "raw", "qcow2": "qcow2", "vmdk": "VMDK", "vdi": "VDI", "vpc": "VHD", "vhdx": "VHDX",
}

// String says it all in a few words: "a floppy disk of 1.44 MB (raw), which boots by BIOS".
func (i Image) String() string {
	what := map[string]string{Hard: "a hard disk", Floppy: "a floppy disk", CD: "a CD"}[i.Medium]
	if i.Label != "" {
		what += fmt.Sprintf(" called «%s»", i.Label)
	}
	format := formats[i.Format]
	if i.Medium == CD {
		format = "ISO 9660"
	}
	by := "BIOS"
	switch {
	case i.BIOS && i.UEFI:
		by = "BIOS, and by UEFI"
	case i.UEFI:
		by = "UEFI"
	}
	return fmt.Sprintf("%s of %s (%s), which boots by %s", what, Bytes(i.Size), format, by)
}

// Bytes is a size for people. Floppy disks have the names that are printed on them.
func Bytes(n int64) string {
	for _, f := range floppies {
		if n == f.size {
			return f.name
		}
	}
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	value := float64(n)
	for ; value >= 1024 && len(units) > 1; units = units[1:] {
		value /= 1024
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0") + " " + units[0]
}

// floppies are the sizes that QEMU's drive takes for those of a floppy disk.
var floppies = []struct {
	size int64
	name string
}{
	{160 << 10, "160 KB"}, {180 << 10, "180 KB"}, {320 << 10, "320 KB"}, {360 << 10, "360 KB"}, {720 << 10, "720 KB"},
	{1200 << 10, "1.2 MB"}, {1440 << 10, "1.44 MB"}, {1600 << 10, "1.6 MB"}, {1680 << 10, "1.68 MB"},
	{1722 << 10, "1.72 MB"}, {1743 << 10, "1.74 MB"}, {2880 << 10, "2.88 MB"},
}

// FloppySize is the size of the smallest floppy disk that holds that many bytes; 0: there
// is none.
func FloppySize(bytes int64) int64 {
	for _, f := range floppies {
		if bytes <= f.size {
			return f.size
		}
	}
	return 0
}

// strangers are files that people mistake for disk images, by their magic.
var strangers = []struct{ magic, what string }{
	{"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it with 7z"},
	{"Rar!\x1a\x07", "a RAR archive; unpack it with unrar"},
	{"MSCF", "a cabinet archive; unpack it with cabextract"},
	{"<!DOCTYPE", "a web page"},
	{"<html", "a web page"},
	{"\x7fELF", "a program"},
	{"!<arch>\ndebian-bi", "a Debian package"},
	{"# Disk Desc", "the description of a VMDK whose data are in other files; make it one file, on the computer that " +
		"has them all, with `qemu-img convert -O qcow2`"},
	{"COWD", "a VMDK of VMware ESX, whose data are in other files; convert it there with `qemu-img convert -O qcow2`"},
	{"CISO", "a compressed CD (CSO); unpack it"},
	{"LUKS\xba\xbe", "encrypted"},
}

// Format tells how a file of that size holds a disk: Image.Format. It is an error if the
// file is no disk image, is cut short as far as its header tells, or is not complete in
// itself: one that refers to another file would show a guest any file of the host.
func Format(file io.ReaderAt, size int64) (string, error) {
	if size == 0 {
		return "", fmt.Errorf("the file is empty")
	}
	head, err := readUpTo(file, 0, 1024)
	if err != nil {
		return "", err
	}
	for _, s := range strangers {
		if bytes.HasPrefix(head, []byte(s.magic)) {
			return "", fmt.Errorf("this is not a disk image but %s", s.what)
		}
	}
	begins := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case begins("QFI\xfb"):
		return "qcow2", checkQcow2(head)
	case begins("KDMV"):
		return "vmdk", checkVMDK(file, head, size)
	case begins("vhdxfile"):
		return "vhdx", nil // who reads it has the header's sums to go by; QEMU refuses one with a parent
	case len(head) > 68 && bytes.Equal(head[64:68], []byte{0x7f, 0x10, 0xda, 0xbe}):
		return "vdi", checkVDI(head, size)
	}
	footer, err := readUpTo(file, max(0, size-sectorSize), sectorSize)
	switch {
	case err != nil:
		return "", err
	case begins("conectix"), bytes.HasPrefix(footer, []byte("conectix")):
		return "vpc", checkVHD(footer)
	}
	return "raw", nil
}

// readUpTo reads n bytes at an offset, or as many as there are.
func readUpTo(file io.ReaderAt, at int64, n int) ([]byte, error) {
	data := make([]byte, n)
	got, err := file.ReadAt(data, at)
	if err == io.EOF {
		err = nil
	}
	return data[:got], err
}
