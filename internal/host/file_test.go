package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// written writes to a path and returns what a file then holds.
func written(t *testing.T, path, file string) string {
	t.Helper()
	if err := CheckFile(path); err != nil {
		t.Fatalf("check %s: %v", path, err)
	}
	if err := WriteFile(path, []byte("new"), 0o644); err != nil {
		t.Fatalf("write %s: %v", path, err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(dir+"/a/b", 0o755))
	must(os.WriteFile(dir+"/a/old", []byte("old and longer"), 0o640))
	must(os.Symlink("../a/old", dir+"/a/link"))
	must(os.Symlink("link", dir+"/a/chain"))
	must(os.Symlink("b", dir+"/a/folder"))
	must(os.Symlink("not-yet", dir+"/a/b/dangling"))
	for path, file := range map[string]string{
		"a/fresh": "a/fresh", "a/old": "a/old", "a/link": "a/old", "a/chain": "a/old",
		"a/folder/in": "a/b/in", "a/folder/../beside": "a/beside", "a/folder/dangling": "a/b/not-yet",
	} {
		if got := written(t, dir+"/"+path, dir+"/"+file); got != "new" {
			t.Errorf("%s: %s holds %q", path, file, got)
		}
	}
	for _, link := range []string{"a/link", "a/chain", "a/folder", "a/b/dangling"} {
		if info, err := os.Lstat(dir + "/" + link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s is no link any more (%v)", link, err)
		}
	}
	if info, err := os.Stat(dir + "/a/old"); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the old file's mode is %v (%v), want it kept", info.Mode(), err)
	}
	if left, _ := filepath.Glob(dir + "/a/.*"); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

func TestWriteFileInPlace(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := CheckFile(pipe); err != nil { // nobody reads it yet
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		f, err := os.Open(pipe)
		if err != nil {
			read <- err.Error()
			return
		}
		defer f.Close()
		data, _ := io.ReadAll(f)
		read <- string(data)
	}()
	if err := WriteFile(pipe, []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := <-read; got != "new" {
		t.Errorf("the pipe's reader got %q", got)
	}
	if info, err := os.Lstat(pipe); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("the pipe is %v now (%v)", info.Mode(), err)
	}

	// A link to a device: the device is written to, and neither replaced.
	full := filepath.Join(t.TempDir(), "full")
	if err := os.Symlink("/dev/full", full); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(full, []byte("new"), 0o644); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v, want that no space is left", err)
	}
	if to, _ := os.Readlink(full); to != "/dev/full" {
		t.Errorf("the link leads to %q now", to)
	}
}

func TestWriteFileThatIsOpen(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("old, "); err != nil {
		t.Fatal(err)
	}
	if got := written(t, fmt.Sprintf("/dev/fd/%d", f.Fd()), f.Name()); got != "old, new" {
		t.Errorf("the open file holds %q", got)
	}
}

func TestUnwritableFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("two", dir+"/one"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("one", dir+"/two"); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		dir: "it is a folder: name a file in it", dir + "/no/file": "no such file or directory", dir + "/one": "too many levels of symbolic links",
	} {
		for _, err := range []error{CheckFile(path), WriteFile(path, nil, 0o644)} {
			if err == nil || !strings.HasSuffix(err.Error(), says) {
				t.Errorf("%s: error %v, want %q", path, err, says)
			}
		}
	}
}
