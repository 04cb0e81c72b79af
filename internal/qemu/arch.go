package qemu

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
)

// Arch is a processor that labrun has machines with.
type Arch struct {
	Name    string
	Binary  string   // the emulator's program name, looked up in PATH
	Package string   // of Debian, that has it
	CPU     string   // the model that is emulated
	Boards  []string // the usual one first
	Console string   // what Linux calls the first serial port

	ELF    elf.Machine // what a kernel's file says that it is for
	Native []string    // the processors that execute its instructions themselves, as Go calls them

	off string // what every board has and a lab has no use for, in QEMU's words
	// LosesTimer says that the timer's next tick is not part of a saved state: a Linux that goes on from one mostly
	// stands still sooner or later (QEMU 7.2's RISC-V). A kernel that sets no timer does not mind.
	LosesTimer bool

	isPC bool // a PC has two serial ports, buses for old disks, and cards can be plugged in while it runs
}

// Arches are all of them, the usual one first. Each has booted Debian's Linux to a shell at
// its console, with a network card and a second serial port, but for riscv32, which Debian
// has none for: it is there for courses that build their own, and was never tried.
//
// The models are the plainest that Debian runs on: with -cpu max an ARM's pointers are
// signed, which is slow to emulate. A 32-bit kernel finds an ARM board's PCI only where it
// can address it.
var Arches = []Arch{
	pc("x86_64", elf.EM_X86_64, "amd64"),
	pc("i386", elf.EM_386, "amd64", "386"),
	{
		Name: "aarch64", Binary: "qemu-system-aarch64", Package: "qemu-system-arm", CPU: "cortex-a72",
		Boards: []string{"virt"}, Console: "ttyAMA0", ELF: elf.EM_AARCH64, Native: []string{"arm64"},
	},
	{
		Name: "arm", Binary: "qemu-system-arm", Package: "qemu-system-arm", CPU: "cortex-a15",
		Boards: []string{"virt"}, Console: "ttyAMA0", ELF: elf.EM_ARM, off: ",highmem=off",
	},
	{
		Name: "riscv64", Binary: "qemu-system-riscv64", Package: "qemu-system-misc", CPU: "rv64",
		Boards: []string{"virt"}, Console: "ttyS0", ELF: elf.EM_RISCV, Native: []string{"riscv64"},
		LosesTimer: true,
	},
	{
		Name: "riscv32", Binary: "qemu-system-riscv32", Package: "qemu-system-misc", CPU: "rv32",
		Boards: []string{"virt"}, Console: "ttyS0", ELF: elf.EM_RISCV,
		LosesTimer: true,
	},
	{
		// Its memory comes in pieces of 256 MiB.
		Name: "ppc64le", Binary: "qemu-system-ppc64", Package: "qemu-system-ppc", CPU: "power9",
		Boards: []string{"pseries"}, Console: "hvc0", ELF: elf.EM_PPC64, Native: []string{"ppc64le"},
	},
}

// pc is a processor that sits on a PC's boards.
func pc(name string, kernel elf.Machine, native ...string) Arch {
	return Arch{
		Name: name, Binary: "qemu-system-" + name, Package: "qemu-system-x86", CPU: "max",
		Boards: []string{"pc", "q35", "isapc"}, Console: "ttyS0", ELF: kernel, Native: native,
		off: ",usb=off,vmport=off", isPC: true,
	}
}

// ArchOf returns the processor called name, or the usual one if that is empty; false if
// there is no such one.
func ArchOf(name string) (Arch, bool) {
	i := slices.IndexFunc(Arches, func(a Arch) bool { return a.Name == cmp.Or(name, Arches[0].Name) })
	if i < 0 {
		return Arch{}, false
	}
	return Arches[i], true
}

// Fits reports whether this computer's processor can execute the guest's instructions
// itself, so that KVM is of use.
func (a Arch) Fits() bool { return slices.Contains(a.Native, runtime.GOARCH) }

// Plugs reports whether a network card can be plugged in while the machine runs, which
// templates need. The other boards could by PCI Express's own way, which takes Linux
// seconds for each card.
func (a Arch) Plugs() bool { return a.isPC }

// PowerButton reports whether the boards have one, for Process.Powerdown.
func (a Arch) PowerButton() bool { return a.ELF != elf.EM_RISCV }

// ErrNoQEMU is what an error is that says which emulator is not installed.
var ErrNoQEMU = errors.New("QEMU is not installed")

// missing says that an emulator is not installed.
type missing struct{ arch Arch }

func (e *missing) Error() string {
	return fmt.Sprintf(
		"qemu: %s is not installed: `sudo apt-get install %s qemu-utils` installs it, `labrun doctor%s` checks it",
		e.arch.Binary, e.arch.Package, e.arch.forDoctor(),
	)
}

// Is makes it an ErrNoQEMU.
func (e *missing) Is(target error) bool { return target == ErrNoQEMU }

// forDoctor is how doctor is asked for the processor, after its name.
func (a Arch) forDoctor() string {
	if a.isPC {
		return ""
	}
	return " " + a.Name
}

// Installed returns an ErrNoQEMU if the processor's emulator is not there.
func (a Arch) Installed() error {
	if _, err := exec.LookPath(a.Binary); err != nil {
		return &missing{a}
	}
	return nil
}

// What a machine can have, the usual first.
var (
	Displays = []string{"", "vga"}
	Media    = []string{"", "floppy", "cd"}
)

// arch is the machine's processor; nil if there is no such one.
func (s Spec) arch() *Arch {
	if a, ok := ArchOf(s.Arch); ok {
		return &a
	}
	return nil
}

func (s Spec) board() string { return cmp.Or(s.Board, s.arch().Boards[0]) }

// machine is the board with what is switched off of it.
func (s Spec) machine() string {
	machine := s.board() + s.arch().off
	if s.NoACPI {
		machine += ",acpi=off"
	}
	return machine
}

// suits reports what of the machine its processor's boards do not have.
func (s Spec) suits() error {
	has := ""
	switch {
	case s.arch().isPC:
		return nil
	case s.Display != "":
		has = "screen of this kind"
	case s.Medium != "":
		has = "drive for it (" + s.Medium + ")"
	case s.diskBus() == "ide":
		has = "IDE bus"
	case s.NoACPI:
		has = "ACPI that could be left out"
	default:
		return nil
	}
	return fmt.Errorf("machine %s: the board %s has no %s", s.Name, s.board(), has)
}

// serial connects a channel to the next serial port: the boards have one of their own, and a
// PC two. Where there is none left it is a card's, which Linux knows as well.
func (s Spec) serial(channel string, second bool) []string {
	if second && !s.arch().isPC {
		return []string{"-device", "pci-serial,chardev=" + channel}
	}
	if second && s.Display != "" { // it is the second one as well where the first is missing
		return []string{"-device", "isa-serial,index=1,chardev=" + channel}
	}
	return []string{"-serial", "chardev:" + channel}
}
