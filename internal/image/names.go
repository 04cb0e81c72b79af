package image

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/google/renameio/v2"
)

// Which packages Debian has is known where the lists are at hand: those of the last image
// that was made of packages, else those of this computer, if it is a Debian of the same release.

// packageName is a package as apt-get takes it; the rest of what that takes (name/suite, name-, patterns) is not for missions.
var packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]+(=[A-Za-z0-9.+~:-]+)?$`)

// UnknownPackageError says that there is no package of a name.
type UnknownPackageError struct {
	Package, Release string
	Like             string // a name that may have been meant; empty: none
}

func (e *UnknownPackageError) Error() string {
	meant := ""
	if e.Like != "" {
		meant = fmt.Sprintf(" (did you mean %s?)", e.Like)
	}
	return fmt.Sprintf("Debian %s has no package %s%s", e.Release, e.Package, meant)
}

// namesFile is where the names of a release's packages are kept in the cache.
func namesFile(dir, release string) string { return filepath.Join(dir, "packages", release) }

// keepNames keeps the names of a release's packages. It is best effort: without it, check
// knows less.
func (s *Store) keepNames(release string, names []byte) {
	path := namesFile(s.dir, release)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
		_ = renameio.WriteFile(path, names, 0o644)
	}
}

// checkNames looks for packages in a release of Debian. Where nothing is known of it, all are there.
func checkNames(release string, packages []string) error {
	var known []string
	if dir, err := cacheDir(""); err == nil {
		if data, err := os.ReadFile(namesFile(dir, release)); err == nil {
			known = strings.Fields(string(data))
		}
	}
	if known == nil {
		known = hostNames(release)
	}
	if len(known) == 0 {
		return nil
	}
	slices.Sort(known)
	for _, p := range packages {
		name, _, _ := strings.Cut(p, "=")
		if _, ok := slices.BinarySearch(known, name); !ok {
			return &UnknownPackageError{name, release, nearest(name, known)}
		}
	}
	return nil
}

// hostNames are the packages that this computer's own lists have, if it is of that release.
func hostNames(release string) []string {
	about, err := os.ReadFile("/etc/os-release")
	if err != nil || !bytes.Contains(about, []byte("VERSION_CODENAME="+release+"\n")) || !bytes.Contains(about, []byte("ID=debian\n")) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "apt-cache", "pkgnames").Output()
	names := strings.Fields(string(out))
	if err != nil || len(names) < 10_000 { // it knows what is installed, and has no lists
		return nil
	}
	return names
}

// nearest is the name that may have been meant; empty if none is near. Among so many names there are often
// several that are: two letters in the wrong order are likelier than two wrong ones, and the first is
// seldom wrong.
func nearest(name string, known []string) string {
	best, least := "", 2*(1+len(name)/3)+2
	for _, candidate := range known {
		if apart := len(candidate) - len(name); 2*apart >= least || -2*apart >= least {
			continue
		}
		cost := 2 * levenshtein.ComputeDistance(name, candidate)
		if cost == 4 && letters(name) == letters(candidate) {
			cost = 2
		}
		if candidate[0] != name[0] {
			cost++
		}
		if cost < least {
			best, least = candidate, cost
		}
	}
	return best
}

// letters are the letters of a name in their own order.
func letters(name string) string {
	all := []byte(name)
	slices.Sort(all)
	return string(all)
}
