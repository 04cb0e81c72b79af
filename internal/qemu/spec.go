package qemu

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/labrun/labrun/internal/host"
)

// Accel says what executes the guest's instructions.
type Accel string

// The accelerators that labrun uses.
const (
	KVM Accel = "kvm" // the processor, through the host's kernel
	TCG Accel = "tcg" // QEMU's own translator: works everywhere, slower
)

// OwnMemory is what QEMU needs beside the guest's memory, in MiB: code cache, device
// models, firmware. Measured: 60 to 110 MiB under TCG.
const OwnMemory = 110

// NIC is one network card of a machine.
type NIC struct {
	MAC  string // six hexadecimal pairs, 52:55:00:aa:00:10
	User bool   // QEMU's user-mode network instead of the lab's switch
}

// Spec describes a machine completely. Two equal specifications give the same
// argument vector, apart from the file descriptors that Start assigns.
type Spec struct {
	Name   string
	Arch   string // of its processor, as in Arches; empty: x86_64
	Board  string // what the processor sits on, as QEMU calls it (isapc, q35); empty: the usual one
	NoACPI bool   // x86: a system that is older than ACPI
	Memory int    // MiB
	CPUs   int    // virtual
	Accel  Accel

	// Display is what people look at: nothing but the console on the first serial port,
	// which is the default, or a screen (vga), and then that port is not there.
	Display string

	// Direct kernel boot; all three empty means that the BIOS boots the disk.
	Kernel, Initrd, Cmdline string
	Alone                   bool // no firmware runs before the kernel, which lies where that would

	// UEFI's code and this machine's own copy of its variables; both empty: a BIOS.
	UEFICode, UEFIVariables string

	Disk       string // path of the overlay; empty: none
	DiskFormat string // qcow2 or raw
	Medium     string // what the disk is: a hard disk, which is the default, floppy or cd
	DiskBus    string // how the guest finds it: virtio, which is the default, ide, sata, or virtio's scsi

	Control  bool // give it a second serial port
	Consoles int  // how many serial ports more it has, on cards of their own
	NICs     []NIC
	NICModel string // of all of them, as QEMU calls it; empty: virtio-net-pci

	// A machine that a template is made of starts without its network cards, so that
	// the state fits any lab: see Plug. So does one that comes from a template, unless
	// that was saved once they were there.
	Savable bool   // Process.Save works; with Saved its memory is a copy of that one's
	Saved   *Saved // go on from there; nil: power on
	Bare    bool   // power on without network cards; they are plugged in later, too
}

// Descriptors are the file descriptors that the process inherits, by number.
type Descriptors struct {
	QMP     int   // a connected Unix socket
	Console int   // used unless Spec.Display
	Control int   // used if Spec.Control
	NICs    []int // one for each NIC that is not User, in order
	// Consoles are those of Spec.Consoles, in order.
	Consoles []int
	Memory   int // the guest's memory, if Spec.Savable
}

// Validate reports the first thing in the specification that QEMU would refuse
// or, worse, misread.
func (s Spec) Validate() error {
	switch {
	case s.Name == "":
		return fmt.Errorf("machine specification: name is empty")
	case s.Memory < 16:
		return fmt.Errorf("machine %s: memory is %d MiB: the least is 16", s.Name, s.Memory)
	case s.CPUs < 1 || s.CPUs > 64:
		return fmt.Errorf("machine %s: %d CPUs: from 1 to 64 are possible", s.Name, s.CPUs)
	case s.Kernel == "" && s.Disk == "":
		return fmt.Errorf("machine %s: neither a kernel nor a disk to boot from", s.Name)
	case s.arch() == nil:
		return fmt.Errorf("machine %s: labrun has no machine with a processor %q", s.Name, s.Arch)
	case !slices.Contains(s.arch().Boards, s.board()):
		return fmt.Errorf("machine %s: board %q is not one that labrun knows for %s", s.Name, s.Board, s.arch().Name)
	case !slices.Contains(Displays, s.Display):
		return fmt.Errorf("machine %s: display %q is not one that labrun knows", s.Name, s.Display)
	case !slices.Contains(Media, s.Medium):
		return fmt.Errorf("machine %s: medium %q is not one that labrun knows", s.Name, s.Medium)
	case s.Accel != KVM && s.Accel != TCG:
		return fmt.Errorf("machine %s: accelerator %q: want kvm or tcg", s.Name, s.Accel)
	case disks[s.diskBus()] == nil:
		return fmt.Errorf("machine %s: disk bus %q is not one that labrun knows", s.Name, s.DiskBus)
	case !slices.Contains(nicModels, s.nicModel()):
		return fmt.Errorf("machine %s: network card %q is not one that labrun knows", s.Name, s.NICModel)
	case s.nicModel() == isaNIC && len(s.NICs) > len(isaNICs):
		return fmt.Errorf("machine %s: %d cards: of %s there can be %d", s.Name, len(s.NICs), isaNIC, len(isaNICs))
	case s.board() == "isapc" && (len(s.NICs) > 0 && s.nicModel() != isaNIC || s.Medium == "" && s.diskBus() != "ide"):
		return fmt.Errorf("machine %s: the board isapc is older than PCI: its disk is on ide, its cards are %s", s.Name, isaNIC)
	case s.board() == "isapc" && s.Consoles > 0:
		return fmt.Errorf("machine %s: the board isapc is older than PCI: there are no cards with serial ports for it", s.Name)
	case s.board() == "q35" && s.Medium == "floppy":
		return fmt.Errorf("machine %s: the board q35 has no floppy drive: pc has one", s.Name)
	case (s.UEFICode == "") != (s.UEFIVariables == ""):
		return fmt.Errorf("machine %s: UEFI needs code and variables", s.Name)
	case s.Savable && s.Saved != nil && (s.Saved.Memory == "" || s.Saved.Wired):
		return fmt.Errorf("machine %s: only what has no network cards yet can be saved as a template", s.Name)
	}
	return s.suits()
}

