package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/labrun/labrun/internal/disk"
	"github.com/labrun/labrun/internal/host"
)

// maxDisk is how large a disk can be, and what an archive unpacks to, in bytes: a file of
// terabytes with nothing in it is made in a moment, and would take hours to be read.
const maxDisk = 128 << 30

// spareSpace is how much of the cache's disk stays free while an archive is unpacked, which
// does not say beforehand what it will take.
const spareSpace = 256 << 20

// taking makes a stranger's file disk.img in the folder dir.
type taking struct {
	store  *Store
	image  string
	dir    string
	member string // the file of an archive to take; empty: the only disk in it
	medium string // what it is to be taken for; empty: its content tells
}

// glance refuses at once what would be refused after it was copied, which may take minutes.
// A file can change meanwhile, so it is looked at again then.
func (s *Store) glance(path string) error {
	file, size, err := openRegular(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if disk.Packed(file) != "" {
		return nil
	}
	if _, err := disk.Format(file, size); err != nil {
		return pathCause(err)
	}
	return s.checkSize(size, host.DiskUsage(path))
}

// openRegular opens a file that can be a disk at all. It is asked first, because opening a
// pipe would wait forever.
func openRegular(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, 0, pathCause(err)
	case info.IsDir():
		return nil, 0, errors.New("this is a folder, not a regular file")
	case !info.Mode().IsRegular():
		return nil, 0, errors.New("not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, pathCause(err)
	}
	return file, info.Size(), nil
}

// checkSize refuses a disk that is too large, as the guest sees it; used is what it takes.
func (s *Store) checkSize(size, used int64) error {
	if size <= s.maxDisk {
		return nil
	}
	return fmt.Errorf("this disk is %s large (and takes %s): labrun takes disks of %s at most",
		disk.Bytes(size), disk.Bytes(used), disk.Bytes(s.maxDisk))
}

// take makes the disk in a file, or in that archive, dir/disk.img, which is whole, refers to
// no other file and boots. It tells what was found, and the format of what was made: raw or
// qcow2. A file of our own is moved; others are copied, and looked at as they are then.
func (t taking) take(ctx context.Context, from string, own bool) (found disk.Image, format string, err error) {
	file, _, err := openRegular(from)
	if err != nil {
		return found, "", err
	}
	packed := disk.Packed(file) != ""
	if packed {
		from, err = t.unpack(ctx, file, from)
		own = true
	} else if t.member != "" {
		err = errors.New("this is no archive, so no file of it can be taken")
	}
	file.Close()
	if err != nil {
		return found, "", err
	}
	path := filepath.Join(t.dir, "disk.img")
	if own {
		err = os.Rename(from, path)
	} else {
		err = t.store.copyDisk(ctx, t.image, from, path)
	}
	if err != nil {
		return found, "", err
	}
	return t.inspect(ctx, path)
}

// unpack takes the disk out of an archive, or of a compressed file.
func (t taking) unpack(ctx context.Context, file *os.File, from string) (path string, err error) {
	s := t.store
	say := func(done int64, what string) {
		s.say(Progress{Image: t.image, Phase: PhaseCopy, Note: what, Done: done})
	}
	say(0, "looking into "+filepath.Base(from))
	member := t.member
	if member == "" {
		disks, err := disk.Members(ctx, file, s.maxDisk)
		if err != nil {
			return "", err
		}
		if len(disks) > 1 {
			return "", choose(disks)
		}
		member = disks[0].Name
	}
	path = filepath.Join(t.dir, "unpacked")
	err = disk.Unpack(ctx, file, member, s.maxDisk, func(_ disk.Member, r io.Reader) error {
		meter := s.meter(Progress{Image: t.image, Phase: PhaseCopy, Note: "unpacking " + filepath.Base(member)})
		next := int64(0)
		_, err := host.WriteSparse(path, r, func(at int64) error {
			meter.at(at)
			if at < next {
				return nil
			}
			next = at + 16<<20
			return s.needSpace(spareSpace)
		})
		return err
	})
	if host.DiskFull(err) {
		err = &spaceError{dir: s.dir, free: s.freeOrZero()}
	}
	return path, err
}

// choose is the error that an archive has several disks.
func choose(disks []disk.Member) error {
	var b strings.Builder
	fmt.Fprintf(&b, "the archive holds %d disk images; say which with --member NAME:", len(disks))
	for i, d := range disks {
		if i == 20 {
			b.WriteString("\n  …")
			break
		}
		fmt.Fprintf(&b, "\n  %s", d.Name)
		if d.Size >= 0 {
			fmt.Fprintf(&b, " (%s)", disk.Bytes(d.Size))
		}
	}
	return errors.New(b.String())
}

// inspect looks at what is in the cache now, and converts it if need be.
func (t taking) inspect(ctx context.Context, path string) (found disk.Image, format string, err error) {
	s := t.store
	file, size, err := openRegular(path)
	if err != nil {
		return found, "", err
	}
	defer file.Close()
	if format, err = disk.Format(file, size); err != nil {
		return found, "", pathCause(err)
	}
	if err := s.checkSize(size, host.DiskUsage(path)); err != nil {
		return found, "", err
	}
	if format == "raw" {
		if found, err = disk.Inspect(file, size, format, t.medium); err != nil {
			return found, "", pathCause(err)
		}
		if whole := disk.FloppySize(size); found.Medium == disk.Floppy && whole != size {
			// QEMU's drive tells the kind of a floppy disk by its size, and images often lack
			// what nothing was written to.
			found.Size = whole
			err = os.Truncate(path, whole)
		}
		return found, "raw", err
	}
	size, err = t.virtualSize(ctx, path, format)
	if err != nil {
		return found, "", err
	}
	if err := s.checkSize(size, host.DiskUsage(path)); err != nil {
		return found, "", err
	}
	if err := t.checkWhole(ctx, path, format); err != nil {
		return found, "", err
	}
	was := format
	if format != "qcow2" {
		if err := t.convert(ctx, path, format); err != nil {
			return found, "", err
		}
	}
	head, err := t.head(ctx, path)
	if err != nil {
		return found, "", err
	}
	defer head.Close()
	found, err = disk.Inspect(head, size, was, t.medium)
	return found, "qcow2", err
}

// copyDisk copies a file, leaving holes where it has only zeros.
func (s *Store) copyDisk(ctx context.Context, image, from, to string) error {
	in, size, err := openRegular(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := s.needSpace(min(host.DiskUsage(from), size)); err != nil {
		return err
	}
	meter := s.meter(Progress{Image: image, Phase: PhaseCopy, Note: filepath.Base(from), Total: size})
	err = host.CopySparse(ctx, to, in, meter.at)
	if host.DiskFull(err) {
		return &spaceError{dir: s.dir, need: size, free: s.freeOrZero()}
	}
	return err
}
