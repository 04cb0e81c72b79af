package builtins

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
)

// derivation is what a machine's image has beyond the one that the script names: packages,
// files, what a script does. It is nil if there is nothing of that.
func (c *call) derivation(config lab.MachineConfig) (*image.Derivation, error) {
	d := &image.Derivation{From: config.Image, Packages: c.texts("packages")}
	if v, ok := c.value("files"); ok {
		for _, item := range v.(*starlark.Dict).Items() {
			if err := c.addFile(d, item[0], item[1]); err != nil {
				return nil, fmt.Errorf("machine: files: %w", err)
			}
		}
	}
	if name := c.text("setup"); name != "" {
		var err error
		if d.Setup, err = image.ReadSetup(c.folder.Files, path.Clean(name)); err != nil {
			return nil, fmt.Errorf("machine: setup: %w", err)
		}
	}
	switch {
	case len(d.Packages) == 0 && d.Files == nil && d.Setup == nil:
		return nil, nil
	case config.Image == "":
		return nil, errors.New("machine: packages, files and setup change an image: say which, with image =")
	case c.derivable == nil:
		return d, nil
	}
	if err := c.derivable(d); err != nil {
		return nil, fmt.Errorf("machine: %w", err)
	}
	return d, nil
}

// addFile adds what stands in files, which was checked by bind.
func (c *call) addFile(d *image.Derivation, guest, from starlark.Value) error {
	owner := ""
	if pair, ok := from.(starlark.Tuple); ok {
		from, owner = pair[0], string(pair[1].(starlark.String))
	}
	if d.Files == nil {
		d.Files = &image.Tree{}
	}
	return d.Files.Add(c.folder.Files, path.Clean(string(from.(starlark.String))), string(guest.(starlark.String)), owner)
}

// misfitFile says what is wrong with an item of a dict of files; empty if nothing is.
func misfitFile(guest, from starlark.Value) string {
	var texts []starlark.Value
	if pair, ok := from.(starlark.Tuple); ok && len(pair) == 2 {
		texts = pair
	} else {
		texts = []starlark.Value{from}
	}
	for _, v := range append(texts, guest) {
		if problem := Text.misfit(v); problem != "" {
			return fmt.Sprintf("want {\"/path/in/the/guest\": \"./path\"}, or {…: (\"./path\", \"user:group\")}: %s", strings.TrimPrefix(problem, "want a string, "))
		}
	}
	return ""
}
