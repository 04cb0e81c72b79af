package qemu

import (
	"context"
	"fmt"
	"time"

	"github.com/labrun/labrun/internal/host"
)

// Usage is what a machine has cost its host so far.
type Usage struct {
	host.Usage
	Alive time.Duration // since it was started
	// Waited is for how long its virtual CPUs were ready to run and had no processor, added
	// up; -1: the kernel does not count it.
	Waited time.Duration
}

// Usage reads the present cost.
func (p *Process) Usage() (u Usage, err error) {
	if u.Usage, err = host.ProcessUsage(p.Pid()); err != nil {
		return u, fmt.Errorf("usage of %s: %w", p.spec.Name, err)
	}
	u.Alive, u.Waited = time.Since(p.started), p.Waited()
	return u, nil
}

// CPU returns the processor time that the machine has cost so far, which is less work to learn
// than its whole usage.
func (p *Process) CPU() (time.Duration, error) { return host.ProcessCPU(p.Pid()) }

// Waited returns what Usage says of it.
func (p *Process) Waited() (waited time.Duration) {
	delays := p.Delays()
	for _, thread := range p.vcpus {
		delay, counted := delays[thread]
		if !counted {
			return -1
		}
		waited += delay
	}
	return waited
}

// Delays returns for how long each of the machine's threads, which are virtual CPUs and
// devices, was ready to run since its start and had no processor; empty where the kernel
// does not count it.
func (p *Process) Delays() map[int]time.Duration { return host.Delays(p.Pid()) }

// findVCPUs asks QEMU which of its threads are virtual CPUs; they stay the same.
func (p *Process) findVCPUs(ctx context.Context) error {
	var cpus []struct {
		Thread int `json:"thread-id"`
	}
	if err := p.Command(ctx, "query-cpus-fast", nil, &cpus); err != nil {
		return err
	}
	for _, cpu := range cpus {
		p.vcpus = append(p.vcpus, cpu.Thread)
	}
	return nil
}
