package qemu

import "cmp"

// Arch is a processor that labrun has machines with.
type Arch struct {
	Name    string
	Binary  string   // the emulator's program name, looked up in PATH
	Package string   // of Debian, that has it
	CPU     string   // the model that is emulated
	Boards  []string // the usual one first
}

// Arches are all of them, the usual one first.
var Arches = []Arch{
	{"x86_64", "qemu-system-x86_64", "qemu-system-x86", "max", []string{"pc", "q35", "isapc"}},
	{"i386", "qemu-system-i386", "qemu-system-x86", "max", []string{"pc", "q35", "isapc"}},
}

// What a machine can have, the usual first.
var (
	Displays = []string{"", "vga"}
	Media    = []string{"", "floppy", "cd"}
)

// arch is the machine's processor; nil if there is no such one.
func (s Spec) arch() *Arch {
	for i := range Arches {
		if Arches[i].Name == cmp.Or(s.Arch, Arches[0].Name) {
			return &Arches[i]
		}
	}
	return nil
}

func (s Spec) board() string { return cmp.Or(s.Board, s.arch().Boards[0]) }

// machine is the board with what is switched off of it.
func (s Spec) machine() string {
	machine := s.board() + ",usb=off,vmport=off"
	if s.NoACPI {
		machine += ",acpi=off"
	}
	return machine
}
