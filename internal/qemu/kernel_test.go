package qemu

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"
)

// kernelFile is an ELF file with one part, which is to be loaded at an address.
func kernelFile(t *testing.T, machine elf.Machine, kind elf.Type, at uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	header := elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(kind), Machine: uint16(machine), Version: 1, Entry: at,
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64,
	}
	part := elf.Prog64{Type: uint32(elf.PT_LOAD), Off: 0, Paddr: at, Vaddr: at, Filesz: 16, Memsz: 4096}
	for _, v := range []any{header, part} {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestCheckKernel(t *testing.T) {
	image := func(at int, magic string) []byte {
		data := make([]byte, 1024)
		copy(data[at:], magic)
		return data
	}
	for name, c := range map[string]struct {
		arch  string
		file  []byte
		alone bool
		says  string // empty: it boots
	}{
		"riscv64, alone":        {"riscv64", kernelFile(t, elf.EM_RISCV, elf.ET_EXEC, 0x80000000), true, ""},
		"riscv64, on OpenSBI":   {"riscv64", kernelFile(t, elf.EM_RISCV, elf.ET_EXEC, 0x80200000), false, ""},
		"aarch64":               {"aarch64", kernelFile(t, elf.EM_AARCH64, elf.ET_EXEC, 0x40080000), false, ""},
		"another processor":     {"aarch64", kernelFile(t, elf.EM_RISCV, elf.ET_EXEC, 0x80000000), false, "another processor (EM_RISCV"},
		"of another width":      {"riscv32", kernelFile(t, elf.EM_RISCV, elf.ET_EXEC, 0x80000000), false, "another processor"},
		"not linked":            {"riscv64", kernelFile(t, elf.EM_RISCV, elf.ET_REL, 0), false, "link it"},
		"truncated":             {"riscv64", kernelFile(t, elf.EM_RISCV, elf.ET_EXEC, 0x80000000)[:40], false, "damaged"},
		"empty":                 {"riscv64", nil, false, "empty"},
		"Linux for ARM":         {"aarch64", image(0x38, "ARM\x64"), false, ""},
		"Linux for RISC-V":      {"riscv64", image(0x38, "RSC\x05"), false, ""},
		"Linux for another":     {"riscv64", image(0x38, "ARM\x64"), false, "another processor"},
		"a bzImage":             {"x86_64", image(0x202, "HdrS"), false, ""},
		"a bzImage for another": {"aarch64", image(0x202, "HdrS"), false, "another processor"},
		"unknown":               {"aarch64", image(0, "hello"), false, ""},
	} {
		arch, _ := ArchOf(c.arch)
		alone, err := arch.CheckKernel(bytes.NewReader(c.file))
		if alone != c.alone || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: alone %v, %v; want %v, %q", name, alone, err, c.alone, c.says)
		}
	}
}
