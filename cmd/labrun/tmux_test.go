package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestGuideInTmux: the guide in one pane, three consoles in others, as --tmux opens
// them; what is typed at a console is seen by the guide. The panes as they were at
// the end are in the test's log.
func TestGuideInTmux(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines: run without -short")
	}
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Fatal("tmux is missing: `labrun doctor --mend` installs it")
	}
	folder := t.TempDir()
	tmux := func(args ...string) string {
		command := exec.Command("tmux", append([]string{"-S", filepath.Join(folder, "socket")}, args...)...)
		command.Env = append(os.Environ(), "XDG_STATE_HOME="+folder, "LC_ALL=C.UTF-8", "TERM=xterm")
		out, err := command.CombinedOutput()
		if err != nil {
			t.Logf("tmux %s: %v: %s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	screen := func(pane string) string { return tmux("capture-pane", "-p", "-S", "-", "-t", pane) }
	panes := map[string]string{}
	sees := func(pane, text string) {
		t.Helper()
		eventually(t, patience, func() bool {
			return strings.Contains(strings.Join(strings.Fields(screen(panes[pane])), " "), text)
		}, func() string {
			return fmt.Sprintf("the pane %s never shows %q, only:\n%s", pane, text, screen(panes[pane]))
		})
	}
	types := func(pane, line string) { tmux("send-keys", "-t", panes[pane], line, "Enter") }

	tmux("new-session", "-d", "-x", "170", "-y", "50", "labrun", "--guide", "--tmux", "--lang", "zh-TW", "../../missions/week1.star")
	t.Cleanup(func() { tmux("kill-server") })
	eventually(t, patience, func() bool {
		for line := range strings.Lines(tmux("list-panes", "-F", "#{pane_title} #{pane_id}")) {
			if title, id, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				panes[title] = id
			}
		}
		return panes["labrun"] != "" && panes["router7"] != "" && panes["debian"] != "" && panes["alpine"] != ""
	}, func() string { return fmt.Sprintf("the panes are %v", panes) })

	sees("labrun", "問題：兩種泡泡，哪一種有自己的核心？")
	types("labrun", "2")
	sees("labrun", "答對了。")
	sees("labrun", "啟動 router7：")
	sees("router7", "router7 還沒開機。按 Enter 開機")
	sees("alpine", "按 Enter 開機")
	types("alpine", "")
	sees("alpine", "還沒輪到 alpine")
	types("router7", "")
	sees("router7", "activate this console")
	types("router7", "")
	sees("labrun", "在 router7 上輸入： ip a")
	types("router7", "ip a")
	sees("router7", "lan0")
	there := time.Now()
	sees("labrun", "第 2 步完成。")
	t.Logf("the guide's pane showed it %v after the console's did", time.Since(there).Round(10*time.Millisecond))
	sees("labrun", "啟動 debian：")
	types("labrun", "skip")
	sees("labrun", "第 3 步由 labrun 代你完成。")
	sees("debian", "root@os25")
	for name, pane := range panes {
		t.Logf("pane %s:\n%s", name, strings.TrimRight(screen(pane), "\n"))
	}
	types("labrun", "quit")
	eventually(t, patience, func() bool { return !strings.Contains(tmux("list-sessions"), "windows") },
		func() string { return "tmux goes on after the guide has ended: " + tmux("list-panes") })
}
