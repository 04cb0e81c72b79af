package host

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// CopySparse copies a file without its holes and without blocks of zeros. It tells
// progress, unless that is nil, up to where it has come; what is written when it fails
// stays.
func CopySparse(ctx context.Context, path string, from *os.File, progress func(at int64)) (err error) {
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	return FillSparse(ctx, to, from, progress)
}

// FillSparse is CopySparse into a file that is open and has nothing in it.
func FillSparse(ctx context.Context, to, from *os.File, progress func(at int64)) error {
	size, err := from.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if err := to.Truncate(size); err != nil {
		return err
	}
	if progress == nil {
		progress = func(int64) {}
	}
	block := make([]byte, 64<<10)
	zeros := make([]byte, len(block))
	for at := int64(0); at < size; {
		if at, err = unix.Seek(int(from.Fd()), at, unix.SEEK_DATA); err == unix.ENXIO {
			break // the rest is a hole
		} else if err != nil {
			return os.NewSyscallError("lseek", err)
		}
		end, err := unix.Seek(int(from.Fd()), at, unix.SEEK_HOLE)
		if err != nil {
			return os.NewSyscallError("lseek", err)
		}
		for at < end {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			n, err := from.ReadAt(block[:min(int64(len(block)), end-at)], at)
			if err != nil {
				return err
			}
			if !bytes.Equal(block[:n], zeros[:n]) {
				if _, err := to.WriteAt(block[:n], at); err != nil {
					return err
				}
			}
			at += int64(n)
			progress(at)
		}
	}
	progress(size)
	return nil
}

// WriteSparse writes all that it reads to a new file, without blocks of zeros, and returns
// how long that is. It tells progress how far it has come; an error of that ends it, and
// what was written then stays.
func WriteSparse(path string, from io.Reader, progress func(at int64) error) (size int64, err error) {
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	block := make([]byte, 64<<10)
	zeros := make([]byte, len(block))
	for {
		n, err := io.ReadFull(from, block)
		if !bytes.Equal(block[:n], zeros[:n]) {
			if _, err := to.WriteAt(block[:n], size); err != nil {
				return size, err
			}
		}
		size += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return size, to.Truncate(size)
		}
		if err != nil {
			return size, err
		}
		if err := progress(size); err != nil {
			return size, err
		}
	}
}
