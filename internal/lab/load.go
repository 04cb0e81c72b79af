package lab

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/labrun/labrun/internal/host"
)

// HostLoad is what the computer's processors have done since it was started.
type HostLoad struct {
	host.Load
	Others time.Duration // of Busy: for programs that are no part of this lab
}

// HostLoad returns how busy the computer is, with this lab and with other things.
func (l *Lab) HostLoad() (HostLoad, error) {
	load, err := host.Processors()
	if err != nil {
		return HostLoad{}, fmt.Errorf("load of the host: %w", err)
	}
	ours := time.Duration(0)
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} { // children: those that have ended
		var u unix.Rusage
		if err := unix.Getrusage(who, &u); err != nil {
			return HostLoad{}, fmt.Errorf("load of the host: %w", err)
		}
		ours += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	l.guests.Range(func(g, _ any) bool {
		if usage, err := g.(*guest).process.Usage(); err == nil {
			ours += usage.CPU
		}
		return true
	})
	return HostLoad{load, max(load.Busy-ours, 0)}, nil
}
