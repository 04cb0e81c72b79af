//go:build linux

package fakeqemu

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// rootfs are the guest's own programs.
//
//go:embed rootfs
var rootfs embed.FS

// hosts are the folders with the host's programs, which a guest may read, and machinery are those of the kernel:
// neither
// are on the guest's disk.
var (
	hosts     = []string{"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"}
	machinery = []string{"proc", "sys", "dev", "run", "tmp"}
)

// makeRoot gives the guest a root folder in memory, with nothing of the host but its programs, and goes there.
// The process
// is alone in its mount namespace.
func makeRoot(start begin) error {
	const at, old = "/tmp", "old"
	steps := []func() error{
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return unix.Mount("guest", at, "tmpfs", unix.MS_NOSUID, "size=64m,mode=755") },
		func() error { return os.Chdir(at) },
		func() error { return os.Mkdir(old, 0o700) },
		bindHost,
		func() error { return unix.PivotRoot(".", old) },
		func() error { return os.Chdir("/") },
		func() error { return mountKernel(start) },
		func() error { return unix.Unmount("/"+old, unix.MNT_DETACH) },
		func() error { return os.Remove("/" + old) },
		ownPrograms,
		func() error { return files(start) },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("make the root folder, step %d: %w", i, err)
		}
	}
	return nil
}

