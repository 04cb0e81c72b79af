package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// whole is what to do about a disk of which this is a part.
const whole = "so it is not a whole disk and could show the guest any file of this machine; " +
	"make it whole with `qemu-img convert -O qcow2`"

// checkQcow2 looks at the header of a qcow2 (docs/interop/qcow2.txt in QEMU's source).
func checkQcow2(head []byte) error {
	if len(head) < 72 {
		return errors.New("the qcow2 header is cut short")
	}
	version := binary.BigEndian.Uint32(head[4:])
	if version != 2 && version != 3 {
		return fmt.Errorf("this is a qcow file of version %d; convert it with `qemu-img convert -O qcow2`", version)
	}
	if binary.BigEndian.Uint64(head[8:]) != 0 {
		return errors.New("this qcow2 has a backing file, " + whole)
	}
	if binary.BigEndian.Uint32(head[32:]) != 0 {
		return errors.New("this qcow2 is encrypted; convert it with `qemu-img convert -O qcow2`, which asks for its password")
	}
	const externalData = 1 << 2 // of the incompatible features
	if version == 3 && (len(head) < 80 || binary.BigEndian.Uint64(head[72:])&externalData != 0) {
		return errors.New("this qcow2 keeps its data in another file, " + whole)
	}
	return nil
}

// checkVMDK looks at the header of a sparse extent and the description in it (VMware's
// Virtual Disk Format 1.1). QEMU follows such a description to other files.
func checkVMDK(file io.ReaderAt, head []byte, size int64) error {
	if len(head) < sectorSize {
		return errors.New("the VMDK's header is cut short")
	}
	capacity := binary.LittleEndian.Uint64(head[12:])
	at, length := binary.LittleEndian.Uint64(head[28:]), binary.LittleEndian.Uint64(head[36:])
	overhead := binary.LittleEndian.Uint64(head[64:])
	if capacity == 0 {
		return errors.New("this VMDK keeps its data in other files, " + whole)
	}
	// QEMU looks for the description in the second sector, wherever the header says that
	// it is: both are looked at.
	for _, place := range []struct{ at, length uint64 }{{1, 20}, {min(at, 1<<40), min(length, 128)}} {
		text, err := readUpTo(file, int64(place.at)*sectorSize, int(place.length)*sectorSize)
		if err != nil {
			return err
		}
		if bytes.Contains(text, []byte("parentFileNameHint")) {
			return errors.New("this VMDK has a parent, " + whole)
		}
	}
	if size/sectorSize < int64(min(overhead, 1<<50)) {
		return errors.New("the VMDK is cut short: its tables are not whole")
	}
	return nil
}

// checkVDI looks at the header of a VDI, as VirtualBox writes them since version 1.1.
func checkVDI(head []byte, size int64) error {
	if len(head) < sectorSize {
		return errors.New("the VDI's header is cut short")
	}
	word := func(at int) int64 { return int64(binary.LittleEndian.Uint32(head[at:])) }
	parent := head[0x1a8:0x1b8]
	if kind := word(0x4c); kind != 1 && kind != 2 || !bytes.Equal(parent, make([]byte, len(parent))) {
		return errors.New("this VDI has a parent, " + whole)
	}
	data, block, blocks := word(0x158), word(0x178), word(0x184)
	if want := data + block*blocks; size < want {
		return fmt.Errorf("the VDI is cut short: it has %s of %s", Bytes(size), Bytes(want))
	}
	return nil
}

// checkVHD looks at the footer of a VHD (Microsoft's specification 1.0), which every
// kind of them has at its end.
func checkVHD(footer []byte) error {
	if !bytes.HasPrefix(footer, []byte("conectix")) {
		return errors.New("the VHD is cut short: it lacks its footer")
	}
	switch kind := binary.BigEndian.Uint32(footer[60:]); kind {
	case 2, 3: // fixed, dynamic
		return nil
	case 4:
		return errors.New("this VHD has a parent, " + whole)
	default:
		return fmt.Errorf("this is a VHD of an unknown kind, %d", kind)
	}
}
