//go:build linux

// The program qemu is the fake QEMU: what it does depends on the name it is started under (package fakeqemu).
package main

import (
	"fmt"
	"os"

	"github.com/labrun/labrun/internal/labtest/fakeqemu"
)

func main() {
	fakeqemu.Main()
	fmt.Fprintln(os.Stderr, "qemu: no QEMU, but a fake of it for labrun's tests, which start it under QEMU's names")
	os.Exit(2)
}
