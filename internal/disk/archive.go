package disk

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// packers are the archives and compressions that labrun unpacks.
var packers = []struct {
	magic, name string
	at          int
}{
	{"PK\x03\x04", "zip", 0}, {"\x1f\x8b", "gz", 0}, {"\xfd7zXZ\x00", "xz", 0}, {"BZh", "bz2", 0},
	{"\x28\xb5\x2f\xfd", "zst", 0}, {"ustar", "tar", 257},
}

// Packed tells what a file is packed as: zip, tar, or compressed (gz, xz, bz2, zst), which
// a tar may be in; empty: as nothing of these.
func Packed(file io.ReaderAt) string {
	head, _ := readUpTo(file, 0, sectorSize) // what cannot be read is told of by who opens it
	return packed(head)
}

func packed(head []byte) string {
	for _, p := range packers {
		if len(head) >= p.at && bytes.HasPrefix(head[p.at:], []byte(p.magic)) {
			return p.name
		}
	}
	return ""
}

// Member is a disk image in an archive.
type Member struct {
	Name string // in the archive, with slashes
	Size int64  // bytes; -1: only unpacking will tell
}

// Limits of an archive.
const (
	maxMembers = 20_000
	maxLink    = 4096
)

// Members finds the disk images in an archive; of a file that is only compressed, it is
// that one. It is an error if the archive has none; if it is damaged or encrypted; if it
// wants files to be written outside of the folder that it is unpacked in, though labrun would not
// write any; and if it unpacks to more than limit bytes.
func Members(ctx context.Context, file *os.File, limit int64) ([]Member, error) {
	var disks []Member
	var nested string
	files := 0
	err := walk(ctx, file, limit, func(m Member, r io.Reader) error {
		files++
		head := make([]byte, 17*cdSector)
		n, err := io.ReadFull(r, head)
		if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
			return err
		}
		switch head = head[:n]; {
		case packed(head) != "":
			nested = m.Name
		case looksBootable(m, head):
			disks = append(disks, m)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(disks) == 0 && nested != "":
		return nil, fmt.Errorf("the archive holds an archive, %q: unpack it first", nested)
	case len(disks) == 0 && files == 0:
		return nil, errors.New("the archive is empty")
	case len(disks) == 0:
		return nil, fmt.Errorf("the archive holds no disk image: of its %d files none looks like one", files)
	}
	return disks, nil
}

// suffixes are how disk images are called; what is in one may be told only by the whole.
var suffixes = []string{
	".img", ".ima", ".iso", ".raw", ".flp", ".vfd", ".dsk", ".qcow2", ".vmdk", ".vdi", ".vhd", ".vhdx",
}

// looksBootable reports whether a file of an archive is one that somebody would want to
// boot from.
func looksBootable(m Member, head []byte) bool {
	if m.Size == 0 || len(head) == 0 {
		return false
	}
	for _, suffix := range suffixes {
		if strings.HasSuffix(strings.ToLower(m.Name), suffix) {
			return true
		}
	}
	for _, magic := range []string{"QFI\xfb", "KDMV", "vhdxfile", "conectix", "<<< "} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	if len(head) > 16*cdSector+6 && bytes.Equal(head[16*cdSector+1:16*cdSector+6], []byte("CD001")) {
		return true
	}
	// A boot sector alone is in many archives, as a file for making disks.
	big := m.Size < 0 || m.Size >= floppies[0].size && m.Size%sectorSize == 0
	return big && len(head) >= 2*sectorSize && head[510] == 0x55 && head[511] == 0xaa
}

// errFound ends a walk early.
var errFound = errors.New("found")

// Unpack gives the content of a member to use.
func Unpack(ctx context.Context, file *os.File, name string, limit int64, use func(Member, io.Reader) error) error {
	err := walk(ctx, file, limit, func(m Member, r io.Reader) error {
		if m.Name != name {
			return nil
		}
		if err := use(m, r); err != nil {
			return err
		}
		return errFound
	})
	switch {
	case err == nil:
		return fmt.Errorf("the archive holds no file %q", name)
	case err != errFound:
		return err
	}
	return nil
}

// walk visits the regular files of an archive in its order.
func walk(ctx context.Context, file *os.File, limit int64, visit func(Member, io.Reader) error) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	left := limit
	bounded := func(r io.Reader) io.Reader { return &boundedReader{ctx, r, limit, &left} }
	kind := Packed(file)
	switch kind {
	case "zip":
		return walkZip(file, info.Size(), limit, bounded, visit)
	case "tar":
		return walkTar(bounded(file), limit, visit)
	}
	plain, closing, err := decompress(kind, file)
	if err != nil {
		return broken(err)
	}
	defer closing()
	stream := bufio.NewReaderSize(bounded(plain), sectorSize)
	head, err := stream.Peek(sectorSize)
	if err != nil && err != io.EOF {
		return broken(err)
	}
	if packed(head) == "tar" {
		return walkTar(stream, limit, visit)
	}
	name := filepath.Base(file.Name())
	return visit(Member{strings.TrimSuffix(name, filepath.Ext(name)), -1}, brokenReader{stream})
}

