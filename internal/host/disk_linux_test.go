package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestDiskUsage(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/a/b", 0o755); err != nil {
		t.Fatal(err)
	}
	sparse, err := os.Create(dir + "/a/sparse")
	if err != nil {
		t.Fatal(err)
	}
	defer sparse.Close()
	if err := sparse.Truncate(1 << 30); err != nil {
		t.Fatal(err)
	}
	before := DiskUsage(dir)
	if before >= 1<<20 {
		t.Errorf("a hole takes %d bytes", before)
	}
	full := make([]byte, 1<<20)
	for i := range full {
		full[i] = byte(i) // no disk leaves that out
	}
	file := dir + "/a/b/full"
	if err := os.WriteFile(file, full, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil { // blocks may be counted when they are written
		t.Fatal(err)
	}
	if got := DiskUsage(file); got < 1<<20 {
		t.Errorf("a file of 1 MiB takes %d bytes", got)
	}
	if got := DiskUsage(dir) - before; got < 1<<20 {
		t.Errorf("it adds %d bytes to its folder", got)
	}
	if got := DiskUsage(dir + "/none"); got != 0 {
		t.Errorf("nothing takes %d bytes", got)
	}
}

func TestFreeSpace(t *testing.T) {
	if free, err := FreeSpace(t.TempDir()); err != nil || free < 0 {
		t.Errorf("%d bytes, %v", free, err)
	}
	if _, err := FreeSpace("/none"); err == nil || !strings.Contains(err.Error(), "/none") {
		t.Errorf("error %v, want one that names the folder", err)
	}
	for err, want := range map[error]bool{
		fmt.Errorf("write: %w", syscall.ENOSPC): true, &os.PathError{Err: syscall.EDQUOT}: true, syscall.EIO: false,
	} {
		if DiskFull(err) != want {
			t.Errorf("%v: full is %v", err, !want)
		}
	}
}

func TestRemoveTree(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "work")
	if err := os.MkdirAll(dir+"/a", 0o755); err != nil {
		t.Fatal(err)
	}
	was := proc
	defer func() { proc = was }()
	for _, mounted := range []string{dir, dir + "/dev", dir + `/a\040b`} {
		proc = files("self/mountinfo", "22 1 0:5 / /else rw - x x rw\n23 22 0:6 / "+mounted+" rw - devtmpfs udev rw\n")
		if err := RemoveTree(dir); err == nil || !strings.Contains(err.Error(), unescapeMount(mounted)+" is mounted") {
			t.Errorf("%s: error %v", mounted, err)
		}
	}
	proc = files("self/mountinfo", "23 22 0:6 / "+dir+"-another/dev rw - devtmpfs udev rw\n")
	if err := RemoveTree(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}
