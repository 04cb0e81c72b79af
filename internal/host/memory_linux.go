package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// cgroup is the control group of the container around us, if there is one: its own
// root looks like the whole tree to it.
var cgroup = os.DirFS("/sys/fs/cgroup")

// AvailableMemory returns what the computer, and the container around us if there is
// one, can still give, in MiB.
func AvailableMemory() (int, error) { return availableMemory(proc, cgroup) }

func availableMemory(proc, cgroup fs.FS) (int, error) {
	available, err := named(proc, "meminfo", "MemAvailable:")
	if err != nil {
		return 0, err
	}
	available <<= 10 // it is in KiB
	// There is no limit where there is no control group, or where it says "max".
	limit, limited := number(cgroup, "memory.max")
	used, known := number(cgroup, "memory.current")
	if limited == nil && known == nil {
		// The page cache counts as used there and can be given back.
		if cache, err := named(cgroup, "memory.stat", "inactive_file"); err == nil {
			used -= cache
		}
		available = min(available, limit-used)
	}
	return int(available >> 20), nil
}

// named returns the number that follows a name at the beginning of a line.
func named(tree fs.FS, file, name string) (int64, error) {
	data, err := fs.ReadFile(tree, file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				err = fmt.Errorf("%s: %s %w", file, name, err)
			}
			return n, err
		}
	}
	return 0, errors.New(file + " has no " + name)
}

// number returns the number that a file consists of.
func number(tree fs.FS, file string) (int64, error) {
	data, err := fs.ReadFile(tree, file)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
}