// Argv returns the arguments for the processor's emulator, without the program name.
// It is a pure function of the specification and the descriptors.
func (s Spec) Argv(fds Descriptors) []string {
	// The memory has one name, wherever it is: a saved state refers to it.
	memory := fmt.Sprintf("id=ram,size=%dM", s.Memory)
	switch {
	case s.Savable:
		memory = fmt.Sprintf("memory-backend-file,%s,share=on,mem-path=%s", memory, host.DescriptorPath(fds.Memory))
	case s.Saved != nil && s.Saved.Memory != "":
		memory = "memory-backend-file," + memory + ",share=off,mem-path=" + escape(s.Saved.Memory)
		if s.Saved.ReadOnly {
			memory += ",readonly=on,rom=off" // the file only: the guest writes to pages of its own
		}
	default:
		memory = "memory-backend-ram," + memory
	}
	args := []string{
		"-name", escape(s.Name) + ",process=labrun-" + escape(s.Name),
		"-nodefaults", "-no-user-config", "-display", "none", "-vga", s.vga(),
		// A guest that breaks out of QEMU can start no process and gain no rights.
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		"-machine", s.machine() + ",dump-guest-core=off,memory-backend=ram",
		"-m", fmt.Sprint(s.Memory),
		"-smp", fmt.Sprint(s.CPUs),
		"-object", memory,
	}
	if s.Saved != nil {
		args = append(args, "-S", "-incoming", "defer")
	}
	if s.Accel == KVM {
		args = append(args, "-accel", "kvm", "-cpu", "host")
	} else {
		args = append(args, "-accel", "tcg,thread=multi,tb-size=256", "-cpu", s.arch().CPU)
	}
	if s.Kernel != "" {
		args = append(args, "-kernel", s.Kernel, "-append", s.Cmdline)
		if s.Initrd != "" {
			args = append(args, "-initrd", s.Initrd)
		}
		if s.Alone {
			args = append(args, "-bios", "none")
		}
	}
	args = append(args,
		"-chardev", fmt.Sprintf("socket,id=qmp,fd=%d", fds.QMP),
		"-mon", "chardev=qmp,mode=control",
	)
	if s.Display == "" {
		args = append(args,
			"-chardev", fmt.Sprintf("socket,id=console,fd=%d", fds.Console))
		args = append(args, s.serial("console", false)...)
	} else {
		// Viewers come over channels that are handed to QEMU: see Process.Viewer.
		args = append(args, "-vnc", "none")
		if s.tablet() {
			args = append(args, "-device", "piix3-usb-uhci,id=usb", "-device", "usb-tablet,bus=usb.0")
		}
	}
	if s.Control {
		args = append(args,
			"-chardev", fmt.Sprintf("socket,id=control,fd=%d", fds.Control))
		args = append(args, s.serial("control", true)...)
	}
	if s.board() != "isapc" { // which has no PCI
		args = append(args, "-device", "virtio-rng-pci")
	}
	if s.UEFICode != "" {
		args = append(args,
			"-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+escape(s.UEFICode),
			"-drive", "if=pflash,unit=1,format=raw,cache=unsafe,file="+escape(s.UEFIVariables))
	}
	if s.Disk != "" {
		access := ""
		if s.Medium == "cd" {
			access = ",readonly=on"
		}
		// A lab's disk is thrown away with the run: nothing on it needs to
		// survive a power cut, so flushes cost nothing.
		args = append(args,
			"-drive", "if=none,id=disk,cache=unsafe,discard=unmap,format="+s.DiskFormat+access+",file="+escape(s.Disk))
		if s.Medium == "floppy" {
			args = append(args, "-boot", "order=a") // a floppy has no boot index
		}
		for _, device := range s.diskDevices() {
			args = append(args, "-device", device)
		}
	}
	next := 0
	for i, nic := range s.NICs {
		id := fmt.Sprintf("nic%d", i)
		if nic.User && s.unplugged() {
			continue // its network is part of what is saved, and a template is for machines with and without one
		}
		if nic.User {
			args = append(args, "-netdev", "user,id="+id)
		} else {
			args = append(args, "-netdev", fmt.Sprintf("stream,id=%s,addr.type=fd,addr.str=%d", id, fds.NICs[next]))
			next++
		}
		if !s.unplugged() {
			args = append(args, "-device", s.nicDevice(i, id, nic.MAC))
		}
	}
	// Last, as they are plugged in: a saved state knows each card by its place.
	for i := range s.Consoles {
		args = append(args, "-chardev", fmt.Sprintf("socket,id=%s,fd=%d", consolePort(i), fds.Consoles[i]))
		if !s.unplugged() {
			args = append(args, "-device", serialCard+",chardev="+consolePort(i))
		}
	}
	return args
}

