package host

import (
	"io/fs"
	"strings"
)

// FirstProcessor asks the kernel for its description.
func FirstProcessor() (Processor, error) { return firstProcessor(proc) }

func firstProcessor(proc fs.FS) (p Processor, err error) {
	data, err := fs.ReadFile(proc, "cpuinfo")
	if err != nil {
		return p, err
	}
	first, _, _ := strings.Cut(string(data), "\n\n")
	for line := range strings.SplitSeq(first, "\n") {
		name, value, _ := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch name {
		case "vendor_id", "cpu family", "model", "model name", "stepping":
			p.Model += name + " " + value + "\n"
		case "cpu MHz":
			p.MHz, _, _ = strings.Cut(value, ".")
		case "flags":
			p.Flags = value
		case "microcode":
			p.Microcode = value
		}
	}
	if strings.Contains(p.Flags, "aperfmperf") { // the kernel can measure the present frequency, and tells that
		p.MHz = ""
	}
	return p, nil
}

// BootID names the present boot of the computer; empty if it is not known.
func BootID() string {
	id, _ := fs.ReadFile(proc, "sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}
