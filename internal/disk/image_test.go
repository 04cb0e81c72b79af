package disk

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// sector is a first sector that boots: it jumps to itself.
func sector(change func([]byte)) []byte {
	s := make([]byte, 512)
	copy(s, "\xeb\xfe")
	s[510], s[511] = 0x55, 0xaa
	if change != nil {
		change(s)
	}
	return s
}

// sized is a disk that begins with these bytes.
func sized(head []byte, size int) []byte {
	return append(bytes.Clone(head), make([]byte, size-len(head))...)
}

// gpt is a disk of 64 KiB with partitions of these types.
func gpt(code bool, types ...string) []byte {
	d := sized(sector(func(s []byte) {
		if !code {
			s[0], s[1] = 0, 0
		}
		s[450] = 0xee
	}), 64<<10)
	copy(d[512:], "EFI PART")
	binary.LittleEndian.PutUint64(d[512+72:], 2)
	binary.LittleEndian.PutUint32(d[512+80:], 128)
	binary.LittleEndian.PutUint32(d[512+84:], 128)
	for i, t := range types {
		copy(d[1024+128*i:], t)
		binary.LittleEndian.PutUint64(d[1024+128*i+40:], 100)
	}
	return d
}

// iso is a CD of 64 KiB that boots by entries for these platforms.
func iso(change func([]byte), platforms ...byte) []byte {
	d := make([]byte, 64<<10)
	primary := d[16*cdSector:]
	primary[0] = 1
	copy(primary[1:], "CD001")
	copy(primary[40:], "RESCUE\x1b[31m DISK                  ")
	binary.LittleEndian.PutUint32(primary[80:], 32)
	record := d[17*cdSector:]
	copy(record[1:], "CD001\x01EL TORITO SPECIFICATION")
	binary.LittleEndian.PutUint32(record[71:], 20)
	end := d[18*cdSector:]
	end[0] = 255
	copy(end[1:], "CD001")
	for i, p := range platforms {
		entry := d[20*cdSector+64*i:]
		if i == 0 {
			entry[0], entry[1], entry[30], entry[31] = 1, p, 0x55, 0xaa
		} else {
			entry[0], entry[1] = 0x91, p
		}
		entry[32] = 0x88
		binary.LittleEndian.PutUint32(entry[40:], 24)
	}
	if change != nil {
		change(d)
	}
	return d
}

func inspect(data []byte, medium string) (Image, error) {
	format, err := Format(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return Image{}, err
	}
	return Inspect(bytes.NewReader(data), int64(len(data)), format, medium)
}

