//go:build linux

// Package labtest has what tests of several packages need: a guest that labrun did not make.
package labtest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/image"
)

// Router7Cache returns a folder for LABRUN_CACHE in which router7 is a guest with the habits of the real one,
// added as a
// user adds a disk image. All else in it is the user's cache, so no other image is built again.
//
// Its disk boots by BIOS and has no control channel. On its console, which Go programs log onto, there is a shell only
// after Enter, and that not from the beginning; it is BusyBox 1.34.1's ash, with no sh and no user names beside it. Its
// cards have other names for some seconds, and before the first lease there is no file of leases.
func Router7Cache(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("makes a disk and boots it: run without -short")
	}
	lock, err := image.ParseLock(labrun.ImagesLock)
	if err != nil {
		t.Fatal(err)
	}
	users, err := image.Open(image.StoreOptions{Lock: lock})
	if err != nil {
		t.Fatal(err)
	}
	defer users.Close()
	disk, err := router7Disk(t.Context(), filepath.Join(users.Dir(), "tests"))
	if err != nil {
		t.Fatal("make the test guest: ", err)
	}
	dir := t.TempDir()
	entries, err := os.ReadDir(users.Dir())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "added" || e.Name() == "tests" {
			continue
		}
		if err := os.Symlink(filepath.Join(users.Dir(), e.Name()), filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	own, err := image.Open(image.StoreOptions{Lock: lock, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if _, err := own.Add(t.Context(), "router7", disk, image.Wish{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// router7Disk returns the guest's disk image, which is made once for all tests, in folder.
func router7Disk(ctx context.Context, folder string) (string, error) {
	_, here, _, _ := runtime.Caller(0)
	module := filepath.Join(filepath.Dir(here), "router7")
	sum := sha256.New()
	err := filepath.WalkDir(filepath.Dir(here), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintln(sum, path, len(data))
		sum.Write(data)
		return err
	})
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	lock := flock.New(filepath.Join(folder, "lock"))
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return "", err
	}
	defer lock.Unlock()
	disk := filepath.Join(folder, fmt.Sprintf("router7-%.8x.img", sum.Sum(nil)))
	if _, err := os.Stat(disk); err == nil {
		return disk, nil
	}
	old, _ := filepath.Glob(filepath.Join(folder, "router7-*"))
	for _, path := range old {
		os.RemoveAll(path)
	}
	work, err := os.MkdirTemp(folder, "router7-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	g := guest{ctx: ctx, module: module, work: work, disk: filepath.Join(work, "disk.img")}
	if err := g.build(); err != nil {
		return "", err
	}
	return disk, os.Rename(g.disk, disk)
}

// The disk is laid out as gokrazy's are, in sectors. Its boot partition is no FAT: the boot sector reads the kernel's
// sectors anyway. PARTUUID names the disk by the signature in its first sector.
const (
	sector = 512
	mib    = 1 << 20 / sector

	boot, root, root2, perm, end = 1 * mib, 33 * mib, 97 * mib, 98 * mib, 130 * mib

	signature = 0x6c616272
	// The kernel's own, as gokrazy's packer completes it; rootdelay is ten seconds without a word.
	cmdline = "console=ttyS0,115200 root=PARTUUID=6c616272-02 ro init=/gokrazy/init panic=10 oops=panic rootdelay=10 pci=nommconf"
)

// files are those of the guest that no Go module has.
var files = map[string]string{
	"root/etc/hostname":    "router7",
	"root/etc/hosts":       "127.0.0.1 localhost\n::1 localhost\n",
	"root/etc/gokr-pw.txt": "of the test guest's web server\n",
	"perm/interfaces.json": `{"interfaces": [
	{"hardware_addr": "52:55:00:d1:55:03", "name": "uplink0"},
	{"hardware_addr": "52:55:00:d1:55:04", "name": "lan0", "addr": "10.254.0.1/24"}
]}
`,
}

// links are the guest's symbolic links; router7's daemons are one program under several names.
var links = map[string]string{
	"root/etc/resolv.conf":     "/tmp/resolv.conf",
	"root/var":                 "/perm/var",
	"root/user/dhcp4":          "/gokrazy/init",
	"root/user/dhcp4d":         "/gokrazy/init",
	"root/user/dnsd":           "/gokrazy/init",
	"root/user/netconfigd":     "/gokrazy/init",
	"root/user/serial-busybox": "/gokrazy/init",
}

// guest is a disk in the making: work holds its file systems' folders, root and perm.
type guest struct {
	ctx                context.Context
	module, work, disk string
}

func (g guest) build() error {
	for _, dir := range []string{
		"dev", "etc", "gokrazy", "mnt", "perm", "proc", "run", "sys", "tmp", "user", "usr/local/bin", "../perm",
	} {
		if err := os.MkdirAll(filepath.Join(g.work, "root", dir), 0o755); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(g.work, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(g.work, name)); err != nil {
			return err
		}
	}
	if _, err := g.run(
		"go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(g.work, "root/gokrazy/init"), ".",
	); err != nil {
		return err
	}
	busybox, err := g.moduleFile("github.com/gokrazy/serial-busybox", "third_party/busybox-1.34.1/busybox.amd64")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(g.work, "root/usr/local/bin/busybox"), busybox, 0o755); err != nil {
		return err
	}
	if err := g.writeSectors(); err != nil {
		return err
	}
	if err := g.mke2fs("root", root, root2); err != nil {
		return err
	}
	return g.mke2fs("perm", perm, end)
}

// writeSectors writes the boot sector, which knows where kernel and command line are, and those.
func (g guest) writeSectors() error {
	kernel, err := g.moduleFile("github.com/gokrazy/kernel.amd64", "vmlinuz")
	if err != nil {
		return err
	}
	loader, err := g.moduleFile("github.com/gokrazy/internal", "mbr/bootloader.img")
	if err != nil {
		return err
	}
	first := loader[:432:432]
	first = binary.LittleEndian.AppendUint32(first, boot+1)
	first = binary.LittleEndian.AppendUint32(first, boot)
	first = binary.LittleEndian.AppendUint32(first, signature)
	first = append(first, 0, 0)
	for i, start := range []uint32{boot, root, root2, perm} {
		entry := [16]byte{4: 0x83} // a Linux partition
		binary.LittleEndian.PutUint32(entry[8:], start)
		binary.LittleEndian.PutUint32(entry[12:], []uint32{root, root2, perm, end}[i]-start)
		first = append(first, entry[:]...)
	}
	first = append(first, 0x55, 0xaa)

	disk, err := os.Create(g.disk)
	if err != nil {
		return err
	}
	defer disk.Close()
	for at, data := range map[int64][]byte{
		0: first, boot: append([]byte(cmdline), make([]byte, sector-len(cmdline))...), boot + 1: kernel,
	} {
		if _, err := disk.WriteAt(data, at*sector); err != nil {
			return err
		}
	}
	if err := disk.Truncate(end * sector); err != nil {
		return err
	}
	return disk.Close()
}

// mke2fs writes a folder of work as a file system into the sectors from start to end.
func (g guest) mke2fs(folder string, start, end int64) error {
	// an ordinary user's path has no sbin
	_, err := g.run("sh", "-c", `PATH=$PATH:/usr/sbin:/sbin exec mke2fs "$@"`, "sh", "-q", "-t", "ext4", "-d",
		filepath.Join(g.work, folder),
		"-E", fmt.Sprintf("root_owner=0:0,offset=%d", start*sector), g.disk,
		fmt.Sprintf("%dk", (end-start)*sector/1024))
	return err
}

// moduleFile reads a file of a Go module that the guest's go.mod names.
func (g guest) moduleFile(module, name string) ([]byte, error) {
	dir, err := g.run("go", "list", "-m", "-f", "{{.Dir}}", module)
	if err == nil && dir == "" { // nothing of it is compiled
		_, err = g.run("go", "mod", "download", module)
		if err == nil {
			dir, err = g.run("go", "list", "-m", "-f", "{{.Dir}}", module)
		}
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, name))
}

// run runs a program in the guest's module and returns what it prints, without the newline.
func (g guest) run(name string, args ...string) (string, error) {
	cmd := exec.CommandContext(g.ctx, name, args...)
	cmd.Dir = g.module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOWORK=off", "GOFLAGS=-mod=readonly")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %v: %s", name, strings.Join(args, " "), err, cmp.Or(stderr.String(), string(out)))
	}
	return strings.TrimSpace(string(out)), nil
}
