package host

import (
	"os"

	"golang.org/x/sys/unix"
)

// FirstProcessor asks the kernel for its description, of which macOS tells the model.
func FirstProcessor() (Processor, error) {
	model, err := unix.Sysctl("machdep.cpu.brand_string")
	if err != nil {
		return Processor{}, os.NewSyscallError("sysctl machdep.cpu.brand_string", err)
	}
	return Processor{Model: model + "\n"}, nil
}

// BootID names the present boot of the computer; empty if it is not known.
func BootID() string {
	id, _ := unix.Sysctl("kern.bootsessionuuid")
	return id
}
