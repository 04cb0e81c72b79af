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
)

// Add makes a disk image of the user's, raw or qcow2, the image called name,
// in place of its sources, until Remove. The image comes from a file or an
// http(s) URL and is copied into the cache. It boots from its disk by the BIOS
// and keeps name's profile, but has no control channel.
//
// A disk that refers to other files of the host is refused, as is an archive.
func (s *Store) Add(ctx context.Context, name, from string) (*Image, error) {
	e, ok := s.lock.images[name]
	if !ok {
		return nil, s.unknown(name)
	}
	fail := func(err error) (*Image, error) { return nil, fmt.Errorf("add image %s from %s: %w", name, from, err) }
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
	m := manifest{BIOS: true}
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

// Remove forgets the image the user added as name; its sources count again.
func (s *Store) Remove(ctx context.Context, name string) error {
	if _, ok := s.lock.images[name]; !ok {
		return s.unknown(name)
	}
	unlock, err := s.acquire(ctx, name, "added-"+name)
	if err != nil {
		return fmt.Errorf("remove image %s: %w", name, err)
	}
	defer unlock()
	if _, err := os.Stat(s.addedDir(name)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove image %s: none was added", name)
	}
	if err := os.RemoveAll(s.addedDir(name)); err != nil {
		return fmt.Errorf("remove image %s: %w", name, err)
	}
	return nil
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

// copyDisk copies a file, leaving holes where it has only zeros.
func (s *Store) copyDisk(ctx context.Context, image, from, to string) error {
	// Asked before opening, which would wait forever on a pipe.
	info, err := os.Stat(from)
	switch {
	case err != nil:
		return pathCause(err)
	case !info.Mode().IsRegular():
		return errors.New("not a regular file")
	case info.Size() == 0:
		return errors.New("the file is empty")
	}
	in, err := os.Open(from)
	if err != nil {
		return pathCause(err)
	}
	defer in.Close()
	if err := s.needSpace(min(diskUsage(from), info.Size())); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	meter := s.meter(Progress{Image: image, Phase: PhaseDownload, Note: filepath.Base(from), Total: info.Size()})
	src := &ctxReader{ctx, io.TeeReader(in, meter)}
	buf, zeros := make([]byte, 64<<10), make([]byte, 64<<10)
	var size int64
	for {
		n, err := io.ReadFull(src, buf)
		if !bytes.Equal(buf[:n], zeros[:n]) {
			if _, err := out.WriteAt(buf[:n], size); err != nil {
				if isFull(err) {
					return &spaceError{dir: s.dir, need: info.Size(), free: s.freeOrZero()}
				}
				return err
			}
		}
		size += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if err := out.Truncate(size); err != nil {
		return err
	}
	return out.Close()
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
// "qcow2". A qcow2 must be complete in itself: one with a backing file would
// show a guest any file of the host that it names.
func diskFormat(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, 104)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.ErrUnexpectedEOF {
		return "", errors.New("the file is empty")
	}
	head = head[:n]
	for magic, what := range archives {
		if bytes.HasPrefix(head, []byte(magic)) {
			return "", fmt.Errorf("this is not a disk image but %s", what)
		}
	}
	if !bytes.HasPrefix(head, []byte("QFI\xfb")) {
		return "raw", nil
	}
	if n < 72 {
		return "", errors.New("the qcow2 header is cut short")
	}
	version := binary.BigEndian.Uint32(head[4:])
	if version != 2 && version != 3 {
		return "", fmt.Errorf("this is a qcow file of version %d; convert it with `qemu-img convert -O qcow2`", version)
	}
	if binary.BigEndian.Uint64(head[8:]) != 0 {
		return "", errors.New("this qcow2 has a backing file, so it is only a part of a disk and could show the guest any file of this machine; make it whole with `qemu-img convert -O qcow2`")
	}
	const externalData = 1 << 2 // of the incompatible features
	if version == 3 && (n < 80 || binary.BigEndian.Uint64(head[72:])&externalData != 0) {
		return "", errors.New("this qcow2 keeps its data in another file, so it is not a whole disk and could show the guest any file of this machine; make it whole with `qemu-img convert -O qcow2`")
	}
	return "qcow2", nil
}
