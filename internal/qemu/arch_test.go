package qemu

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/image"
)

// An image can ask for every processor and board, and for no other.
func TestArches(t *testing.T) {
	var names, boards []string
	for _, a := range Arches {
		names = append(names, a.Name)
		for _, board := range a.Boards {
			if !slices.Contains(boards, board) {
				boards = append(boards, board)
			}
		}
		if known, ok := ArchOf(a.Name); !ok || known.Binary != a.Binary {
			t.Errorf("%s is found as %+v", a.Name, known)
		}
	}
	if !slices.Equal(names, image.Arches) || !slices.Equal(boards, image.Boards) {
		t.Errorf("images know %v on %v; there are %v on %v", image.Arches, image.Boards, names, boards)
	}
	if usual, ok := ArchOf(""); !ok || usual.Name != "x86_64" {
		t.Errorf("the usual processor is %+v", usual)
	}
	if _, ok := ArchOf("pdp11"); ok {
		t.Error("there is a pdp11")
	}
}

func TestArgvOfOtherProcessors(t *testing.T) {
	for arch, want := range map[string]string{
		"x86_64":  "-machine pc,usb=off,vmport=off,dump-guest-core=off,memory-backend=ram -cpu max -serial chardev:console -serial chardev:control",
		"aarch64": "-machine virt,dump-guest-core=off,memory-backend=ram -cpu cortex-a72 -serial chardev:console -device pci-serial,chardev=control",
		"arm":     "-machine virt,highmem=off,dump-guest-core=off,memory-backend=ram -cpu cortex-a15 -serial chardev:console -device pci-serial,chardev=control",
		"riscv64": "-machine virt,dump-guest-core=off,memory-backend=ram -cpu rv64 -bios none -serial chardev:console -device pci-serial,chardev=control",
	} {
		spec := Spec{Name: "m", Arch: arch, Memory: 128, CPUs: 1, Accel: TCG, Kernel: "/k", Control: true, Alone: arch == "riscv64"}
		if err := spec.Validate(); err != nil {
			t.Error(err)
		}
		var said []string
		args := spec.Argv(Descriptors{QMP: 3, Console: 4, Control: 5})
		for i, arg := range args[:len(args)-1] {
			serial := arg == "-device" && strings.HasPrefix(args[i+1], "pci-serial")
			if serial || slices.Contains([]string{"-machine", "-cpu", "-serial", "-bios"}, arg) {
				said = append(said, arg, args[i+1])
			}
		}
		if got := strings.Join(said, " "); got != want {
			t.Errorf("%s: got  %s\nwant %s", arch, got, want)
		}
	}
}

func TestBoardsLackWhatOnlyPCsHave(t *testing.T) {
	good := Spec{Name: "m", Arch: "aarch64", Memory: 128, CPUs: 1, Accel: TCG, Kernel: "/k"}
	for says, spoil := range map[string]func(*Spec){
		"screen":          func(s *Spec) { s.Display = "vga" },
		"drive":           func(s *Spec) { s.Medium = "floppy" },
		"IDE":             func(s *Spec) { s.DiskBus = "ide" },
		"ACPI":            func(s *Spec) { s.NoACPI = true },
		`board "q35"`:     func(s *Spec) { s.Board = "q35" },
		`processor "z80"`: func(s *Spec) { s.Arch = "z80" },
	} {
		bad := good
		spoil(&bad)
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want %q", bad, err, says)
		}
	}
}

func TestMissingEmulator(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for name, says := range map[string][]string{
		"riscv64": {"qemu-system-riscv64 is not installed", "apt-get install qemu-system-misc", "labrun doctor riscv64"},
		"aarch64": {"qemu-system-aarch64 is not installed", "apt-get install qemu-system-arm", "labrun doctor aarch64"},
		"x86_64":  {"qemu-system-x86_64 is not installed", "apt-get install qemu-system-x86", "`labrun doctor`"},
	} {
		arch, _ := ArchOf(name)
		err := arch.Installed()
		if !errors.Is(err, ErrNoQEMU) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, text := range says {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %q is not said: %v", name, text, err)
			}
		}
	}
}
