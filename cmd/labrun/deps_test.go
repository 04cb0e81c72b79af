package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/labrun/labrun"

// levels is the architecture: a package imports only packages of lower levels.
// docs/architecture.md explains it.
var levels = map[string]int{
	"/cmd/labrun":                     9,
	"/internal/cli":                   8,
	"/internal/serve":                 7,
	"/internal/grade":                 7,
	"/internal/grade/slurmtest":       1,
	"/internal/replay":                7,
	"/internal/lsp":                   6,
	"/internal/run":                   6,
	"/internal/analysis":              5,
	"/internal/mission":               5,
	"/internal/script":                4,
	"/builtins":                       3,
	"/internal/lab":                   2,
	"/internal/labtest":               3,
	"/internal/labtest/fakeqemu":      2,
	"/internal/labtest/fakeqemu/qemu": 3,
	"/internal/class":                 3,
	"/internal/qemu":                  1,
	"/internal/control":               1,
	"/internal/report":                1,
	"/internal/guide":                 1,
	"/internal/guide/terminal":        2,
	"/internal/phrase":                0,
	"/internal/handin":                2,
	"/internal/attach":                1,
	"/internal/pc":                    1,
	"/internal/console":               0,
	"/internal/screen":                0,
	"/internal/screen/screentest":     1,
	"/internal/lan":                   0,
	"/internal/image":                 1,
	"/internal/image/registrytest":    0,
	"/internal/disk":                  0,
	"/internal/workshop":              1,
	"/internal/pack":                  1,
	"/internal/event":                 0,
	"/internal/course":                0,
	"/internal/jupyterhub":            0,
	"/internal/markdown":              0,
	"/internal/guestos":               0,
	"/internal/host":                  0,
	"/web":                            0,
	"":                                0, // the embedded data
}

// starlarkUsers are the only packages that may know what a script is.
var starlarkUsers = []string{"/builtins", "/internal/script", "/internal/analysis", "/internal/mission"}

func TestImportsPointDown(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,GoFiles", module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
			GoFiles    []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(name, "/bench") || len(p.GoFiles) == 0 { // programs and tests of their own
			continue
		}
		level, ok := levels[name]
		if !ok {
			t.Errorf("package %s has no level: add it to the table here and in docs/architecture.md", p.ImportPath)
			continue
		}
		seen++
		for _, imported := range p.Imports {
			if other, ours := strings.CutPrefix(imported, module); ours && levels[other] >= level {
				t.Errorf("%s (level %d) imports %s (level %d): imports must point down", p.ImportPath, level, imported, levels[other])
			}
			if strings.HasPrefix(imported, "go.starlark.net/") && !slices.Contains(starlarkUsers, name) {
				t.Errorf("%s imports %s: only builtins, script, analysis and mission may", p.ImportPath, imported)
			}
		}
	}
	if seen != len(levels) {
		t.Errorf("%d packages were looked at, the table has %d", seen, len(levels))
	}
}
