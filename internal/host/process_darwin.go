package host

import (
	"errors"
	"time"
)

// errUsage: what another process has cost is told on macOS through C libraries alone.
var errUsage = errors.New("what a process costs is not known on macOS")

// ProcessUsage fails.
func ProcessUsage(pid int) (Usage, error) { return Usage{}, errUsage }

// ProcessCPU fails.
func ProcessCPU(pid int) (time.Duration, error) { return 0, errUsage }

// Delays knows of no thread: macOS does not count for how long one was ready to run.
func Delays(pid int) map[int]time.Duration { return nil }
