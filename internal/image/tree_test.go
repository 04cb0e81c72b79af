package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// TestTree: what is read of a folder on disk is what the guest gets.
func TestTree(t *testing.T) {
	dir := t.TempDir()
	for _, step := range []error{
		os.MkdirAll(filepath.Join(dir, "pack/in"), 0o755), os.Chmod(filepath.Join(dir, "pack/in"), fs.ModeSetgid|0o750),
		os.Chmod(filepath.Join(dir, "pack"), 0o755),
		os.WriteFile(filepath.Join(dir, "pack/run"), []byte("#!/bin/sh\n"), 0o755), os.Chmod(filepath.Join(dir, "pack/run"), fs.ModeSetuid|0o755),
		os.WriteFile(filepath.Join(dir, "pack/in/data"), []byte("\x00\xff"), 0o600),
		os.Symlink("in/data", filepath.Join(dir, "pack/link")),
		os.Symlink("pack", filepath.Join(dir, "alias")),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var tree Tree
	if err := tree.Add(root.FS(), "alias", "/opt/lab/", "niko:users"); err != nil {
		t.Fatal(err)
	}
	archive := tree.Archive()
	const script = `set -e
umask 022
grep -q '^niko:' /etc/passwd || { echo 'there is no user niko'; exit 1; }
grep -q '^users:' /etc/group || { echo 'there is no group users'; exit 1; }
[ -d '/opt/lab' ] || { mkdir -p '/opt/lab' && chown niko:users '/opt/lab' && chmod 0755 '/opt/lab'; }
[ -d '/opt/lab/in' ] || { mkdir -p '/opt/lab/in' && chown niko:users '/opt/lab/in' && chmod 2750 '/opt/lab/in'; }
tar -x -m -p -f '/a b' -C /
`
	if got := tree.Script("/a b"); got != script {
		t.Errorf("script:\n%s", got)
	}
	var got []string
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(r)
		got = append(got, fmt.Sprintf("%s %o %s %s%q", h.Name, h.Mode, h.Uname, h.Linkname, data))
	}
	want := `opt/lab/in/data 600 niko "\x00\xff", opt/lab/link 777 niko in/data"", opt/lab/run 4755 niko "#!/bin/sh\n"`
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got %s\nwant %s", s, want)
	}
}

// TestTreeInProgram: files of a mission that is in labrun have no modes of their own.
func TestTreeInProgram(t *testing.T) {
	var disk, program Tree
	for tree, mode := range map[*Tree][2]fs.FileMode{&disk: {0o755, 0o644}, &program: {0o444, 0o444}} {
		folder := fstest.MapFS{"pack/check": {Data: []byte("#!/bin/sh\n"), Mode: mode[0]}, "pack/text": {Data: []byte("a\n"), Mode: mode[1]}}
		if tree == &disk {
			folder["pack"] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
		}
		if err := tree.Add(folder, "pack", "/opt", ""); err != nil {
			t.Fatal(err)
		}
	}
	var a, b bytes.Buffer
	disk.hash(&a)
	program.hash(&b)
	if a.String() != b.String() {
		t.Errorf("they differ:\n%q\n%q", a.String(), b.String())
	}
}

func TestTreeRefuses(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	folder := filepath.Join(dir, "mission")
	for _, step := range []error{
		os.MkdirAll(filepath.Join(folder, "pack"), 0o755), os.MkdirAll(filepath.Join(folder, "far"), 0o755), os.MkdirAll(filepath.Join(folder, "circle"), 0o755),
		os.WriteFile(filepath.Join(outside, "secret"), nil, 0o644), os.WriteFile(filepath.Join(folder, "file"), nil, 0o644),
		os.Symlink(outside, filepath.Join(folder, "out")), os.Symlink("../mission", filepath.Join(folder, "up")),
		os.Symlink(filepath.Join(outside, "secret"), filepath.Join(folder, "pack/secret")),
		os.Symlink("../file", filepath.Join(folder, "far/file")), os.Symlink("circle", filepath.Join(folder, "round")),
		os.Symlink("loop", filepath.Join(folder, "loop")),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, c := range []struct{ name, guest, owner, want string }{
		{"../mission", "/a", "", "../mission leads out of the mission's folder"},
		{"/etc", "/a", "", "/etc leads out of the mission's folder"},
		{"out", "/a", "", "out: it leads out of the mission's folder"},
		{"up", "/a", "", "up: it leads out of the mission's folder"},
		{"loop", "/a", "", "loop: "},
		{"pack", "/a", "", "pack/secret: it is a link to " + filepath.Join(outside, "secret") + ", which is not in the same folder"},
		{"far", "/a", "", "far/file: it is a link to ../file"},
		{"none", "/a", "", "none: there is no such file"},
		{"file", "a", "", `"a" is no absolute path`},
		{"file", "/a/../b", "", "no absolute path"},
		{"file", "/", "", "say what it is called"},
		{"file", "/proc/a", "", "is not kept"},
		{"file", "/a", "no one", `owner "no one"`},
	} {
		var tree Tree
		err := tree.Add(root.FS(), c.name, c.guest, c.owner)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s at %s: got %v, want %q", c.name, c.guest, err, c.want)
		}
	}
	var tree Tree
	if err := tree.Add(root.FS(), "file", "/a", ""); err != nil {
		t.Fatal(err)
	}
	if err := tree.Add(root.FS(), "file", "/a", ""); err == nil {
		t.Error("the same path twice is taken")
	}
}
