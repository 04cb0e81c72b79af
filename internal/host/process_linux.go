package host

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// proc is where the kernel tells about processes and processors: proc(5).
var proc = os.DirFS("/proc")

// clockTick is the kernel's USER_HZ, which Linux fixes at 100 for user space
// (see proc(5), sysconf(_SC_CLK_TCK)).
const clockTick = 10 * time.Millisecond

// ProcessCPU returns the processor time of a process, user and system, of all its threads.
func ProcessCPU(pid int) (time.Duration, error) { return processCPU(proc, strconv.Itoa(pid)) }

func processCPU(proc fs.FS, pid string) (time.Duration, error) {
	// User and system time are the 14th and 15th field, counted from 1.
	fields, err := statFields(proc, pid)
	if err != nil {
		return 0, err
	}
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%s/stat is cut short", pid)
	}
	cpu, err := ticks(fields[11:13]...)
	if err != nil {
		return 0, fmt.Errorf("/proc/%s/stat: %w", pid, err)
	}
	return cpu, nil
}

// ProcessUsage returns what a process has cost so far. The kernel walks through all of its memory
// for that; who asks often asks for ProcessCPU.
func ProcessUsage(pid int) (Usage, error) { return processUsage(proc, strconv.Itoa(pid)) }

func processUsage(proc fs.FS, pid string) (u Usage, err error) {
	if u.CPU, err = processCPU(proc, pid); err != nil {
		return u, err
	}
	rollup, err := proc.Open(path.Join(pid, "smaps_rollup"))
	if err != nil {
		return u, err
	}
	defer rollup.Close()
	for lines := bufio.NewScanner(rollup); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "Rss:":
			u.Resident = kib << 10
		case "Private_Clean:", "Private_Dirty:":
			u.Private += kib << 10
		}
	}
	return u, nil
}

// statFields returns what the kernel tells of a process from its state on, which is the
// third field of proc(5). The second is its program's name in parentheses and may hold
// spaces and parentheses.
func statFields(proc fs.FS, pid string) ([]string, error) {
	stat, err := fs.ReadFile(proc, path.Join(pid, "stat"))
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])), nil
}

// Delays returns for how long each thread of a process was ready to run and had no
// processor, by the thread's id. That grows when others have the processors, and when a
// container's limit holds the process up; not when the whole computer is a virtual one
// and its own host is busy (see Load). Threads of which the kernel does not count it
// are left out (/proc/PID/task/TID/schedstat, see the kernel's
// Documentation/scheduler/sched-stats.rst).
func Delays(pid int) map[int]time.Duration { return delays(proc, strconv.Itoa(pid)) }

func delays(proc fs.FS, pid string) map[int]time.Duration {
	all := map[int]time.Duration{}
	files, _ := fs.Glob(proc, pid+"/task/*/schedstat") // the pattern is sound
	for _, file := range files {
		data, err := fs.ReadFile(proc, file)
		if err != nil {
			continue // the thread has ended
		}
		// Nanoseconds on a processor, nanoseconds ready to run, number of turns.
		var on, waited, turns int64
		if n, _ := fmt.Sscan(string(data), &on, &waited, &turns); n < 3 || turns == 0 {
			continue // a kernel that does not count says zeros
		}
		if thread, err := strconv.Atoi(path.Base(path.Dir(file))); err == nil {
			all[thread] = time.Duration(waited)
		}
	}
	return all
}

// ticks adds up times that are given in clock ticks.
func ticks(fields ...string) (sum time.Duration, err error) {
	for _, field := range fields {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * clockTick
	}
	return sum, nil
}
