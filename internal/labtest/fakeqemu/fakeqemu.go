//go:build linux

// Package fakeqemu is a fake QEMU: a small emulator that takes the arguments labrun gives, speaks QMP on the socket it
// inherits, and has a guest with real shells at its console and its control port, in milliseconds. Its program is in
// the folder qemu.
//
// The emulator (emulator.go, qmp.go) is the process that labrun starts; disk.go is its disk and qemu-img. The guest
// (guest.go, init.go, card.go) is a process of its own in namespaces of its own: users, mounts, processes, host name,
// network, IPC. Its root folder is in memory, and it has the host's programs, but nothing else of the host. Its
// root is an
// ordinary user outside, also where the test is run by root. So absolute paths, host names, network cards and
// reboots mean
// there what they mean in a machine, and whatever is typed there changes nothing outside, because the kernel lets
// it not.
//
// What it cannot do: no process survives being saved. A restored shell is in the folder where it was, but has lost its
// variables; a command that was under way is gone.
package fakeqemu

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// The names under which the program is started.
const (
	emulatorName = "qemu-system-x86_64"
	imageName    = "qemu-img"
	guestName    = "fakeqemu-guest"
	pingName     = "ping"
)

// Main is the program that the process was started as, if that is one of QEMU's, and does not return then.
func Main() {
	switch filepath.Base(os.Args[0]) {
	case emulatorName:
		os.Exit(emulate(os.Args[1:]))
	case imageName:
		os.Exit(makeImage(os.Args[1:]))
	case guestName:
		guestMain()
	case pingName:
		os.Exit(ping(os.Args[1:]))
	}
}

// Install puts QEMU's programs into a folder, for PATH. Program is the one that calls Main.
func Install(program, dir string) error {
	for _, name := range []string{emulatorName, imageName} {
		if err := os.Symlink(program, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// Possible returns why there can be no guest here: nil almost everywhere, but in some containers, and where an
// administrator refuses namespaces to users (sysctl kernel.apparmor_restrict_unprivileged_userns).
var Possible = sync.OnceValue(func() error {
	trial := exec.Command("/bin/true")
	trial.SysProcAttr = confined()
	if err := trial.Run(); err != nil {
		return fmt.Errorf("the kernel grants no namespaces for a guest: %w", err)
	}
	return nil
})

// A Fault is what goes wrong with a machine.
type Fault string

// The faults. They are given by machine in the environment variable Faults, as in «mini=mute,router7=deaf».
const (
	Refuses Fault = "refuses" // QEMU refuses its arguments
	Mute    Fault = "mute"    // QEMU never greets
	Dies    Fault = "dies"    // QEMU fails when the guest has begun to boot
	Panics  Fault = "panics"  // the kernel panics while it boots, each time
	Crashes Fault = "crashes" // the kernel panics while it boots, the first time
	Stuck   Fault = "stuck"   // the boot stops after the kernel's first lines
	Hangs   Fault = "hangs"   // a restored guest does nothing
	Floods  Fault = "floods"  // the console prints for ever
	Deaf    Fault = "deaf"    // the guest does not hear the power button
	Unsaved Fault = "unsaved" // saving fails
	Endless Fault = "endless" // saving a state and loading one do not end
)

// Faults is the variable's name.
const Faults = "LABRUN_FAKE_FAULTS"
