package guestos

import "testing"

func TestWatchPanics(t *testing.T) {
	for text, want := range map[string]string{
		"[    1.234567] Kernel panic - not syncing: VFS: no root\r\n": "Kernel panic - not syncing: VFS: no root",
		"[   12.000001][    T1] Kernel panic - not syncing: x\r\n":    "Kernel panic - not syncing: x",
		"# echo Kernel panic - not syncing: joke\r\n":                 "",
	} {
		for _, split := range []int{1, 7, 1000} {
			got := ""
			see := WatchPanics(func(line string) { got = line })
			for rest := text; rest != ""; {
				n := min(split, len(rest))
				see([]byte(rest[:n]))
				rest = rest[n:]
			}
			if got != want {
				t.Errorf("in pieces of %d, %q gives %q, want %q", split, text, got, want)
			}
		}
	}
}