func decompress(kind string, r io.Reader) (plain io.Reader, closing func(), err error) {
	closing = func() {}
	switch kind {
	case "gz":
		plain, err = gzip.NewReader(bufio.NewReader(r))
	case "xz":
		plain, err = xz.NewReader(bufio.NewReader(r))
	case "bz2":
		plain = bzip2.NewReader(bufio.NewReader(r))
	case "zst":
		var z *zstd.Decoder
		// A stream says how much of it has to be remembered, up to terabytes.
		if z, err = zstd.NewReader(r, zstd.WithDecoderMaxWindow(256<<20), zstd.WithDecoderConcurrency(1)); err == nil {
			plain, closing = z, z.Close
		}
	default:
		err = errors.New("labrun does not know how it is packed")
	}
	return plain, closing, err
}

func walkZip(
	file io.ReaderAt, size, limit int64, bounded func(io.Reader) io.Reader, visit func(Member, io.Reader) error,
) error {
	z, err := zip.NewReader(file, size)
	if err != nil {
		return broken(err)
	}
	if len(z.File) > maxMembers {
		return fmt.Errorf("the archive has %d files: labrun looks through %d at most", len(z.File), maxMembers)
	}
	for _, f := range z.File {
		mode := f.Mode()
		const encrypted = 1
		switch {
		case f.Flags&encrypted != 0:
			return fmt.Errorf("the archive is encrypted (%q): unpack it with its password first", f.Name)
		case leaves(f.Name):
			return outside(f.Name)
		case f.UncompressedSize64 > uint64(limit):
			return tooMuch(limit)
		case !mode.IsRegular() && mode&fs.ModeSymlink == 0:
			continue
		}
		r, err := f.Open()
		if err != nil {
			return broken(err)
		}
		if mode&fs.ModeSymlink != 0 {
			target, readErr := io.ReadAll(io.LimitReader(r, maxLink))
			if readErr == nil && linkLeaves(f.Name, string(target)) {
				err = outside(f.Name + " -> " + string(target))
			}
		} else {
			err = visit(Member{f.Name, int64(f.UncompressedSize64)}, brokenReader{bounded(r)})
		}
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func walkTar(r io.Reader, limit int64, visit func(Member, io.Reader) error) error {
	t := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := t.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return broken(err)
		case n >= maxMembers:
			return fmt.Errorf("the archive has more than %d files: labrun looks through so many at most", maxMembers)
		case leaves(h.Name):
			return outside(h.Name)
		case h.Typeflag == tar.TypeSymlink && linkLeaves(h.Name, h.Linkname), h.Typeflag == tar.TypeLink && leaves(h.Linkname):
			return outside(h.Name + " -> " + h.Linkname)
		case h.Size > limit:
			return tooMuch(limit)
		case h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeGNUSparse:
			continue
		}
		if err := visit(Member{h.Name, h.Size}, brokenReader{t}); err != nil {
			return err
		}
	}
}

// leaves reports whether a name leads out of the folder that an archive is unpacked in,
// on any system.
func leaves(name string) bool {
	name = strings.ReplaceAll(name, `\`, "/")
	clean := path.Clean(name)
	return path.IsAbs(name) || len(name) > 1 && name[1] == ':' || clean == ".." || strings.HasPrefix(clean, "../")
}

func linkLeaves(name, target string) bool {
	target = strings.ReplaceAll(target, `\`, "/")
	return path.IsAbs(target) || leaves(path.Join(path.Dir(name), target))
}

func outside(name string) error {
	return fmt.Errorf(
		"the archive would write outside of its folder (%q), as no honest one does: labrun takes nothing from it", name,
	)
}

func tooMuch(limit int64) error {
	return fmt.Errorf("it unpacks to more than %s: labrun takes no larger disks", Bytes(limit))
}

// brokenError is an archive that cannot be read to its end.
type brokenError struct{ cause error }

func (e brokenError) Error() string {
	cause := e.cause
	if cause == io.EOF || cause == io.ErrUnexpectedEOF {
		return "the archive is cut short; copy or download it again"
	}
	return fmt.Sprintf("the archive is damaged (%v); copy or download it again", cause)
}

func (e brokenError) Unwrap() error { return e.cause }

// broken says that an error is the archive's, unless it is the reader's own.
func broken(err error) error {
	var own *stoppedError
	if errors.As(err, &own) {
		return own.cause
	}
	return brokenError{err}
}

// brokenReader makes errors of unpacking say what they mean.
type brokenReader struct{ r io.Reader }

func (b brokenReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		err = broken(err)
	}
	return n, err
}

// stoppedError is why unpacking was not gone on with, through the decoders, which may
// wrap it.
type stoppedError struct{ cause error }

func (e *stoppedError) Error() string { return e.cause.Error() }

// boundedReader ends with its context, and when all that was read of the archive comes
// to more than the limit.
type boundedReader struct {
	ctx   context.Context
	r     io.Reader
	limit int64
	left  *int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, &stoppedError{context.Cause(b.ctx)}
	}
	n, err := b.r.Read(p)
	if *b.left -= int64(n); *b.left < 0 {
		return 0, &stoppedError{tooMuch(b.limit)}
	}
	return n, err
}
