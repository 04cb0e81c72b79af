package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDisksPage checks the missions of docs/disks.md, with a lock that knows their images,
// and the commands that add them: their flags.
func TestDisksPage(t *testing.T) {
	isolate(t)
	text, err := os.ReadFile("../../docs/disks.md")
	if err != nil {
		t.Fatal(err)
	}
	snippets := regexp.MustCompile("(?ms)^```python\n(.*?)^```$").FindAllStringSubmatch(string(text), -1)
	if len(snippets) != 3 {
		t.Fatalf("%d snippets were found", len(snippets))
	}
	disk := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(disk, []byte("\xeb\xfe"+strings.Repeat("\x00", 508)+"\x55\xaa"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range regexp.MustCompile(`(?m)^labrun (images add [a-z]\w*) \S+(.*)$`).FindAllStringSubmatch(string(text), -1) {
		args := append(strings.Fields(command[1]), disk)
		for _, flag := range regexp.MustCompile(`--(\S+) ('[^']*'|\S+)`).FindAllStringSubmatch(command[2], -1) {
			if flag[1] != "member" { // there is no archive
				args = append(args, "--"+flag[1], strings.Trim(flag[2], "'"))
			}
		}
		if got := invoke(args...); got.code != 0 {
			t.Errorf("%q: exit %d: %s", args, got.code, got.err)
		}
	}
	for _, s := range snippets {
		file := write(t, "lab.star", "mission(title = \"Disks\", api = 1)\n"+s[1])
		got := invoke("check", file)
		if got.code != 0 {
			t.Errorf("exit %d: %s in\n%s", got.code, got.err, s[1])
		}
	}
}
