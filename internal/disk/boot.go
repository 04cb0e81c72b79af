package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	sectorSize = 512
	bootCode   = 440 // bytes of a boot sector before its partition table
	cdSector   = 2048
)

// HeadSize is how many bytes of a disk tell what it boots by, unless it is a CD.
const HeadSize = 64 << 10

// Inspect tells what a disk is by what the guest sees of it: the first bytes, at least
// [HeadSize] of them or all, of a disk of that size and format; a raw one is all there.
// Medium is what it is said to be; empty: it is told by the content. It is an error if
// nothing can boot it.
func Inspect(content io.ReaderAt, size int64, format, medium string) (Image, error) {
	i := Image{Format: format, Medium: medium, Size: size}
	head, err := readUpTo(content, 0, HeadSize)
	if err != nil {
		return i, err
	}
	if format == "raw" && (medium == "" || medium == CD) {
		found, err := i.cd(content)
		if found || err != nil {
			return i, err
		}
		if medium == CD {
			return i, errors.New("this is not a CD: it has no ISO 9660 file system")
		}
	}
	if i.Medium == "" {
		i.Medium = Hard
		if FloppySize(size) == size {
			i.Medium = Floppy
		}
	}
	if i.Medium == Floppy && FloppySize(size) == 0 {
		return i, fmt.Errorf("this is not a floppy disk: it has %s, and those have at most 2.88 MB", Bytes(size))
	}
	return i, i.sectors(head)
}

// sectors looks at the first sectors of a disk without a CD's file system.
func (i *Image) sectors(head []byte) error {
	const advice = "a machine boots from the first sector of its disk, by BIOS, or by UEFI from a partition for it"
	switch {
	case len(head) < sectorSize:
		return fmt.Errorf("this is not a disk image: it has only %d bytes; %s", len(head), advice)
	case bytes.HasPrefix(head, []byte("\x1f\x8b")), bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return errors.New("this is an archive inside of a disk image or archive: unpack it first")
	case head[sectorSize-2] != 0x55 || head[sectorSize-1] != 0xaa:
		return fmt.Errorf("this is not a disk that boots: its first sector has no boot signature; %s", advice)
	case formatted(head):
		return fmt.Errorf(
			"this disk does not boot: it was formatted, and no system was put onto it; %s", advice,
		)
	}
	code := len(bytes.Trim(head[:bootCode], "\x00")) > 0
	if i.Medium == Floppy {
		i.BIOS = code
	} else {
		p := partitions(head)
		i.UEFI = p.efi
		// The code in the first sector of a GPT disk has to find its system by a partition for
		// it; where there is one for UEFI alone, the code is a left-over.
		i.BIOS = code && (!p.gpt || p.bios || !p.efi)
		if p.end > i.Size {
			i.Doubt = fmt.Sprintf(
				"its partitions end at %s, and it at %s: it may have been cut short", Bytes(p.end), Bytes(i.Size),
			)
		}
	}
	if !i.BIOS && !i.UEFI {
		return fmt.Errorf("this disk does not boot: its first sector has a partition table and no program; %s", advice)
	}
	return nil
}

// formatted recognises what tools write that make a file system: a program that says that
// there is none.
func formatted(head []byte) bool {
	return bytes.Contains(head[:sectorSize], []byte("This is not a bootable disk")) ||
		bytes.Contains(head[:sectorSize], []byte("This disk is not bootable"))
}

// table is what a partition table says.
type table struct {
	gpt       bool
	bios, efi bool  // there is a partition to boot by it
	end       int64 // of the last partition, in bytes
}

// Types of GPT partitions, as they are on the disk.
var (
	espType  = []byte("\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b")
	biosType = []byte("\x48\x61\x68\x21\x49\x64\x6f\x6e\x74\x4e\x65\x65\x64\x45\x46\x49") // «Hah!IdontNeedEFI»
)

