package image

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"

	"github.com/labrun/labrun/internal/host"
)

// Add makes a disk image of the user's, raw or qcow2, the image called name,
// in place of its sources, until Remove. The image comes from a file or an
// http(s) URL and is copied into the cache. It boots from its disk by the BIOS
// and keeps name's profile, but has no control channel. Its machines have the
// hardware, and where that says nothing, what the profile says.
//
// What the BIOS cannot boot is refused, and a disk that refers to other files of
// the host. What was added before then stays.
func (s *Store) Add(ctx context.Context, name, from string, hardware Hardware) (*Image, error) {
	e, ok := s.lock.images[name]
	if !ok {
		return nil, s.unknown(name)
	}
	fail := func(err error) (*Image, error) { return nil, fmt.Errorf("add image %s from %s: %w", name, from, err) }
	if err := hardware.Validate(); err != nil {
		return fail(err)
	}
	if !isURL(from) {
		// Looked at before it is copied, which may take minutes; and again then, since
		// a file can change meanwhile.
		if err := regular(from); err != nil {
			return fail(err)
		}
		if _, err := diskFormat(from); err != nil {
			return fail(err)
		}
	}
	key := "added-" + name
	unlock, err := s.acquire(ctx, name, key)
	if err != nil {
		return fail(err)
	}
	defer unlock()
	if err := s.clearWork(key); err != nil {
		return fail(err)
	}
	tmp, err := os.MkdirTemp(filepath.Join(s.dir, "work"), key+".")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(tmp)

	disk := filepath.Join(tmp, "disk.img")
	m := manifest{BIOS: true, Hardware: hardware}
	if isURL(from) {
		u, err := url.Parse(from)
		if err != nil {
			return fail(err)
		}
		m.Source = fmt.Sprintf("download %s (added)", path.Base(u.Path))
		err = s.fill(ctx, name, from, download{URL: from, Size: -1}, disk)
		os.Remove(disk + ".tag")
		if err != nil {
			return fail(err)
		}
	} else {
		m.Source = fmt.Sprintf("file %s (added)", filepath.Base(from))
		if err := s.copyDisk(ctx, name, from, disk); err != nil {
			return fail(err)
		}
	}
	if m.Format, err = diskFormat(disk); err != nil {
		return fail(err)
	}
	if err := s.seal(ctx, name, tmp, s.addedDir(name), m, map[string]string{"disk": "disk.img"}); err != nil {
		return fail(err)
	}
	return s.load(e, source{}, s.addedDir(name))
}

// Remove forgets the image the user added as name, and returns what it was: its
// Source. The sources of name count again.
func (s *Store) Remove(ctx context.Context, name string) (was string, err error) {
	if _, ok := s.lock.images[name]; !ok {
		return "", s.unknown(name)
	}
	fail := func(err error) (string, error) { return "", fmt.Errorf("remove image %s: %w", name, err) }
	unlock, err := s.acquire(ctx, name, "added-"+name)
	if err != nil {
		return fail(err)
	}
	defer unlock()
	if _, err := os.Stat(s.addedDir(name)); errors.Is(err, fs.ErrNotExist) {
		return fail(errors.New("no disk image was added, so there is nothing to remove"))
	}
	was = "a damaged disk image (added)"
	if m, err := readManifest(s.addedDir(name)); err == nil {
		was = m.Source
	}
	if err := os.RemoveAll(s.addedDir(name)); err != nil {
		return fail(err)
	}
	return was, nil
}

// keepDisk makes a downloaded disk image the image folder dir.
func (s *Store) keepDisk(ctx context.Context, image, blob string, src source, dir string) error {
	format, err := diskFormat(blob)
	if err == nil && format != src.Format {
		err = fmt.Errorf("its format is %s, not %s as images.lock says", format, src.Format)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", src, err)
	}
	key := filepath.Base(dir)
	if err := s.clearWork(key); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Join(s.dir, "work"), key+".")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	// Moved, not copied: the disk would be taken twice.
	if err := os.Rename(blob, filepath.Join(tmp, "disk.img")); err != nil {
		return err
	}
	m := manifest{Source: src.String(), Format: format, BIOS: true}
	return s.seal(ctx, image, tmp, dir, m, map[string]string{"disk": "disk.img"})
}

// regular reports whether a file can be opened as a disk image at all. It is asked
// first, because opening a pipe would wait forever.
func regular(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return pathCause(err)
	case !info.Mode().IsRegular():
		return errors.New("not a regular file")
	}
	return nil
}

