package image

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Derivation is what an image has beyond the one that it is made of. It is not changed once
// it is in use.
type Derivation struct {
	From     string   // the name of the other image
	Packages []string // names of packages of Debian's; «name=version» for a certain one
	Files    *Tree    // nil: none
	Setup    *Setup   // nil: none
}

// Setup is a script that the guest runs once, as root, when all else is there.
type Setup struct {
	Name string // of its file, for people
	Text []byte
}

// ReadSetup reads a setup script of a mission's folder.
func ReadSetup(folder fs.FS, name string) (*Setup, error) {
	if !fs.ValidPath(name) || name == "." {
		return nil, fmt.Errorf("%s leads out of the mission's folder", name)
	}
	info, err := fs.Stat(folder, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, plainCause(err))
	}
	if !info.Mode().IsRegular() || info.Size() > maxSetup {
		return nil, fmt.Errorf("%s is no file of at most 1 MiB", name)
	}
	text, err := fs.ReadFile(folder, name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, plainCause(err))
	case len(bytes.TrimSpace(text)) == 0:
		return nil, fmt.Errorf("%s is empty", name)
	case bytes.Contains(text, []byte("\r\n")):
		return nil, fmt.Errorf("%s has the line ends of Windows, which no shell understands: save it with those of Unix (LF)", name)
	}
	return &Setup{Name: name, Text: text}, nil
}

const maxSetup = 1 << 20

// Digest is a hexadecimal SHA-256 of all of it, of the packages by name.
func (d *Derivation) Digest() string {
	h := sha256.New()
	packages := slices.Clone(d.Packages)
	slices.Sort(packages)
	fmt.Fprintf(h, "%q %q\n", d.From, slices.Compact(packages))
	d.Files.hash(h)
	if d.Setup != nil {
		fmt.Fprintln(h, "setup", len(d.Setup.Text))
		h.Write(d.Setup.Text)
	}
	return hexSum(h)
}

// String describes it for people.
func (d *Derivation) String() string {
	return described(d.From, d.Packages, d.roots(), d.setupName())
}

func (d *Derivation) roots() []string {
	if d.Files == nil {
		return nil
	}
	return d.Files.Roots
}

func (d *Derivation) setupName() string {
	if d.Setup == nil {
		return ""
	}
	return d.Setup.Name
}

func described(from string, packages, files []string, setup string) string {
	parts := slices.Clone(packages)
	if len(files) > 0 {
		parts = append(parts, "files in "+strings.Join(files, ", "))
	}
	if setup != "" {
		parts = append(parts, "what "+setup+" does")
	}
	return from + " with " + strings.Join(parts, ", ")
}

// derivedRecord is what a manifest keeps of it.
type derivedRecord struct {
	Name     string   `json:"name"`
	From     string   `json:"from"`
	Base     string   `json:"base"` // the folder in builds/ of the image that it was made of
	Packages []string `json:"packages,omitempty"`
	Files    []string `json:"files,omitempty"` // where in the guest
	Setup    string   `json:"setup,omitempty"`
	Programs []string `json:"programs,omitempty"` // that the other image lacks
}

// Whys of images that nothing can be made of.
var (
	errNoChannel = errors.New("labrun has no control channel to it, by which it could be changed")
	errNoDisk    = errors.New("it has no disk, so nothing that is installed would stay; put(…) copies files there at run time")
)

// CheckDerivation says whether an image can be made of another one so, as far as that is
// known beforehand.
func (l *Lock) CheckDerivation(d *Derivation) error {
	e, ok := l.images[d.From]
	if !ok {
		return nil // whoever asks has looked for it
	}
	return e.derivable(d)
}

// CheckDerivationNames is CheckDerivation, and looks for its packages where lists of them are
// at hand. An image that is made needs no such lists, so a run does not ask.
func (l *Lock) CheckDerivationNames(d *Derivation) error {
	if err := l.CheckDerivation(d); err != nil || len(d.Packages) == 0 {
		return err
	}
	return checkNames(l.images[d.From].Sources[0].Debian, d.Packages)
}

// derivable reports why nothing of that kind can be made of an image.
func (e entry) derivable(d *Derivation) error {
	var why error
	switch {
	case e.added:
		why = errors.New("it was added as a disk, which labrun does not change")
	case e.Profile.Control == "" || len(e.Sources) == 0 || e.Sources[0].Recipe == "" && e.Sources[0].Bundle == "" && e.Sources[0].derived == nil:
		why = errNoChannel
	case e.Browser || e.Arch != "" && e.Arch != "x86_64":
		why = errNoDisk
	}
	if why != nil {
		return fmt.Errorf("no image can be made of %s: %w", e.Name, why)
	}
	if len(d.Packages) > 0 && !slices.Contains(e.Has, "dpkg") {
		return fmt.Errorf("%s cannot take packages: it has not Debian's package manager, as debian has; files and setup are possible", e.Name)
	}
	for _, p := range d.Packages {
		if !packageName.MatchString(p) {
			return fmt.Errorf("package %q: want a name of Debian's, such as gcc, or name=version", p)
		}
	}
	return nil
}

