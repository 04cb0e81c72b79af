package qemu

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
)

// riscvFirmware is where a RISC-V board's firmware lies, and a kernel that needs none.
const riscvFirmware = 0x8000_0000

// CheckKernel reads what the file of a kernel says of itself: its error is why a machine with
// this processor cannot boot it. What is no ELF file may be a kernel in the processor's
// own form (an Image, a bzImage), of which only Linux's are known. Alone says that it lies
// where the board's firmware would, and so runs without.
func (a Arch) CheckKernel(file io.ReaderAt) (alone bool, err error) {
	head := make([]byte, 0x210)
	n, err := file.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return false, err
	}
	head = head[:n]
	if n == 0 {
		return false, fmt.Errorf("the file is empty")
	}
	if !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		if of := imageOf(head); of != elf.EM_NONE && of != a.ELF && !(of == elf.EM_386 && a.isPC) {
			return false, fmt.Errorf("it is a kernel for another processor (%v), and the machine has %s", of, a.Name)
		}
		return false, nil
	}
	kernel, err := elf.NewFile(file)
	if err != nil {
		return false, fmt.Errorf("it is damaged: %w", err)
	}
	defer kernel.Close()
	if kernel.Machine != a.ELF && !(kernel.Machine == elf.EM_386 && a.isPC) || kernel.Class == elf.ELFCLASS64 && a.Name == "riscv32" ||
		kernel.Class == elf.ELFCLASS32 && a.Name == "riscv64" {
		return false, fmt.Errorf(
			"it is made for another processor (%v, %v), and the machine has %s", kernel.Machine, kernel.Class, a.Name,
		)
	}
	if kernel.Type != elf.ET_EXEC && kernel.Type != elf.ET_DYN {
		return false, fmt.Errorf("it is no program but %v: link it", kernel.Type)
	}
	for _, part := range kernel.Progs {
		if part.Type == elf.PT_LOAD && part.Paddr <= riscvFirmware && riscvFirmware < part.Paddr+part.Memsz {
			alone = a.ELF == elf.EM_RISCV
		}
	}
	return alone, nil
}

// imageOf is the processor that Linux's own form of a kernel is for; EM_NONE if it is none.
func imageOf(head []byte) elf.Machine {
	for _, form := range []struct {
		at    int
		magic string
		of    elf.Machine
	}{
		{0x202, "HdrS", elf.EM_386}, // the boot protocol of both PCs' processors
		{0x38, "ARM\x64", elf.EM_AARCH64},
		{0x38, "RSC\x05", elf.EM_RISCV},
		{0x24, "\x18\x28\x6f\x01", elf.EM_ARM},
	} {
		if len(head) >= form.at+4 && string(head[form.at:form.at+4]) == form.magic {
			return form.of
		}
	}
	return elf.EM_NONE
}
