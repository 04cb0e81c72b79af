package host

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

func TestAvailableMemory(t *testing.T) {
	mib := func(n int) string { return fmt.Sprint(n<<20, "\n") }
	proc := files("meminfo", "MemTotal: 9000000 kB\nMemFree: 1 kB\nMemAvailable:  4096000 kB\n")
	for what, test := range map[string]struct {
		cgroup fstest.MapFS
		want   int
	}{
		"no container":          {files(), 4000},
		"one without a limit":   {files("memory.max", "max\n", "memory.current", "5\n"), 4000},
		"a limit":               {files("memory.max", mib(1000), "memory.current", mib(300)), 700},
		"a cache that can go":   {files("memory.max", mib(9), "memory.current", mib(9), "memory.stat", "file 7\ninactive_file "+mib(2)), 2},
		"a limit that is wider": {files("memory.max", mib(9000), "memory.current", mib(1)), 4000},
	} {
		if got, err := availableMemory(proc, test.cgroup); err != nil || got != test.want {
			t.Errorf("%s: %d MiB, %v; want %d", what, got, err, test.want)
		}
	}
	for says, meminfo := range map[string]string{"no MemAvailable": "MemFree: 1 kB\n", "invalid": "MemAvailable: much kB\n"} {
		if got, err := availableMemory(files("meminfo", meminfo), files()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %d, %v, want %q", meminfo, got, err, says)
		}
	}
	if have, err := AvailableMemory(); err != nil || have < 1 {
		t.Errorf("this computer: %d MiB, %v", have, err)
	}
}
