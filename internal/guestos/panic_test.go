package guestos

import (
	"strings"
	"testing"
)

func TestWatchPanics(t *testing.T) {
	for text, want := range map[string]string{
		"[    1.234567] Kernel panic - not syncing: VFS: no root\r\n": "Kernel panic - not syncing: VFS: no root",
		"[   12.000001][    T1] Kernel panic - not syncing: x\r\n":    "Kernel panic - not syncing: x",
		"[   12.000001] Oops: Oops: 0002 [#1] SMP\r\n[   12.000002] RIP: 0010:old+0x1/0x2\r\n" +
			"[   99.000001] BUG: kernel NULL pointer dereference, address: 0000000000000010\r\n[   99.000002] Oops: Oops: 0000 [#2] SMP\r\n" +
			"[   99.000003] RIP: 0010:greet+0x1a/0x30\r\n[   99.000004] Kernel panic - not syncing: Fatal exception in interrupt\r\n": //
		"Kernel panic - not syncing: Fatal exception in interrupt (BUG: kernel NULL pointer dereference, address: 0000000000000010, in greet+0x1a)",
		"[    9.000001] Unable to handle kernel paging request at virtual address 0008\r\n[    9.000003] epc : greet+0x8/0x30\r\n" +
			"[    9.000004] Kernel panic - not syncing: Fatal exception\r\n": //
		"Kernel panic - not syncing: Fatal exception (Unable to handle kernel paging request at virtual address 0008, in greet+0x8)",
		"[    9.000001] Oops: Oops: 0002 [#1] SMP\r\n[   90.000001] Kernel panic - not syncing: sysrq triggered crash\r\n"://
		"Kernel panic - not syncing: sysrq triggered crash",
		"/ # " + strings.Repeat("\x1b[1;1H~", 300) + "[    1.234567] Kernel panic - not syncing: x\r\n": "Kernel panic - not syncing: x",
		"# echo Kernel panic - not syncing: joke\r\n":                                                   "",
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
