package script

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/builtins"
)

// LibraryPrefix is what the names of labrun's own libraries begin with in a script:
// load("@labrun//net.star", …).
const LibraryPrefix = "@labrun//"

// libraryFolder is where the overlay has the libraries. It hides a folder of that name in
// the mission's own.
const libraryFolder = "@labrun/"

// Overlay is a mission's folder with labrun's own libraries in it, so that checking,
// running and editing read both alike. It is safe for concurrent use if FS is.
type Overlay struct{ fs.FS }

// origin returns the folder that a file of the overlay comes from, and its name there.
func (o Overlay) origin(name string) (fs.FS, string) {
	if own, ok := strings.CutPrefix(name, libraryFolder); ok {
		return labrun.Libraries(), own
	}
	return o.FS, name
}

// Open implements fs.FS.
func (o Overlay) Open(name string) (fs.File, error) {
	folder, name := o.origin(name)
	return folder.Open(name)
}

// ReadFile implements fs.ReadFileFS: an editor's folder has texts that are not saved, and
// shows them only when it is asked to read.
func (o Overlay) ReadFile(name string) ([]byte, error) {
	return fs.ReadFile(o.origin(name))
}

// Lstat implements fs.ReadLinkFS.
func (o Overlay) Lstat(name string) (fs.FileInfo, error) {
	return fs.Lstat(o.origin(name))
}

// ReadLink implements fs.ReadLinkFS.
func (o Overlay) ReadLink(name string) (string, error) {
	return fs.ReadLink(o.origin(name))
}

// InLibrary reports whether a file of an overlay is one of labrun's own.
func InLibrary(name string) bool { return strings.HasPrefix(name, libraryFolder) }

// LibraryNames returns the names of labrun's own libraries, as scripts write them.
func LibraryNames() []string {
	files, _ := fs.Glob(labrun.Libraries(), "*.star") // only a wrong pattern is an error
	for i, f := range files {
		files[i] = LibraryPrefix + f
	}
	return files
}

// libraryFile turns the name of a library into its path in an overlay.
func libraryFile(request string) (string, error) {
	name := strings.TrimPrefix(request, LibraryPrefix)
	_, err := fs.Stat(labrun.Libraries(), path.Clean("/" + name)[1:])
	if err != nil || path.Ext(name) != ".star" {
		return "", fmt.Errorf("labrun has no library of that name%s: there are %s",
			builtins.Suggest(request, LibraryNames()), strings.Join(LibraryNames(), ", "))
	}
	return libraryFolder + name, nil
}

// ShownAs returns what messages call a file of a mission's folder: a name that the reader
// could open from where labrun was started. Main is the script's name in the folder, and
// shown the one that the reader gave.
func ShownAs(main, shown, name string) string {
	if own, ok := strings.CutPrefix(name, libraryFolder); ok {
		return LibraryPrefix + own
	}
	if name == main {
		return shown
	}
	return path.Join(strings.TrimSuffix(shown, main), name)
}

// OpenFolder opens the folder of a script on the host, and returns the file that it really
// is, which links may lead to. The caller closes the folder.
func OpenFolder(file string) (folder *os.Root, real string, err error) {
	real = RealFile(file)
	if folder, err = os.OpenRoot(filepath.Dir(real)); err != nil {
		return nil, "", unreadable(real, err)
	}
	return folder, real, nil
}

// RealFile returns what a link to a script leads to, and any other file as it is: a
// mission's folder is the one that its script lies in, wherever links to that are.
func RealFile(file string) string {
	if info, err := os.Lstat(file); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if real, err := filepath.EvalSymlinks(file); err == nil {
			return real
		}
	}
	return file
}

// unreadable is the error of a script that cannot be read.
func unreadable(file string, err error) *Error {
	e := &Error{Position: inFile(file), Message: plainPathError(err).Error(), Cause: ErrUnreadable}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errMissing) {
		e.Message = "there is no such mission"
	}
	return e
}

// maxScript bounds a script's size, in bytes. Those of labs have some ten thousand.
const maxScript = 4 << 20

// ReadFile reads a file of a mission's folder. If there is one but it is too large for a
// script, the error is an *Error without a position.
func ReadFile(folder fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(folder, name)
	switch {
	case err != nil:
		return nil, plainPathError(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no file")
	case info.Size() > maxScript:
		return nil, &Error{Message: fmt.Sprintf("it has %d bytes: a script may have %d", info.Size(), maxScript)}
	}
	content, err := fs.ReadFile(folder, name)
	if err != nil {
		return nil, plainPathError(err)
	}
	return content, nil
}

// Clean returns a script's source without the byte order mark that some editors put before
// it. What is no text is an *Error without a position: the parser would blame a character
// that nobody sees.
func Clean(source []byte) ([]byte, error) {
	source = bytes.TrimPrefix(source, []byte("\ufeff"))
	if bytes.IndexByte(source, 0) >= 0 {
		return nil, &Error{Message: "it is no text but binary data: a script is text in UTF-8"}
	}
	for i, line := range bytes.Split(source, []byte("\n")) {
		if !utf8.Valid(line) {
			return nil, &Error{Message: fmt.Sprintf("line %d is not UTF-8: save the script in that encoding", i+1)}
		}
	}
	return source, nil
}

// Resolve turns the argument of a load statement into a path of the mission's folder. From
// is the path of the file that the statement is in.
func Resolve(from, request string) (string, error) {
	if strings.HasPrefix(request, LibraryPrefix) {
		return libraryFile(request)
	}
	target := path.Join(path.Dir(from), request)
	if path.IsAbs(request) || !fs.ValidPath(target) {
		return "", errOutside
	}
	if !strings.HasPrefix(request, "./") && !strings.HasPrefix(request, "../") {
		return "", fmt.Errorf(`write it relative to this file: load("./%s", …)`, path.Clean(request))
	}
	if !strings.HasSuffix(target, ".star") {
		return "", errors.New("it is no script: only files called *.star can be loaded")
	}
	return target, nil
}

var (
	errMissing = errors.New("there is no such file in the mission's folder")
	errOutside = errors.New("it is outside the mission's folder: a mission may load files of its own folder only")
)

// plainPathError drops Go's names of operations and keeps the reason.
func plainPathError(err error) error {
	var pathError *fs.PathError
	switch {
	case !errors.As(err, &pathError):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return errMissing
	case strings.Contains(pathError.Err.Error(), "escapes"):
		return errOutside // os.Root met a link to elsewhere; it exports no such error
	}
	return pathError.Err
}