// bindHost makes the host's programs appear in the working folder, read-only.
func bindHost() error {
	for _, name := range hosts {
		from := "/" + name
		info, err := os.Lstat(from)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(from)
			if err == nil {
				err = os.Symlink(to, name)
			}
			if err != nil {
				return err
			}
		default:
			if err := os.Mkdir(name, 0o755); err != nil {
				return err
			}
			if err := bind(from, name); err != nil {
				return err
			}
		}
	}
	for _, name := range []string{"etc/alternatives", "etc/ld.so.cache"} { // without them some programs are not found
		info, err := os.Stat("/" + name)
		if err != nil {
			continue
		}
		if info.IsDir() {
			err = os.MkdirAll(name, 0o755)
		} else if err = os.MkdirAll(filepath.Dir(name), 0o755); err == nil {
			err = os.WriteFile(name, nil, 0o644)
		}
		if err == nil {
			err = bind("/"+name, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bind makes a file or folder appear elsewhere, read-only.
func bind(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return &os.PathError{Op: "bind", Path: from, Err: err}
	}
	err := unix.MountSetattr(unix.AT_FDCWD, to, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	if err != nil && !errors.Is(err, unix.ENOSYS) { // before Linux 5.12; the files' owner is not the guest's root anyway
		return &os.PathError{Op: "make read-only", Path: to, Err: err}
	}
	return nil
}

// bootID is where Linux tells one boot of a machine from another.
const bootID = "/proc/sys/kernel/random/boot_id"

// mountKernel mounts /proc and makes /dev. /sys holds what labrun and students look at, as files.
func mountKernel(start begin) error {
	for _, name := range append(machinery, "dev/pts", "sys/bus/pci", "sys/class/net/lo") {
		if err := os.MkdirAll("/"+name, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		// In a container that hides parts of it, there can be no other than its own.
		if err := unix.Mount("/old/proc", "/proc", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return &os.PathError{Op: "mount", Path: "/proc", Err: err}
		}
	}
	if err := unix.Mount(
		"devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666",
	); err != nil {
		return &os.PathError{Op: "mount", Path: "/dev/pts", Err: err}
	}
	for name, to := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
		"stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(to, "/dev/"+name); err != nil {
			return err
		}
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := overlay("/old/dev/"+name, "/dev/"+name); err != nil {
			return err
		}
	}
	for _, name := range []string{initctl, initctlDone, sysrq} {
		if err := unix.Mkfifo(name, 0o600); err != nil {
			return &os.PathError{Op: "make a pipe", Path: name, Err: err}
		}
	}
	// A «c» written there panics, at its usual place, too, where the host's kernel has it.
	if err := unix.Mount(
		sysrq, "/proc/sysrq-trigger", "", unix.MS_BIND, "",
	); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &os.PathError{Op: "bind", Path: "/proc/sysrq-trigger", Err: err}
	}
	id := rand.Text() + "\n"
	if start.Saved != nil {
		id = start.Saved.Guest.BootID
	}
	if err := errors.Join(
		os.WriteFile("/dev/boot_id", []byte(id), 0o444), unix.Mount("/dev/boot_id", bootID, "", unix.MS_BIND, ""),
	); err != nil {
		return &os.PathError{Op: "bind", Path: bootID, Err: err}
	}
	return errors.Join(
		os.WriteFile("/sys/bus/pci/rescan", nil, 0o600),
		os.WriteFile("/sys/class/net/lo/address", []byte("00:00:00:00:00:00\n"), 0o444),
	)
}

// overlay makes a file appear at another path, which may not be there yet.
func overlay(from, to string) error {
	if err := os.WriteFile(to, nil, 0o600); err != nil {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return &os.PathError{Op: "bind " + from, Path: to, Err: err}
	}
	return nil
}

// ownPrograms puts the guest's own programs before the host's, at the first place that every PATH of a guest names.
func ownPrograms() error {
	if err := unix.Mount("local", "/usr/local", "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return &os.PathError{Op: "mount", Path: "/usr/local", Err: err}
	}
	if err := os.Mkdir("/usr/local/sbin", 0o755); err != nil {
		return err
	}
	// The guest's first process is the test's program.
	if err := os.Symlink("/proc/1/exe", "/usr/local/sbin/"+pingName); err != nil {
		return err
	}
	list, err := rootfs.ReadDir("rootfs")
	if err != nil {
		return err
	}
	for _, f := range list {
		data, err := rootfs.ReadFile("rootfs/" + f.Name())
		if err == nil {
			err = os.WriteFile("/usr/local/sbin/"+f.Name(), data, 0o755)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// files fills the guest's root folder from its disk, or as a new one.
func files(start begin) error {
	if start.Files != nil {
		return unpack(start.Files)
	}
	folders := append([]string{"root", "home", "etc", "etc/ssh", "var/log", "srv", "opt", "mnt"}, start.Folders...)
	for _, name := range folders {
		if err := os.MkdirAll("/"+name, 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod("/root", 0o700); err != nil {
		return err
	}
	for name, content := range map[string]string{
		"passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n", "group": "root:x:0:\n",
		"hostname": start.Hostname + "\n", "hosts": "127.0.0.1 localhost\n", "shells": "/bin/sh\n",
		"machine-id": strings.Repeat("0", 32) + "\n",
	} {
		if err := os.WriteFile("/etc/"+name, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// onDisk tells whether a path without its first slash is on the guest's disk. What was in /run and /tmp is kept
// with it, for
// a guest that goes on; one that boots forgets it.
func onDisk(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	skip := slices.Contains(hosts, first) || slices.Contains(machinery[:3], first)
	return !skip && path != "etc/alternatives" && path != "etc/ld.so.cache"
}

// pack returns what is on the guest's disk.
func pack() ([]byte, error) {
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	err := filepath.WalkDir("/", func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, "/")
		switch {
		case errors.Is(err, fs.ErrNotExist): // it was removed meanwhile
			return nil
		case err != nil || name == "":
			return err
		case !onDisk(name):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		link := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			if link, err = os.Readlink(path); err != nil {
				return nil
			}
		} else if !info.Mode().IsRegular() && !info.IsDir() {
			return nil
		}
		header, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		header.Name = name
		var content []byte
		if info.Mode().IsRegular() {
			if content, err = os.ReadFile(path); err != nil {
				return nil
			}
			header.Size = int64(len(content))
		}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		_, err = archive.Write(content)
		return err
	})
	return buffer.Bytes(), errors.Join(err, archive.Close())
}

// unpack puts everything back.
func unpack(data []byte) error {
	for archive := tar.NewReader(bytes.NewReader(data)); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the disk: %w", err)
		}
		path, info := "/"+header.Name, header.FileInfo()
		switch header.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(path, 0o700)
		case tar.TypeSymlink:
			if err = os.Symlink(header.Linkname, path); err != nil {
				return err
			}
			continue
		default:
			var content []byte
			if content, err = io.ReadAll(archive); err == nil {
				err = os.WriteFile(path, content, 0o600)
			}
		}
		if err == nil {
			err = os.Chmod(path, info.Mode().Perm()|info.Mode()&(fs.ModeSticky|fs.ModeSetgid|fs.ModeSetuid))
		}
		if err == nil {
			err = os.Chtimes(path, header.ModTime, header.ModTime)
		}
		if err != nil {
			return err
		}
	}
}
