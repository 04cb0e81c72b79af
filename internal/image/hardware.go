package image

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Hardware is the machine that an image wants. What is zero is not said.
type Hardware struct {
	Memory   int    `toml:"memory" json:"memory,omitempty"`       // MiB that suffice
	CPUs     int    `toml:"cpus" json:"cpus,omitempty"`           // virtual CPUs that pay off
	NICModel string `toml:"nic_model" json:"nic_model,omitempty"` // one of [NICModels]; not said: the first
	DiskBus  string `toml:"disk_bus" json:"disk_bus,omitempty"`   // one of [DiskBuses]; not said: the first
	Display  string `toml:"display" json:"display,omitempty"`     // one of [Displays]; not said: none, but a console on a serial port
	Medium   string `toml:"medium" json:"medium,omitempty"`       // one of [Media]; not said: a hard disk
	Arch     string `toml:"arch" json:"arch,omitempty"`           // the processor; not said: x86_64
	Board    string `toml:"board" json:"board,omitempty"`         // as QEMU calls it; not said: the processor's usual one
	NoACPI   bool   `toml:"no_acpi" json:"no_acpi,omitempty"`     // for systems that are older
	Firmware string `toml:"firmware" json:"firmware,omitempty"`   // one of [Firmwares]; not said: the processor's usual one
}

// The network cards and disks that a machine can have: virtio, which our own
// images have drivers for, and what systems without those know.
var (
	NICModels = []string{"virtio-net-pci", "e1000", "e1000e", "rtl8139", "pcnet", "ne2k_pci", "ne2k_isa"}
	DiskBuses = []string{"virtio", "ide", "sata", "scsi"}
	Displays  = []string{"vga", "none"}
	Media     = []string{"disk", "floppy", "cd"}
	Arches    = []string{"x86_64", "i386", "aarch64", "arm", "riscv64", "riscv32", "ppc64le"}
	Boards    = []string{"pc", "q35", "isapc", "virt", "pseries"}
	Firmwares = []string{"bios", "uefi"}
)

// or fills in what h does not say.
func (h Hardware) or(other Hardware) Hardware {
	return Hardware{
		cmp.Or(h.Memory, other.Memory), cmp.Or(h.CPUs, other.CPUs),
		cmp.Or(h.NICModel, other.NICModel), cmp.Or(h.DiskBus, other.DiskBus),
		cmp.Or(h.Display, other.Display), cmp.Or(h.Medium, other.Medium),
		cmp.Or(h.Arch, other.Arch), cmp.Or(h.Board, other.Board), h.NoACPI || other.NoACPI,
		cmp.Or(h.Firmware, other.Firmware),
	}
}

// fitted is what a machine gets: parts that go with others, and nothing said for what is
// usual, which may have been said to undo what another says.
func (h Hardware) fitted() Hardware {
	for part, usual := range map[*string]string{&h.Display: "none", &h.Medium: "disk", &h.Firmware: "bios"} {
		if *part == usual {
			*part = ""
		}
	}
	if h.Board == "isapc" { // which is older than PCI, whatever was guessed without it
		h.NICModel, h.DiskBus = "ne2k_isa", "ide"
	}
	return h
}

// Describe says it all, for people; cards and disk only if they are not the usual ones.
func (h Hardware) Describe() string {
	parts := []string{fmt.Sprintf("%d MiB", h.Memory), "1 CPU"}
	if h.CPUs != 1 {
		parts[1] = fmt.Sprintf("%d CPUs", h.CPUs)
	}
	if model := cmp.Or(h.NICModel, NICModels[0]); model != NICModels[0] {
		parts = append(parts, "network cards "+model)
	}
	if bus := cmp.Or(h.DiskBus, DiskBuses[0]); bus != DiskBuses[0] {
		parts = append(parts, "disk on "+bus)
	}
	for _, part := range []string{h.Medium, h.Board, h.Arch, h.Firmware} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if h.NoACPI {
		parts = append(parts, "no ACPI")
	}
	if h.Display != "" {
		parts = append(parts, "a screen ("+h.Display+")")
	}
	return strings.Join(parts, ", ")
}

// Validate reports all that no machine can have.
func (h Hardware) Validate() error {
	var faults []error
	h.check(func(_, format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) })
	return errors.Join(faults...)
}

// check calls bad for each part that no machine can have.
func (h Hardware) check(bad func(key, format string, args ...any)) {
	if h.Memory != 0 && (h.Memory < 16 || h.Memory > 1<<20) {
		bad("memory", "memory is %d MiB; it must be from 16 to 1048576", h.Memory)
	}
	if h.CPUs != 0 && (h.CPUs < 1 || h.CPUs > 64) {
		bad("cpus", "cpus is %d; it must be from 1 to 64", h.CPUs)
	}
	if h.NICModel != "" && !slices.Contains(NICModels, h.NICModel) {
		bad("nic_model", "there is no network card %q; it is one of %s", h.NICModel, strings.Join(NICModels, ", "))
	}
	if h.DiskBus != "" && !slices.Contains(DiskBuses, h.DiskBus) {
		bad("disk_bus", "there is no disk bus %q; it is one of %s", h.DiskBus, strings.Join(DiskBuses, ", "))
	}
	if h.Board == "isapc" && (h.NICModel != "" && h.NICModel != "ne2k_isa" || h.DiskBus != "" && h.DiskBus != "ide") {
		bad("board", "the board isapc is older than PCI: its network cards are ne2k_isa, its disk is on ide")
	}
	if h.Board == "q35" && h.Medium == "floppy" {
		bad("board", "the board q35 has no floppy drive; pc has one")
	}
	for _, part := range []struct {
		key, value string
		known      []string
	}{
		{"display", h.Display, Displays}, {"medium", h.Medium, Media}, {"arch", h.Arch, Arches}, {"board", h.Board, Boards},
		{"firmware", h.Firmware, Firmwares},
	} {
		if part.value != "" && !slices.Contains(part.known, part.value) {
			bad(part.key, "there is no %s %q; it is one of %s", part.key, part.value, strings.Join(part.known, ", "))
		}
	}
}
