package image

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// ownProfile is what a manifest keeps of an image that no lock has: who added it
// chose the name.
type ownProfile struct {
	Hardware Hardware `json:"hardware"`
	Shell    string   `json:"shell,omitempty"` // its prompt, a regular expression
}

// entry is such an image as if it were in images.lock.
func (o *ownProfile) entry(name, summary string) entry {
	e := entry{Profile: Profile{Name: name, Summary: summary, Hardware: o.Hardware}, added: true}
	if o.Shell != "" {
		// A manifest of ours has no other; one that was written to has no prompt.
		e.Console.ShellPrompt, _ = regexp.Compile(o.Shell)
	}
	return e
}

// addedEntry is the image that was added to the cache in dir under a name that no lock had
// then. One that is damaged is none; `images add` replaces it.
func addedEntry(dir, name string) (entry, bool) {
	if !imageName.MatchString(name) {
		return entry{}, false
	}
	m, err := readManifest(filepath.Join(dir, "added", name))
	if err != nil || m.Own == nil {
		return entry{}, false
	}
	return m.Own.entry(name, m.Found), true
}

// WithAdded is the lock with the images that its user added to the cache in dir under
// names of their own; empty: the folder that [Open] takes. A name that the lock has keeps its
// profile. A cache that cannot be read adds none; Open tells why.
func (l *Lock) WithAdded(dir string) *Lock {
	dir, err := cacheDir(dir)
	if err != nil {
		return l
	}
	folders, err := os.ReadDir(filepath.Join(dir, "added"))
	if err != nil {
		return l
	}
	all := &Lock{images: maps.Clone(l.images), text: l.text, additions: l.additions}
	maps.DeleteFunc(all.images, func(_ string, e entry) bool { return e.added }) // they may have been removed since
	for _, folder := range folders {
		if e, ok := addedEntry(dir, folder.Name()); ok && all.images[e.Name].Name == "" {
			all.images[e.Name] = e
		}
	}
	all.names = slices.Sorted(maps.Keys(all.images))
	return all
}