// disks are the devices that give a guest its disk, by bus.
var disks = map[string][]string{
	"virtio": {"virtio-blk-pci,drive=disk,bootindex=1"},
	"ide":    {"ide-hd,bus=ide.0,drive=disk,bootindex=1"}, // the machine has this bus
	"sata":   {"ahci,id=sata", "ide-hd,bus=sata.0,drive=disk,bootindex=1"},
	"scsi":   {"virtio-scsi-pci,id=scsi", "scsi-hd,bus=scsi.0,drive=disk,bootindex=1"},
}

// vga is the card that the screen is connected to.
func (s Spec) vga() string {
	if s.Display == "" {
		return "none"
	}
	return "std"
}

// tablet reports whether the machine has a pointer that can be put to a place, by USB, besides the usual mouse.
func (s Spec) tablet() bool { return s.Display != "" && s.board() != "isapc" }

// diskDevices are the devices that give the guest its disk.
func (s Spec) diskDevices() []string {
	switch s.Medium {
	case "floppy":
		return []string{"floppy,drive=disk"}
	case "cd":
		return []string{"ide-cd,bus=ide.0,drive=disk,bootindex=1"}
	}
	return disks[s.diskBus()]
}

// serialCard is the card with a serial port: its driver is in every Linux kernel of Debian's, also where the guest has no
// modules at hand, and a PC finds it while it runs.
const serialCard = "pci-serial"

// consolePort names the channel of further console i.
func consolePort(i int) string { return fmt.Sprintf("console%d", i+1) }

var nicModels = []string{"virtio-net-pci", "e1000", "e1000e", "rtl8139", "pcnet", "ne2k_pci", "ne2k_isa"}

// isaNICs are where a driver looks for the cards of a machine without PCI, and the
// interrupts that it expects of them.
var isaNICs = []string{
	"iobase=0x300,irq=9", "iobase=0x320,irq=10", "iobase=0x340,irq=11", "iobase=0x360,irq=3", "iobase=0x280,irq=4",
	"iobase=0x380,irq=5",
}

// nicDevice is the ith network card.
func (s Spec) nicDevice(i int, netdev, mac string) string {
	if s.nicModel() == isaNIC {
		return fmt.Sprintf("%s,netdev=%s,mac=%s,%s", isaNIC, netdev, mac, isaNICs[i])
	}
	// No option ROM: it would cost seconds of emulated boot and no lab boots from the network.
	return fmt.Sprintf("%s,netdev=%s,mac=%s,romfile=", s.nicModel(), netdev, mac)
}

// isaNIC is the card of machines that are older than PCI.
const isaNIC = "ne2k_isa"

func (s Spec) diskBus() string  { return cmp.Or(s.DiskBus, "virtio") }
func (s Spec) nicModel() string { return cmp.Or(s.NICModel, nicModels[0]) }

// unplugged reports whether the machine starts without its network cards.
func (s Spec) unplugged() bool {
	return s.Bare || s.Savable || s.Saved != nil && s.Saved.Memory != "" && !s.Saved.Wired
}

// escape doubles the commas of a value inside a QEMU option list.
func escape(value string) string { return strings.ReplaceAll(value, ",", ",,") }