// copyDisk copies a file, leaving holes where it has only zeros.
func (s *Store) copyDisk(ctx context.Context, image, from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return pathCause(err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return pathCause(err)
	}
	if err := s.needSpace(min(host.DiskUsage(from), info.Size())); err != nil {
		return err
	}
	meter := s.meter(Progress{Image: image, Phase: PhaseCopy, Note: filepath.Base(from), Total: info.Size()})
	err = host.CopySparse(ctx, to, in, meter.at)
	if host.DiskFull(err) {
		return &spaceError{dir: s.dir, need: info.Size(), free: s.freeOrZero()}
	}
	return err
}

// archives are formats that people mistake for disk images, by their magic.
var archives = map[string]string{
	"\x1f\x8b":           "gzip-compressed; unpack it with gunzip",
	"\xfd7zXZ\x00":       "xz-compressed; unpack it with unxz",
	"BZh":                "bzip2-compressed; unpack it with bunzip2",
	"\x28\xb5\x2f\xfd":   "zstd-compressed; unpack it with unzstd",
	"PK\x03\x04":         "a zip archive; unpack it with unzip",
	"KDMV":               "a VMDK; convert it with `qemu-img convert -O qcow2`",
	"<<< ":               "a VDI; convert it with `qemu-img convert -O qcow2`",
	"<!DOCTYPE":          "a web page",
	"<html":              "a web page",
	"vhdxfile":           "a VHDX; convert it with `qemu-img convert -O qcow2`",
	"\x7fELF":            "a program",
	"!<arch>\ndebian-bi": "a Debian package",
}

// diskFormat tells the format of a disk image by its content, "raw" or
// "qcow2". A raw disk must have a boot sector for the BIOS. A qcow2 must be
// complete in itself: one with a backing file would show a guest any file of the
// host that it names.
func diskFormat(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", pathCause(err)
	}
	defer f.Close()
	head := make([]byte, 2*sectorSize)
	n, err := io.ReadFull(f, head)
	switch {
	case err == io.EOF:
		return "", errors.New("the file is empty")
	case err != nil && err != io.ErrUnexpectedEOF:
		return "", pathCause(err)
	}
	head = head[:n]
	for magic, what := range archives {
		if bytes.HasPrefix(head, []byte(magic)) {
			return "", fmt.Errorf("this is not a disk image but %s", what)
		}
	}
	if !bytes.HasPrefix(head, []byte("QFI\xfb")) {
		return "raw", bootSector(head)
	}
	if n < 72 {
		return "", errors.New("the qcow2 header is cut short")
	}
	version := binary.BigEndian.Uint32(head[4:])
	if version != 2 && version != 3 {
		return "", fmt.Errorf("this is a qcow file of version %d; convert it with `qemu-img convert -O qcow2`", version)
	}
	if binary.BigEndian.Uint64(head[8:]) != 0 {
		return "", errors.New("this qcow2 has a backing file, so it is only a part of a disk " +
			"and could show the guest any file of this machine; make it whole with `qemu-img convert -O qcow2`")
	}
	const externalData = 1 << 2 // of the incompatible features
	if version == 3 && (n < 80 || binary.BigEndian.Uint64(head[72:])&externalData != 0) {
		return "", errors.New("this qcow2 keeps its data in another file, so it is not a whole disk " +
			"and could show the guest any file of this machine; make it whole with `qemu-img convert -O qcow2`")
	}
	return "qcow2", nil
}

const (
	sectorSize = 512
	bootCode   = 440 // bytes of a boot sector before its partition table
)

// bootSector reports why the BIOS could not boot a raw disk that begins with
// head: it reads the first sector, wants its signature, and runs it.
func bootSector(head []byte) error {
	const advice = "a machine boots from the first sector of its disk, by BIOS"
	switch {
	case len(head) < sectorSize:
		return fmt.Errorf("this is not a disk image: it has only %d bytes; %s", len(head), advice)
	case head[sectorSize-2] != 0x55 || head[sectorSize-1] != 0xaa:
		return fmt.Errorf("this is not a disk that boots: its first sector has no boot signature; %s", advice)
	case len(bytes.Trim(head[:bootCode], "\x00")) > 0:
		return nil
	case bytes.HasPrefix(head[sectorSize:], []byte("EFI PART")):
		return fmt.Errorf(
			"this disk boots by UEFI alone: its first sector has a partition table and no program; %s", advice,
		)
	}
	return fmt.Errorf("this disk does not boot: its first sector has a partition table and no program; %s", advice)
}
