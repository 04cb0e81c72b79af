package lab

import (
	"fmt"
	"time"

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
	ours, err := host.OwnCPU()
	if err != nil {
		return HostLoad{}, fmt.Errorf("load of the host: %w", err)
	}
	l.guests.Range(func(g, _ any) bool {
		if cpu, err := g.(*guest).process.CPU(); err == nil {
			ours += cpu
		}
		return true
	})
	return HostLoad{load, max(load.Busy-ours, 0)}, nil
}
