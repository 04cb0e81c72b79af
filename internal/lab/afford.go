package lab

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// EmulatorMemory is what QEMU needs beside the guest's memory, in MiB: code
	// cache, device models, firmware. Measured: 60 to 110 MiB under TCG.
	EmulatorMemory = 110
	// restingMemory is what a restored machine takes of the host at its prompt, in
	// MiB, QEMU included: the rest of its memory it shares. Measured: 50 to 90 MiB.
	restingMemory = 128
	// overlayRoom is the least free disk for one machine's writes.
	overlayRoom = 200 << 20
)

// afford checks that the host has memory and disk for the machines, before any
// of them is started.
func (l *Lab) afford(machines []*Machine) error {
	if len(machines) == 0 {
		return nil
	}
	need := 0
	var parts []string
	for _, m := range machines {
		one := m.config.Memory + EmulatorMemory
		if l.options.Resting && !l.options.Cold && m.coldBecause() == "" {
			one = min(one, restingMemory)
		}
		need += one
		parts = append(parts, fmt.Sprintf("%s %d", m.config.Name, one))
	}
	if have, err := AvailableMemory(); err == nil && have < need {
		return fmt.Errorf("boot: memory: %d MiB are needed (%s) and %d MiB are free: close other programs, or give the machines less with machine(…, memory=)",
			need, strings.Join(parts, ", "), have)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(l.session.dir, &fs); err == nil {
		free, room := int64(fs.Bavail)*fs.Bsize, int64(overlayRoom*len(machines))
		if free < room {
			return fmt.Errorf("boot: disk: the machines may write %d MiB and %s has %d MiB free: delete something there (`labrun images gc` removes unused images), or set LABRUN_CACHE to a folder with more room",
				room>>20, l.session.dir, free>>20)
		}
	}
	return nil
}

// AvailableMemory returns what the host, and the container around us if there is
// one, can still give, in MiB.
func AvailableMemory() (int, error) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	available := -1
	for lines := bufio.NewScanner(strings.NewReader(string(data))); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 2 && fields[0] == "MemAvailable:" {
			kib, err := strconv.Atoi(fields[1])
			if err != nil {
				return 0, err
			}
			available = kib >> 10
		}
	}
	if available < 0 {
		return 0, fmt.Errorf("/proc/meminfo has no MemAvailable")
	}
	limit, err := readNumber("/sys/fs/cgroup/memory.max")
	if err != nil {
		return available, nil // no limit, or no cgroup
	}
	used, err := readNumber("/sys/fs/cgroup/memory.current")
	if err != nil {
		return available, nil
	}
	// Page cache counts as used there and can be given back.
	used -= cgroupFileCache()
	return min(available, int((limit-used)>>20)), nil
}

func cgroupFileCache() int64 {
	data, _ := os.ReadFile("/sys/fs/cgroup/memory.stat")
	for _, line := range strings.Split(string(data), "\n") {
		if rest, ok := strings.CutPrefix(line, "inactive_file "); ok {
			n, _ := strconv.ParseInt(rest, 10, 64)
			return n
		}
	}
	return 0
}

func readNumber(path string) (int64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
}

// derivedMAC makes a locally administered address under the lab's prefix.
func derivedMAC(machine string, card, salt int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d", machine, card, salt))
	return fmt.Sprintf("52:55:00:%02x:%02x:%02x", sum[0], sum[1], sum[2])
}
