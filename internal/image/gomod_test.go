package image

import (
	"archive/zip"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// moduleProxy makes a folder that serves example.org/kernel@v1.2.3 as a Go
// module proxy, and has the go command use it and nothing else.
func moduleProxy(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Fatal("the go command is not in PATH")
	}
	proxy, modules := t.TempDir(), t.TempDir()
	const goMod = "module example.org/kernel\n"
	err := os.CopyFS(proxy, fstest.MapFS{
		"example.org/kernel/@v/v1.2.3.info": {Data: []byte(`{"Version":"v1.2.3"}`)},
		"example.org/kernel/@v/v1.2.3.mod":  {Data: []byte(goMod)},
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(proxy, "example.org/kernel/@v/v1.2.3.zip"))
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(f)
	for name, text := range map[string]string{"go.mod": goMod, "vmlinuz": "a kernel", "a/b.go": "package b\n", "a.txt": "sorted before a/b.go\n"} {
		part, err := w.Create("example.org/kernel@v1.2.3/" + name)
		if err == nil {
			_, err = part.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOPROXY", "file://"+proxy)
	t.Setenv("GONOPROXY", "none")
	t.Setenv("GOPRIVATE", "")
	t.Setenv("GOMODCACHE", modules)
	t.Cleanup(func() { // the go command leaves its folders read-only
		filepath.WalkDir(modules, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				os.Chmod(path, 0o755)
			}
			return err
		})
	})
}

// kernelLock has an image whose recipe is given that module.
func kernelLock(t *testing.T, sum string) *Lock {
	t.Helper()
	text := goodLock[:strings.Index(goodLock, "[[images.box.sources]]")] + `[[images.box.sources]]
recipe = "kernel"
inputs = [{ name = "kernel", gomod = "example.org/kernel", version = "v1.2.3", sum = "` + sum + `" }]
`
	l, err := ParseLock([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestGoModuleInput(t *testing.T) {
	moduleProxy(t)
	// What go.sum would hold, as the go command itself computes it.
	cmd := exec.Command("go", "mod", "download", "-json", "example.org/kernel@v1.2.3")
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOSUMDB=off")
	out, err := cmd.Output()
	var want struct{ Sum, Dir string }
	if jsonErr := json.Unmarshal(out, &want); err != nil || jsonErr != nil || want.Sum == "" {
		t.Fatalf("go mod download: %v: %s", err, out)
	}
	recipe := fstest.MapFS{"kernel/build": {Data: []byte(`cp "$INPUT_KERNEL/vmlinuz" "$OUT/"; echo >"$OUT/initrd"`)}}

	s := open(t, StoreOptions{Lock: kernelLock(t, want.Sum), Recipes: recipe})
	img, err := s.Ensure(within(t), "box")
	if err != nil {
		t.Fatal(err)
	}
	if contents(t, img.Kernel) != "a kernel" || img.Disk != "" || img.Initrd == "" {
		t.Errorf("image: %+v", img)
	}

	other := open(t, StoreOptions{Lock: kernelLock(t, "h1:AAAA"), Recipes: recipe})
	if _, err := other.Ensure(within(t), "box"); err == nil || !strings.Contains(err.Error(), want.Sum+", not h1:AAAA") {
		t.Errorf("another sum in the lock: %v", err)
	}

	kernel := filepath.Join(want.Dir, "vmlinuz")
	os.Chmod(kernel, 0o644)
	if err := os.WriteFile(kernel, []byte("bad kernel"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Build(within(t), "box", true); err == nil || !strings.Contains(err.Error(), "go clean -modcache") {
		t.Errorf("a changed module: %v", err)
	}

	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOPROXY", "off")
	if _, err := other.Build(within(t), "box", true); err == nil || !strings.Contains(err.Error(), "download example.org/kernel@v1.2.3: ") {
		t.Errorf("without a proxy: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := other.Build(within(t), "box", true); err == nil || !strings.Contains(err.Error(), "golang-go") {
		t.Errorf("without go: %v", err)
	}
}
