package image

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/labrun/labrun"
)

// TestOnlyOneHasTheConsole: BusyBox's init resets the modes of the terminal that it starts a program on, also when it
// starts the program again, and that is the console unless a line of its table names another. A server that is started
// so while getty reads a name leaves it with a terminal on which the password never ends: that has been in a template.
func TestOnlyOneHasTheConsole(t *testing.T) {
	// in tables, and in the recipes that add to one
	entry := regexp.MustCompile(`(?m)^(?:echo ['"])?(\w*):\w*:(respawn|askfirst|once):(\S+)`)
	recipes, tables := labrun.Images(), 0
	err := fs.WalkDir(recipes, ".", func(path string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() {
			return err
		}
		data, err := fs.ReadFile(recipes, path)
		holders := 0
		for _, line := range entry.FindAllStringSubmatch(string(data), -1) {
			switch line[1] {
			case "":
				t.Errorf("images/%s: init starts %s on the console, whose modes it resets: begin the line with null", path, line[3])
			case "ttyS0":
				holders++
			}
		}
		if strings.HasSuffix(path, "/inittab") {
			tables++
			if holders != 1 {
				t.Errorf("images/%s: %d programs are started on the console", path, holders)
			}
		}
		return err
	})
	if err != nil || tables == 0 {
		t.Fatalf("%d tables, %v", tables, err)
	}
}
