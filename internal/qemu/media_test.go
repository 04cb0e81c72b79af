package qemu

import (
	"strings"
	"testing"
)

// What old systems and foreign disks need, in the words of QEMU's command line.
func TestMedia(t *testing.T) {
	nic := []NIC{{MAC: "M", User: true}, {MAC: "N", User: true}}
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{
			Spec{Medium: "floppy", Disk: "/d", DiskFormat: "qcow2"},
			"-drive if=none,id=disk,cache=unsafe,discard=unmap,format=qcow2,file=/d -boot order=a -device floppy,drive=disk",
		},
		{
			Spec{Medium: "cd", Disk: "/d", DiskFormat: "qcow2"},
			"format=qcow2,readonly=on,file=/d -device ide-cd,bus=ide.0,drive=disk,bootindex=1",
		},
		{
			Spec{Board: "isapc", Medium: "floppy", Disk: "/d", DiskFormat: "raw", NICModel: "ne2k_isa", NICs: nic},
			"-device ne2k_isa,netdev=nic0,mac=M,iobase=0x300,irq=9 -netdev user,id=nic1 -device ne2k_isa,netdev=nic1,mac=N,iobase=0x320,irq=10",
		},
		{
			Spec{DiskBus: "ide", Disk: "/d", DiskFormat: "raw", NICModel: "pcnet", NICs: nic},
			"-device pcnet,netdev=nic0,mac=M,romfile=",
		},
		{
			Spec{Disk: "/d", DiskFormat: "raw", UEFICode: "/c", UEFIVariables: "/a,b"},
			"-drive if=pflash,unit=0,format=raw,readonly=on,file=/c -drive if=pflash,unit=1,format=raw,cache=unsafe,file=/a,,b",
		},
		{Spec{NoACPI: true, Disk: "/d", DiskFormat: "raw"}, "-machine pc,usb=off,vmport=off,acpi=off,"},
	} {
		c.spec.Name, c.spec.Memory, c.spec.CPUs, c.spec.Accel, c.spec.Display = "m", 64, 1, TCG, "vga"
		if err := c.spec.Validate(); err != nil {
			t.Errorf("%+v: %v", c.spec, err)
		}
		if line := strings.Join(c.spec.Argv(Descriptors{}), " "); !strings.Contains(line, c.want) {
			t.Errorf("%s has no %s", line, c.want)
		}
	}
	for says, spec := range map[string]Spec{
		"older than PCI":           {Board: "isapc", NICModel: "pcnet", NICs: nic, Disk: "/d", DiskBus: "ide"},
		"disk is on ide":           {Board: "isapc", Disk: "/d"},
		"7 cards: of ne2k_isa":     {NICModel: "ne2k_isa", NICs: make([]NIC, 7), Disk: "/d"},
		"no floppy drive":          {Board: "q35", Medium: "floppy", Disk: "/d"},
		"needs code and variables": {Disk: "/d", UEFIVariables: "/v"},
	} {
		spec.Name, spec.Memory, spec.CPUs, spec.Accel = "m", 64, 1, TCG
		if err := spec.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v", says, err)
		}
	}
}
