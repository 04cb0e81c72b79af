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

const (
	LibraryPrefix = "@labrun//" // as scripts write it
	libraryFolder = "@labrun/"  // in the folder that a mission sees
)

// Overlay is a mission's folder with labrun's own libraries in it.
type Overlay struct{ fs.FS }

// holder returns the folder that a file of the overlay is in, and its name there.
func (s Overlay) holder(name string) (fs.FS, string) {
	if own, ok := strings.CutPrefix(name, libraryFolder); ok {
		return labrun.Libraries(), own
	}
	return s.FS, name
}

// Open implements fs.FS.
func (s Overlay) Open(name string) (fs.File, error) {
	folder, name := s.holder(name)
	return folder.Open(name)
}

// ReadFile implements fs.ReadFileFS: an editor's folder has texts that are not saved.
func (s Overlay) ReadFile(name string) ([]byte, error) {
	return fs.ReadFile(s.holder(name))
}

// InLibrary reports whether a file of an overlay is one of labrun's own.
func InLibrary(name string) bool { return strings.HasPrefix(name, libraryFolder) }

// LibraryNames are those that there are, as scripts write them.
func LibraryNames() []string {
	files, _ := fs.Glob(labrun.Libraries(), "*.star")
	for i, f := range files {
		files[i] = LibraryPrefix + f
	}
	return files
}

// libraryFile turns the name of a library into its path in an overlay.
func libraryFile(request string) (string, error) {
	name := strings.TrimPrefix(request, LibraryPrefix)
	if _, err := fs.Stat(labrun.Libraries(), path.Clean("/" + name)[1:]); err != nil || path.Ext(name) != ".star" {
		return "", fmt.Errorf("labrun has no library of that name%s: there are %s", builtins.Suggest(request, LibraryNames()), strings.Join(LibraryNames(), ", "))
	}
	return libraryFolder + name, nil
}

// ShownAs is what messages call a file of a mission's folder.
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
		return nil, "", notFound(real, err)
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

func notFound(file string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errMissing) {
		return &Error{Position: file, Message: "there is no such mission", Cause: ErrUnreadable}
	}
	return &Error{Position: file, Message: plainPathError(err).Error(), Cause: ErrUnreadable}
}

// largestScript bounds a script's size, in bytes.
const largestScript = 4 << 20

// ReadFile reads a file of a mission's folder. One that is too large for a script is a
// *Error.
func ReadFile(folder fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(folder, name)
	switch {
	case err != nil:
		return nil, plainPathError(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no file")
	case info.Size() > largestScript:
		return nil, &Error{Message: fmt.Sprintf("it has %d bytes: a script may have %d", info.Size(), largestScript)}
	}
	content, err := fs.ReadFile(folder, name)
	if err != nil {
		return nil, plainPathError(err)
	}
	return content, nil
}

// Clean returns a script's source without the byte order mark that some editors
// put before it. What is no text is refused here: the parser would blame a
// character that nobody sees.
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

// Resolve turns the argument of load in the file from into a path of the
// mission's folder.
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

// plainPathError drops Go's operation names and keeps the reason.
func plainPathError(err error) error {
	var pathError *fs.PathError
	switch {
	case !errors.As(err, &pathError):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return errMissing
	case strings.Contains(pathError.Err.Error(), "escapes"): // os.Root met a link to elsewhere; it exports no such error
		return errOutside
	}
	return pathError.Err
}
