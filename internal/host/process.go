package host

import "time"

// Usage is what a process has cost its computer so far.
type Usage struct {
	CPU      time.Duration // processor time, user and system, of all its threads
	Resident int64         // bytes of memory in use
	Private  int64         // bytes that no other process shares
}
