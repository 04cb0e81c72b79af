//go:build linux

package fakeqemu

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// A disk is a file of the emulator's own format: a line that tells the file it is an overlay of, and, once a guest has
// written to it, a tar archive of all of that guest's files. Any other content is a disk that is new.
type disk struct{ path string }

const diskMagic = "fake disk on "

func openDisk(path string) (*disk, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("-drive file=%s: Could not open: %w", path, err)
	}
	return &disk{path}, nil
}

// read returns the archive on the disk, or on what it is an overlay of; nil if there is none.
func (d *disk) read() ([]byte, error) {
	for path, depth := d.path, 0; ; depth++ {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the disk: %w", err)
		}
		head, archive, _ := bytes.Cut(data, []byte("\n"))
		backing, ours := bytes.CutPrefix(head, []byte(diskMagic))
		switch {
		case !ours:
			return nil, nil
		case len(archive) > 0:
			return archive, nil
		case depth > 9:
			return nil, errors.New("read the disk: its overlays go round in a circle")
		}
		path = string(backing)
	}
}

// write replaces the archive on the disk. The file stays the same one, as that of a disk does.
func (d *disk) write(archive []byte) error {
	file, err := os.OpenFile(d.path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("write the disk: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		return fmt.Errorf("write the disk: %w", err)
	}
	head, _, _ := bytes.Cut(data, []byte("\n"))
	if !bytes.HasPrefix(head, []byte(diskMagic)) {
		head = []byte(diskMagic)
	}
	content := append(append(bytes.Clone(head), '\n'), archive...)
	if _, err := file.WriteAt(content, 0); err != nil {
		return fmt.Errorf("write the disk: %w", err)
	}
	return file.Truncate(int64(len(content)))
}

// makeImage is qemu-img, of which labrun uses one command: create -q -f qcow2 -F FORMAT -b BACKING PATH.
func makeImage(args []string) int {
	if len(args) == 9 && args[0] == "create" && args[1] == "-q" && args[2] == "-f" && args[4] == "-F" && args[6] == "-b" {
		backing, path := args[7], args[8]
		_, err := os.Stat(backing)
		if err == nil {
			err = os.WriteFile(path, []byte(diskMagic+backing+"\n"), 0o644)
		}
		if err == nil {
			return 0
		}
		fmt.Fprintf(os.Stderr, "qemu-img: %s: Could not open backing file: %v\n", path, err)
		return 1
	}
	fmt.Fprintf(os.Stderr, "qemu-img: the fake knows nothing of %q\n", args)
	return 1
}

// state is what is saved of a machine beside its disk.
type state struct {
	Plugged []plug
	Guest   memory
	Screen  screenCells
}

// memory is what is saved of a guest: where it goes on.
type memory struct {
	Stage     string // of the console: see rootfs/getty
	Folder    string // the shell's
	Hostname  string
	BootID    string
	Lessons   []string            // what the control shell was taught, line by line
	Addresses map[string][]string // by card
	Seats     []seat              // what is at the further serial ports
}

const stateMagic = "fake state %08x %d\n"

func (s state) write(to io.Writer) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(to, stateMagic+"%s", crc32.ChecksumIEEE(data), len(data), data)
	return err
}

func readState(from io.Reader) (*state, error) {
	all, err := io.ReadAll(from)
	if err != nil {
		return nil, err
	}
	head, data, _ := bytes.Cut(all, []byte("\n"))
	var sum uint32
	var size int
	if _, err := fmt.Sscanf(
		string(head)+"\n", stateMagic, &sum, &size,
	); err != nil || len(data) != size || crc32.ChecksumIEEE(data) != sum {
		return nil, errors.New("it is damaged")
	}
	s := &state{}
	return s, json.Unmarshal(data, s)
}
