package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// WriteFile writes a file that the user has named, with these permissions if there
// is none yet. A file appears whole or not at all, and an old one stays if that
// fails. What is behind a link is replaced, not the link; what is no file, a device
// or a named pipe, is written to, and what a program has open is added to.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	target, inPlace, err := destination(path)
	if err != nil {
		return err
	}
	if !inPlace {
		return renameio.WriteFile(target, data, perm, renameio.WithTempDir(filepath.Dir(target)))
	}
	f, err := os.OpenFile(target, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// CheckFile tells whether WriteFile could write the file; it leaves none behind.
// What takes long should not learn at its end that a path is wrong.
func CheckFile(path string) error {
	target, inPlace, err := destination(path)
	if err != nil {
		return err
	}
	if inPlace {
		if err := unix.Access(target, unix.W_OK); err != nil {
			return &fs.PathError{Op: "write", Path: path, Err: err}
		}
		return nil
	}
	probe, err := renameio.TempFile(filepath.Dir(target), target)
	if err != nil {
		var named *fs.PathError
		if errors.As(err, &named) {
			err = named.Err // its path is that of the trial
		}
		return &fs.PathError{Op: "write", Path: path, Err: fmt.Errorf("no file can be made in its folder: %w", err)}
	}
	return probe.Cleanup()
}

// What cannot be written to.
var (
	errFolder = errors.New("it is a folder: name a file in it")
	errSocket = errors.New("it is a socket: name a file")
)

// mostLinks is how many links are followed, as the kernel does.
const mostLinks = 40

// destination returns what a path leads to, and whether that is written in place: a
// rename would take the device's or the pipe's name away from it.
func destination(path string) (target string, inPlace bool, err error) {
	refuse := func(why error) (string, bool, error) {
		return "", false, &fs.PathError{Op: "write", Path: path, Err: why}
	}
	info, err := os.Stat(path)
	switch {
	case err != nil: // there is nothing yet, or nothing that can be seen: making a file will tell
	case info.IsDir():
		return refuse(errFolder)
	case info.Mode()&fs.ModeSocket != 0:
		return refuse(errSocket)
	case !info.Mode().IsRegular():
		return path, true, nil
	}
	// A link may lead to what is not there yet, so every one is read by itself.
	target = path
	for range mostLinks {
		next, err := os.Readlink(target)
		if err != nil {
			return target, false, nil
		}
		folder, err := filepath.EvalSymlinks(filepath.Dir(target))
		if err != nil {
			return refuse(err)
		}
		if strings.HasPrefix(folder, "/proc/") { // a file that a program has open, /dev/stderr for one
			return path, true, nil
		}
		if !filepath.IsAbs(next) {
			next = filepath.Join(folder, next)
		}
		target = next
	}
	return refuse(syscall.ELOOP)
}
