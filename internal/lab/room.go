package lab

import (
	"fmt"
	"strings"

	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/qemu"
)

const (
	// restingMemory is what a restored machine takes of the host at its prompt, in
	// MiB, QEMU included: the rest of its memory it shares. Measured: 50 to 90 MiB.
	restingMemory = 128
	// overlayRoom is the least free disk for one machine's writes.
	overlayRoom = 200 << 20
)

// Memory is what the lab takes of the host's memory when all its machines are on, in MiB.
func (l *Lab) Memory() int {
	need := 0
	for _, m := range l.Machines() {
		need += m.config.Memory + qemu.OwnMemory
	}
	return need
}

// checkRoom checks that the host has memory and disk for the machines, before any
// of them is started. Nothing is set aside for them.
func (l *Lab) checkRoom(machines []*Machine) error {
	if len(machines) == 0 {
		return nil
	}
	need := 0
	var parts []string
	for _, m := range machines {
		one := m.config.Memory + qemu.OwnMemory
		if l.options.Resting && !l.options.Cold && m.coldBecause() == "" {
			one = min(one, restingMemory)
		}
		need += one
		parts = append(parts, fmt.Sprintf("%s %d", m.config.Name, one))
	}
	if have, err := host.AvailableMemory(); err == nil && have < need {
		return fmt.Errorf("boot: memory: %d MiB are needed (%s) and %d MiB are free: "+
			"close other programs, or give the machines less with machine(…, memory=)",
			need, strings.Join(parts, ", "), have)
	}
	room := int64(overlayRoom * len(machines))
	if free, err := host.FreeSpace(l.session.dir); err == nil && free < room {
		return fmt.Errorf("boot: disk: the machines may write %d MiB and %s has %d MiB free: "+
			"delete something there (`labrun images gc` removes unused images), "+
			"or set LABRUN_CACHE to a folder with more room",
			room>>20, l.session.dir, free>>20)
	}
	return nil
}
