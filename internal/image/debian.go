package image

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/labrun/labrun/internal/host"
)

// CheckDebian asks this machine's package sources for the releases of Debian that the
// images of these names are made of, and returns those. The error says what a user can do.
func (s *Store) CheckDebian(ctx context.Context, names ...string) (releases []string, err error) {
	for _, name := range names {
		for _, src := range s.lock.images[name].Sources {
			if src.Debian != "" && !slices.Contains(releases, src.Debian) {
				releases = append(releases, src.Debian)
			}
		}
	}
	slices.Sort(releases)
	const recipe = "sources"
	unlock, err := s.acquire(ctx, recipe, recipe)
	if err != nil {
		return releases, err
	}
	defer unlock()
	for _, release := range releases {
		work, err := s.workFolder(recipe, recipe)
		if err != nil {
			return releases, err
		}
		err = s.runScript(ctx, recipe, source{Recipe: recipe, Debian: release}, recipe, work, nil)
		if err := errors.Join(err, host.RemoveTree(work)); err != nil {
			return releases, err
		}
	}
	return releases, nil
}

// CanMake reports whether this computer has what Debian's packages are got with, of which images
// are made.
func CanMake() bool {
	_, err := exec.LookPath("apt-get")
	return err == nil
}

// NoApt is what to do where images cannot be made.
const NoApt = "this computer has no apt-get, with which images are made: get a finished one with `labrun images pull HOST/PATH:TAG`, " +
	"or of a file with `labrun images import FILE` (docs/bundles.md)"

// checkPackages compares the list of packages that is kept with an image with what
// its disk says is installed there, and its release with the one that it is to be.
// A disk without Debian's package manager says nothing. It needs debugfs, which is in
// e2fsprogs, as what makes the disks is.
func checkPackages(ctx context.Context, list, disk, release string) error {
	status, err := readFromDisk(ctx, disk, "/var/lib/dpkg/status")
	if errors.Is(err, exec.ErrNotFound) || err == nil && len(status) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	data, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		listed[strings.TrimSpace(line)] = true
	}
	var other []string
	for _, p := range installed(status) {
		if !listed[p] {
			other = append(other, p)
		}
	}
	if len(other) > 0 {
		return fmt.Errorf("its disk has packages that are not in its list: %s",
			strings.Join(other[:min(len(other), 5)], ", "))
	}
	about, err := readFromDisk(ctx, disk, "/usr/lib/os-release")
	if err != nil {
		return err
	}
	if !slices.Contains(strings.Split(string(about), "\n"), "VERSION_CODENAME="+release) {
		return fmt.Errorf("its disk does not have Debian's release %s, which images.lock asks for", release)
	}
	return nil
}

// installed returns the packages of dpkg's status file, as "name version".
func installed(status []byte) (packages []string) {
	name, version, ok := "", "", false
	lines := bufio.NewScanner(bytes.NewReader(append(status, '\n', '\n')))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case key == "Package":
			name = value
		case key == "Version":
			version = value
		case key == "Status":
			ok = strings.HasSuffix(value, " installed")
		case key == "" && ok:
			packages = append(packages, name+" "+version)
			ok = false
		}
	}
	return packages
}

// readFromDisk returns a file of a raw ext4 disk; nothing if it is not there.
func readFromDisk(ctx context.Context, disk, path string) ([]byte, error) {
	debugfs, err := exec.LookPath("debugfs")
	if err != nil {
		// not on an ordinary user's path
		if debugfs, err = exec.LookPath("/usr/sbin/debugfs"); err != nil {
			return nil, exec.ErrNotFound
		}
	}
	c := exec.CommandContext(ctx, debugfs, "-R", "cat "+path, filepath.Base(disk))
	c.Dir = filepath.Dir(disk) // whatever is in its name would be an option or quote
	out, err := c.Output()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("debugfs: %w", err)
	}
	return out, nil
}
