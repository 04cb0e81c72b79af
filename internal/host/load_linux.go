package host

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Processors returns the load so far. It is counted in hundredths of a second.
func Processors() (Load, error) { return processors(proc) }

func processors(proc fs.FS) (l Load, err error) {
	data, err := fs.ReadFile(proc, "stat")
	if err != nil {
		return l, err
	}
	first, _, _ := strings.Cut(string(data), "\n")
	// cpu, user, nice, system, idle, iowait, irq, softirq, steal; what guests have used is
	// in user and nice as well.
	fields := strings.Fields(first)
	if len(fields) < 9 || fields[0] != "cpu" {
		return l, errors.New("/proc/stat does not begin with the processors' times")
	}
	l.Busy, err = ticks(fields[1], fields[2], fields[3], fields[6], fields[7])
	if err == nil {
		l.Stolen, err = ticks(fields[8])
	}
	if err != nil {
		return Load{}, fmt.Errorf("/proc/stat: %w", err)
	}
	return l, nil
}
