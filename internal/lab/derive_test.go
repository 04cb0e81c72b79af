package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/image"
)

// TestDerivedImage makes an image of Debian with packages, files and a script, boots it, and
// again from its saved state. In between, files are put into it. Of the packages, dpkg unpacks
// one, and only runs the scripts of the other, which build has found to need no more.
func TestDerivedImage(t *testing.T) {
	needsMachines(t)
	lock, err := image.ParseLock(labrun.ImagesLock)
	if err != nil {
		t.Fatal(err)
	}
	store, err := image.Open(image.StoreOptions{Lock: lock, Recipes: labrun.Images(), Boot: Bench})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	folder := fstest.MapFS{
		"pack/check": {Data: []byte("#!/bin/sh\necho checked\n"), Mode: 0o755}, "pack/it's": {Data: []byte("\x00\xff"), Mode: 0o640},
		"pack": {Mode: fs.ModeDir | 0o750}, "own": {Data: []byte("text"), Mode: 0o755},
	}
	// The time makes it an image that nobody has yet.
	d := &image.Derivation{From: "debian", Packages: []string{"sudo", "ed"}, Files: &image.Tree{}, Setup: &image.Setup{Name: "install.sh", Text: fmt.Appendf(nil,
		"#!/bin/bash -e\n# %v\n[[ $(id -un) = root && -x /usr/bin/sudo ]]\nuseradd -m niko\ncp /opt/lab/check /home/niko/\necho 'niko ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/niko\n",
		time.Now())}}
	for _, f := range []struct{ name, guest, owner string }{{"pack", "/opt/lab", ""}, {"own", "/own", "daemon"}} {
		if err := d.Files.Add(folder, f.name, f.guest, f.owner); err != nil {
			t.Fatal(err)
		}
	}
	config := Config{Machines: []MachineConfig{{Name: "box", Image: "debian", Derived: d}}}
	ctx := context5(t)
	news := listen()
	run := func() {
		l := newLabWith(t, config, Options{Store: store, Events: &news.Log})
		m := l.Machine("box")
		if err := l.Boot(ctx, m); err != nil {
			t.Fatal(err)
		}
		if _, err := m.WaitPrompt(ctx); err != nil {
			t.Fatal(err)
		}
		r, err := m.Run(ctx, "stat -c '%a %U %n' /opt/lab /opt/lab/* /own; runuser -u niko -- sudo id -un; ~niko/check; dpkg --audit; dpkg --verify ed sudo | grep -v /usr/share/; update-alternatives --list editor | grep -x /bin/ed; ls /usr/sbin/policy-rc.d /run/labrun-parts", time.Minute)
		want := "750 root /opt/lab\n755 root /opt/lab/check\n640 root /opt/lab/it's\n755 daemon /own\nroot\nchecked\n/bin/ed\n"
		if err != nil || r.Stdout != want || strings.Count(r.Stderr, "No such file") != 2 {
			t.Errorf("%v; got %s%s\nwant %s", err, r.Stdout, r.Stderr, want)
		}
		var late image.Tree
		if err := late.Add(folder, "pack", "/srv/new/pack", "niko:niko"); err != nil {
			t.Fatal(err)
		}
		if err := m.Put(ctx, &late); err != nil {
			t.Fatal(err)
		}
		r, err = m.Run(ctx, `stat -c '%a %U' /srv/new/pack/*; od -An -tx1 "/srv/new/pack/it's"; ls -A /tmp | grep put`, time.Minute)
		if err != nil || r.Stdout != "755 niko\n640 niko\n 00 ff\n" {
			t.Errorf("put: %v; got %s%s", err, r.Stdout, r.Stderr)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	run()
	name, err := store.Derive(d)
	if err != nil {
		t.Fatal(err)
	}
	img, err := store.Ensure(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // nobody will need it
		store.Close()
		templates, _ := filepath.Glob(filepath.Join(store.Dir(), "templates", name+"-*"))
		for _, dir := range append(templates, filepath.Dir(img.Disk)) {
			if err := os.RemoveAll(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
		}
	})
	if !strings.Contains(strings.Join(img.Has, " "), "sudo") || strings.Contains(strings.Join(img.Lacks, " "), "sudo") {
		t.Errorf("it has %v and lacks %v", img.Has, img.Lacks)
	}
	list, err := os.ReadFile(img.Packages)
	if err != nil || !strings.Contains(string(list), "\nsudo 1.") {
		t.Errorf("its packages: %v, %s", err, list)
	}
	run()
	if _, machines := news.all(); !strings.Contains(machines, "warm") {
		t.Errorf("it was not restored: %s", machines)
	}
}
