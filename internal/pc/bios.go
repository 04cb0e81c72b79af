package pc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// firmware is what a PC in a browser starts with, by the names that its page asks for:
// SeaBIOS and its VGA BIOS, which belong to QEMU and are there wherever that is.
var firmware = map[string]string{"bios.bin": "bios.bin", "vgabios.bin": "vgabios-stdvga.bin"}

// folders are where distributions have them: Debian and Fedora, Arch, what was built here.
var folders = []string{"/usr/share/seabios", "/usr/share/qemu", "/usr/local/share/qemu"}

// BIOS reads a file that a PC in a browser starts with, "bios.bin" or "vgabios.bin", as
// this computer has it. An error that is fs.ErrNotExist says that it has none.
func BIOS(name string) ([]byte, error) {
	file := firmware[name]
	if file == "" {
		return nil, fmt.Errorf("read the BIOS file %s: %w", name, fs.ErrNotExist)
	}
	for _, folder := range folders {
		data, err := os.ReadFile(filepath.Join(folder, file))
		if !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	return nil, fmt.Errorf("find %s: %w: install SeaBIOS (Debian's package seabios)", file, fs.ErrNotExist)
}
