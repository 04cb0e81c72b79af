//go:build linux

package labtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/labrun/labrun/internal/image"
)

// tinyLock is the profile of the operating system in tiny/tiny.asm, which has a screen and no serial port.
const tinyLock = `
version = 1

[images.tiny]
summary  = "an operating system of one sector"
hostname = "tiny"
memory   = 16
cpus     = 1
display  = "vga"
disk_bus = "ide"

[images.tiny.console]
shell = '^tiny> $'

[[images.tiny.sources]]
url    = "https://example.org/tiny.img"
size   = 512
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
format = "raw"
boot   = "bios"
`

// TinyCache returns a folder for LABRUN_CACHE in which tiny has been added, an operating system of one sector with a
// screen and without a serial port, for real QEMUs. Its images.lock, which labrun's flag --lock takes, knows no other image.
func TinyCache(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	store := openTiny(t, dir)
	defer store.Close()
	_, here, _, _ := runtime.Caller(0)
	disk := filepath.Join(t.TempDir(), "tiny.img")
	nasm := exec.Command("nasm", "-f", "bin", "-o", disk, filepath.Join(filepath.Dir(here), "tiny", "tiny.asm"))
	if said, err := nasm.CombinedOutput(); err != nil {
		t.Fatalf("assemble the test guest (Debian's package nasm): %v\n%s", err, said)
	}
	if _, err := store.Add(t.Context(), "tiny", disk, image.Wish{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "images.lock"), []byte(tinyLock), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Tiny opens the cache that TinyCache makes.
func Tiny(t testing.TB) *image.Store {
	t.Helper()
	store := openTiny(t, TinyCache(t))
	t.Cleanup(func() { store.Close() })
	return store
}

func openTiny(t testing.TB, dir string) *image.Store {
	t.Helper()
	lock, err := image.ParseLock([]byte(tinyLock))
	if err != nil {
		t.Fatal(err)
	}
	store, err := image.Open(image.StoreOptions{Dir: dir, Lock: lock})
	if err != nil {
		t.Fatal(err)
	}
	return store
}
