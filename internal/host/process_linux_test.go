package host

import (
	"maps"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// files is a made-up /proc: names, each with its text after it.
func files(namesAndTexts ...string) fstest.MapFS {
	all := fstest.MapFS{}
	for i := 0; i < len(namesAndTexts); i += 2 {
		all[namesAndTexts[i]] = &fstest.MapFile{Data: []byte(namesAndTexts[i+1])}
	}
	return all
}

func TestProcessUsage(t *testing.T) {
	const stat = "7 (labrun-my pc) (x) S 1 7 7 0 -1 4194304 9 0 0 0 250 50 0 0 20 0 4 0 100 1 1\n"
	got, err := processUsage(files("7/stat", stat, "7/smaps_rollup",
		"00400000-7fff00000000 ---p 00000000 00:00 0 [rollup]\nRss:  2048 kB\nPrivate_Clean:  100 kB\nPrivate_Dirty:  24 kB\n"), "7")
	if want := (Usage{3 * time.Second, 2 << 20, 124 << 10}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for says, proc := range map[string]fstest.MapFS{
		"cut short":    files("7/stat", "7 (x) S 1 2 3"),
		"invalid":      files("7/stat", strings.Replace(stat, "250", "many", 1)),
		"smaps_rollup": files("7/stat", stat),
		"7/stat":       files(),
	} {
		if _, err := processUsage(proc, "7"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

func TestDelays(t *testing.T) {
	got := delays(files(
		"7/task/10/schedstat", "9000000000 1000000 5\n", "7/task/11/schedstat", "1 2500000000 7\n",
		"7/task/12/schedstat", "0 0 0\n", "7/task/13/schedstat", "", "7/task/14/schedstat", "a b c\n", "8/task/15/schedstat", "1 2 3\n",
	), "7")
	if want := map[int]time.Duration{10: time.Millisecond, 11: 2500 * time.Millisecond}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := delays(files(), "7"); len(got) != 0 {
		t.Errorf("where the kernel tells nothing: %v", got)
	}
}
