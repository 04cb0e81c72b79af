package qemu

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Delay returns for how long the machine could have run since its start and had no
// processor: of its threads, each of which is a virtual CPU or a device, the one that
// waited longest. It grows on a busy host, and where a container's limit holds the
// machine up. 0 where the kernel does not count it (/proc/PID/task/TID/schedstat, see the
// kernel's Documentation/scheduler/sched-stats.rst).
func (p *Process) Delay() time.Duration { return delay(fmt.Sprintf("/proc/%d/task", p.Pid())) }

func delay(tasks string) (longest time.Duration) {
	files, _ := filepath.Glob(filepath.Join(tasks, "*", "schedstat")) // the pattern is sound
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		// Nanoseconds on a processor, nanoseconds ready to run, number of turns.
		if fields := strings.Fields(string(data)); len(fields) >= 2 {
			if ns, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				longest = max(longest, time.Duration(ns))
			}
		}
	}
	return longest
}
