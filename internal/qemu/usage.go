package qemu

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a machine has cost its host so far.
type Usage struct {
	CPU      time.Duration // processor time, user and system, of all its threads
	Resident int64         // bytes of memory in use
	Private  int64         // bytes that no other process shares
	Alive    time.Duration // since it was started
}

// clockTick is the kernel's USER_HZ, which Linux fixes at 100 for user space
// (see proc(5), sysconf(_SC_CLK_TCK)).
const clockTick = 10 * time.Millisecond

// Usage reads the present cost from /proc.
func (p *Process) Usage() (Usage, error) {
	u := Usage{Alive: time.Since(p.started)}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid()))
	if err != nil {
		return u, fmt.Errorf("usage of %s: %w", p.spec.Name, err)
	}
	// The second field is the program's name in parentheses and may hold spaces;
	// user and system time are the 14th and 15th, counted from 1.
	rest := string(stat[strings.LastIndexByte(string(stat), ')')+1:])
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return u, fmt.Errorf("usage of %s: /proc/%d/stat is cut short", p.spec.Name, p.Pid())
	}
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return u, fmt.Errorf("usage of %s: %w", p.spec.Name, err)
		}
		u.CPU += time.Duration(ticks) * clockTick
	}
	rollup, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", p.Pid()))
	if err != nil {
		return u, fmt.Errorf("usage of %s: %w", p.spec.Name, err)
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