func TestInspect(t *testing.T) {
	ef := "\xef"[0]
	for _, c := range []struct {
		name   string
		data   []byte
		medium string
		want   string
	}{
		{"a floppy disk", sized(sector(nil), 1440<<10), "", "a floppy disk of 1.44 MB (raw), which boots by BIOS"},
		{"the smallest", sized(sector(nil), 160<<10), "", "a floppy disk of 160 KB (raw), which boots by BIOS"},
		{"a boot sector", sector(nil), "", "a hard disk of 512 bytes (raw), which boots by BIOS"},
		{"a boot sector as a floppy disk", sector(nil), Floppy, "a floppy disk of 512 bytes (raw), which boots by BIOS"},
		{"a floppy disk's size, as a hard disk", sized(sector(nil), 720<<10), Hard, "a hard disk of 720 KB (raw), which boots by BIOS"},
		{"GRUB for both", gpt(true, string(biosType), string(espType)), "", "a hard disk of 64 KiB (raw), which boots by BIOS, and by UEFI"},
		{"UEFI", gpt(false, string(espType)), "", "a hard disk of 64 KiB (raw), which boots by UEFI"},
		{"UEFI, code left over", gpt(true, string(espType)), "", "a hard disk of 64 KiB (raw), which boots by UEFI"},
		{
			"UEFI by an MBR", sized(sector(func(s []byte) { s[0], s[1], s[450] = 0, 0, 0xef }), 64<<10), "",
			"a hard disk of 64 KiB (raw), which boots by UEFI",
		},
		{"a CD", iso(nil, 0), "", "a CD called «RESCUE[31m DISK» of 64 KiB (ISO 9660), which boots by BIOS"},
		{"a CD for both", iso(nil, 0, ef), "", "a CD called «RESCUE[31m DISK» of 64 KiB (ISO 9660), which boots by BIOS, and by UEFI"},
		{"a CD for UEFI", iso(nil, ef), "", "a CD called «RESCUE[31m DISK» of 64 KiB (ISO 9660), which boots by UEFI"},
		{"a CD for a disk", iso(func(d []byte) { copy(d, sector(nil)) }, 0), Hard, "a hard disk of 64 KiB (raw), which boots by BIOS"},
		{
			"a CD that boots as a disk alone", iso(func(d []byte) { copy(d, sector(nil)); clear(d[17*cdSector:]) }), "",
			"a hard disk of 64 KiB (raw), which boots by BIOS",
		},
	} {
		got, err := inspect(c.data, c.medium)
		if err != nil || got.String() != c.want {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	cut := sized(sector(func(s []byte) { s[450], s[459] = 6, 1 }), 64<<10) // a partition of 32 MiB
	if got, err := inspect(cut, ""); err != nil || !strings.Contains(got.Doubt, "cut short") {
		t.Errorf("half a disk: %+v, %v", got, err)
	}
}

func TestRefused(t *testing.T) {
	vdi := func(change func([]byte)) []byte {
		d := make([]byte, 512)
		copy(d, "<<< Oracle VM VirtualBox Disk Image >>>\n")
		copy(d[64:], "\x7f\x10\xda\xbe")
		d[0x4c] = 1
		change(d)
		return d
	}
	vmdk := func(change func([]byte)) []byte {
		d := make([]byte, 4096)
		copy(d, "KDMV\x01")
		d[12] = 1
		change(d)
		return d
	}
	qcow2 := func(change func([]byte)) []byte {
		d := make([]byte, 512)
		copy(d, "QFI\xfb\x00\x00\x00\x03")
		change(d)
		return d
	}
	vhd := make([]byte, 1536)
	copy(vhd, "conectix")
	child := bytes.Clone(vhd)
	copy(child[1024:], "conectix")
	child[1024+63] = 4
	for _, c := range []struct {
		name   string
		data   []byte
		medium string
		want   string
	}{
		{"nothing", nil, "", "the file is empty"},
		{"five bytes", []byte("text\n"), "", "only 5 bytes"},
		{"a web page", []byte("<!DOCTYPE html>"), "", "a web page"},
		{"a 7z archive", []byte("7z\xbc\xaf\x27\x1c....."), "", "unpack it with 7z"},
		{"no boot signature", []byte(strings.Repeat("text\n", 1000)), "", "no boot signature"},
		{"no program", sized(sector(func(s []byte) { s[0], s[1], s[446] = 0, 0, 0x80 }), 4096), "", "no program"},
		{"GPT, nothing to boot", gpt(false, "data"), "", "no program"},
		{"an empty floppy disk", sized(sector(func(s []byte) { copy(s[62:], "This is not a bootable disk") }), 720<<10), "", "was formatted"},
		{"a disk of 3 MiB as a floppy", sized(sector(nil), 3<<20), Floppy, "at most 2.88 MB"},
		{"a disk as a CD", sector(nil), CD, "no ISO 9660"},
		{"a CD with data", iso(nil), "", "cut short"},
		{"a CD without El Torito", iso(func(d []byte) { clear(d[17*cdSector:]) }), "", "does not boot"},
		{"a CD for PowerPC", iso(nil, 1), "", "does not boot"},
		{"half a CD", iso(func(d []byte) { d[16*cdSector+81] = 2 }, 0), "", "cut short: it has 64 KiB of 1.1 MiB"},
		{"a CD without what it boots", iso(func(d []byte) { d[20*cdSector+41] = 9 }, 0), "", "what it boots is not there"},
		{"a backing file", qcow2(func(h []byte) { h[15] = 104 }), "", "backing file"},
		{"external data", qcow2(func(h []byte) { h[79] = 4 }), "", "another file"},
		{"an encrypted qcow2", qcow2(func(h []byte) { h[35] = 1 }), "", "encrypted"},
		{"a short qcow2", []byte("QFI\xfb\x00\x00\x00\x03"), "", "cut short"},
		{"an old qcow", qcow2(func(h []byte) { h[7] = 1 }), "", "version 1"},
		{"a VMDK's child", vmdk(func(h []byte) { copy(h[512:], "parentFileNameHint=\"/etc/passwd\"") }), "", "has a parent"},
		{"a VMDK's child, elsewhere", vmdk(func(h []byte) { h[28], h[36] = 5, 1; copy(h[2560:], "parentFileNameHint=\"x\"") }), "", "has a parent"},
		{"a VMDK of other files", vmdk(func(h []byte) { h[12] = 0 }), "", "in other files"},
		{"a VMDK's description", []byte("# Disk DescriptorFile\nRW 4 FLAT \"/etc/passwd\" 0\n"), "", "in other files"},
		{"half a VMDK", vmdk(func(h []byte) { h[65] = 1 }), "", "cut short"},
		{"a VDI's child", vdi(func(h []byte) { h[0x4c] = 4 }), "", "has a parent"},
		{"another VDI's child", vdi(func(h []byte) { h[0x1a8] = 1 }), "", "has a parent"},
		{"half a VDI", vdi(func(h []byte) { h[0x17a], h[0x184] = 16, 3 }), "", "cut short: it has 512 bytes of 3 MiB"},
		{"a VHD's child", child, "", "has a parent"},
		{"half a VHD", vhd, "", "lacks its footer"},
	} {
		got, err := inspect(c.data, c.medium)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v, want %q", c.name, got, err, c.want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1440 << 10: "1.44 MB", 1536: "1.5 KiB", 4 << 40: "4 TiB", 5000 << 40: "5000 TiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	if FloppySize(512) != 160<<10 || FloppySize(1440<<10) != 1440<<10 || FloppySize(3<<20) != 0 {
		t.Error("sizes of floppy disks")
	}
}

// Whatever the file says, looking at it ends, and harms nobody.
func FuzzInspect(f *testing.F) {
	for _, seed := range [][]byte{sector(nil), gpt(true, string(espType)), iso(nil, 0, 0xef)} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, data []byte) { inspect(data, "") })
}