func partitions(head []byte) (t table) {
	if i := sectorSize; len(head) >= 2*sectorSize && bytes.HasPrefix(head[i:], []byte("EFI PART")) {
		t.gpt = true
		at := binary.LittleEndian.Uint64(head[i+72:]) * sectorSize
		count, length := uint64(binary.LittleEndian.Uint32(head[i+80:])), uint64(binary.LittleEndian.Uint32(head[i+84:]))
		for n := range min(count, 128) {
			from := at + n*length
			if length < 128 || from+128 > uint64(len(head)) || from < at {
				break
			}
			entry := head[from : from+128]
			const legacyBoot = 1 << 2 // syslinux's code looks for this attribute
			t.efi = t.efi || bytes.HasPrefix(entry, espType)
			t.bios = t.bios || bytes.HasPrefix(entry, biosType) || entry[48]&legacyBoot != 0
			if last := binary.LittleEndian.Uint64(entry[40:]); last > 0 && last < 1<<50 {
				t.end = max(t.end, int64(last+1)*sectorSize)
			}
		}
		return t
	}
	if fileSystem(head) {
		return t // no partition table: the bytes there are its code
	}
	for n := range 4 {
		entry := head[446+16*n:][:16]
		switch kind := entry[4]; kind {
		case 0:
			continue
		case 0xef:
			t.efi = true
		}
		first, count := binary.LittleEndian.Uint32(entry[8:]), binary.LittleEndian.Uint32(entry[12:])
		t.end = max(t.end, (int64(first)+int64(count))*sectorSize)
	}
	return t
}

// fileSystem reports whether the disk's first sector is that of a FAT or NTFS: there are
// no partitions.
func fileSystem(head []byte) bool {
	return bytes.HasPrefix(head[54:], []byte("FAT")) || bytes.HasPrefix(head[82:], []byte("FAT32")) ||
		bytes.HasPrefix(head[3:], []byte("NTFS"))
}

// cd looks for an ISO 9660 file system (ECMA-119), and how it boots (El Torito 1.0). One
// that boots as a hard disk alone is none.
func (i *Image) cd(content io.ReaderAt) (found bool, err error) {
	const descriptors = 16 // the first sector of them
	if i.Size < (descriptors+1)*cdSector {
		return false, nil
	}
	primary, err := readUpTo(content, descriptors*cdSector, cdSector)
	if err != nil || len(primary) < cdSector || !bytes.Equal(primary[1:6], []byte("CD001")) {
		return false, err
	}
	// The padding at the end of a CD is often lost, and nobody misses it.
	const padding = 150 * cdSector
	says := int64(binary.LittleEndian.Uint32(primary[80:])) * cdSector
	if i.Size+padding < says {
		return true, fmt.Errorf("the CD is cut short: it has %s of %s; copy or download it again", Bytes(i.Size), Bytes(says))
	}
	catalog := int64(0)
	for n := int64(descriptors + 1); n < descriptors+32; n++ {
		d, err := readUpTo(content, n*cdSector, cdSector)
		if err != nil {
			return true, err
		}
		if len(d) < cdSector || !bytes.Equal(d[1:6], []byte("CD001")) || d[0] == 255 {
			break
		}
		if d[0] == 0 && bytes.HasPrefix(d[7:], []byte("EL TORITO SPECIFICATION")) {
			catalog = int64(binary.LittleEndian.Uint32(d[71:])) * cdSector
		}
	}
	if catalog > 0 {
		if err := i.elTorito(content, catalog); err != nil {
			return true, err
		}
	}
	if !i.BIOS && !i.UEFI {
		head, err := readUpTo(content, 0, sectorSize)
		if err == nil && i.Medium == "" && head[510] == 0x55 && head[511] == 0xaa {
			return false, nil // made to be copied onto a disk
		}
		return true, errors.New("this CD does not boot: it holds files, and nothing that the BIOS or UEFI could start (El Torito)")
	}
	i.Medium = CD
	i.Label = label(primary[40:72])
	return true, nil
}

// elTorito reads the boot catalog: an entry for validation, then one for each way to boot,
// with headers between those of different firmware.
func (i *Image) elTorito(content io.ReaderAt, at int64) error {
	short := errors.New("the CD is cut short: what it boots is not there; copy or download it again")
	entries, err := readUpTo(content, at, cdSector)
	if err != nil {
		return err
	}
	if len(entries) < 64 || entries[0] != 1 || entries[30] != 0x55 || entries[31] != 0xaa {
		return short
	}
	platform := entries[1]
	for entry := range slices.Chunk(entries[32:], 32) {
		switch entry[0] {
		case 0x90, 0x91: // a header
			platform = entry[1]
		case 0x88: // bootable
			if int64(binary.LittleEndian.Uint32(entry[8:]))*cdSector >= i.Size {
				return short
			}
			i.BIOS = i.BIOS || platform == 0
			i.UEFI = i.UEFI || platform == 0xef
		}
	}
	return nil
}

// label is a CD's name without what a terminal or a reader could stumble over.
func label(raw []byte) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, string(raw)))
}