// derived is the entry of an image that is made of the one that base is the entry of, by
// each way in which that can be had.
func (d *Derivation) derived(name string, base entry) entry {
	e := base
	e.Profile = base.profile()
	e.Name, e.Summary = name, d.String()
	e.Lacks = d.lacks(base.Lacks)
	e.Sources = d.sources(base, Hardware{})
	return e
}

// lacks leaves out the programs that are called as their packages are, of those that the other image lacks.
func (d *Derivation) lacks(programs []string) []string {
	return slices.DeleteFunc(slices.Clone(programs), func(program string) bool { return slices.Contains(d.Packages, program) })
}

// sources are the ways to it: one for each to the other image. The hardware is what was asked for.
func (d *Derivation) sources(base entry, h Hardware) (list []source) {
	for _, src := range base.Sources {
		list = append(list, source{
			derived: d, of: &src, StandIn: src.StandIn, Debian: src.Debian, Hardware: h.or(src.Hardware), Space: deriveSpace,
		})
	}
	return list
}

// deriveSpace is what making one takes at its peak, in MiB, without what it gets.
const deriveSpace = 1200

// Derive makes an image known that is made of another one, as if it were in the lock, and
// returns its name; [Store.Ensure] makes it. The error says that it cannot be made.
func (s *Store) Derive(d *Derivation) (name string, err error) {
	base, ok := s.entry(d.From)
	if !ok {
		return "", s.unknown(d.From)
	}
	if err := base.derivable(d); err != nil {
		return "", err
	}
	name = d.From + "-with-" + d.Digest()[:8]
	s.derivedMu.Lock()
	defer s.derivedMu.Unlock()
	s.derived[name] = d.derived(name, base)
	return name, nil
}

// cachedDerived are the images in the cache that were made of others for a mission, which no
// lock names.
func (s *Store) cachedDerived() map[string]entry {
	found := map[string]entry{}
	manifests, _ := filepath.Glob(filepath.Join(s.dir, "builds", "*-with-*", manifestName))
	for _, path := range manifests {
		dir := filepath.Dir(path)
		m, err := readManifest(dir)
		if err != nil || m.Derived == nil {
			continue
		}
		r := m.Derived
		if _, locked := s.lock.has(r.Name); locked {
			continue
		}
		base, _ := s.lock.has(r.From)
		e := base
		e.Profile = base.profile()
		e.Name, e.Summary = r.Name, described(r.From, r.Packages, r.Files, r.Setup)
		e.Original = "run the mission that it is of"
		src := source{folder: dir}
		for _, of := range base.Sources {
			if is, err := s.buildDir(of); err == nil && filepath.Base(is) == r.Base {
				src.StandIn, src.Debian, src.Hardware = of.StandIn, of.Debian, of.Hardware
			}
		}
		e.Sources = []source{src}
		if _, twice := found[r.Name]; twice {
			e.Sources = append(found[r.Name].Sources, src)
		}
		found[r.Name] = e
	}
	return found
}

// used notes that an image that was made of another one is used: GC goes by it.
func (s *Store) used(dir string) {
	now := time.Now()
	_ = os.Chtimes(dir, now, now)
}

// derivedLasts is how long GC keeps an image that is made of another one for a mission and
// not used. Missions are not known to it.
const derivedLasts = 30 * 24 * time.Hour

// wantDerived adds the images that were made of wanted ones and used lately.
func (s *Store) wantDerived(wanted map[string]bool) {
	for more := true; more; {
		more = false
		manifests, _ := filepath.Glob(filepath.Join(s.dir, "builds", "*-with-*", manifestName))
		for _, path := range manifests {
			dir := filepath.Dir(path)
			m, err := readManifest(dir)
			info, statErr := os.Stat(dir)
			if err != nil || statErr != nil || m.Derived == nil || wanted[filepath.Base(dir)] || !wanted[m.Derived.Base] {
				continue
			}
			if time.Since(info.ModTime()) < derivedLasts {
				wanted[filepath.Base(dir)], more = true, true
			}
		}
	}
}

// hashDerived writes all that makes up a derived image to h, and returns how its folder is called.
func (s *Store) hashDerived(h io.Writer, src source) (name string, err error) {
	base, err := s.buildDir(*src.of)
	if err != nil {
		return "", err
	}
	if err := hashRecipe(h, s.recipes, deriveRecipe); err != nil {
		return "", fmt.Errorf("recipe %s: %w", deriveRecipe, err)
	}
	fmt.Fprintln(h, filepath.Base(base), src.derived.Digest())
	return src.derived.From + "-with", nil
}
