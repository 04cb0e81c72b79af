package image

import (
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
)

// addition is the keys of an image in a mission's images.lock that is made of another one.
type addition struct {
	From     string         `toml:"from"`
	Packages []string       `toml:"packages"`
	Files    map[string]any `toml:"files"` // a path of the folder, or that and an owner, by path in the guest
	Setup    string         `toml:"setup"`
}

// lockAddition is one of them, with its place.
type lockAddition struct {
	file string
	line int
	of   *Derivation
	base entry
}

// foundation is what the keys of an image are put on top of: nothing, or the profile of the
// image that it is made of.
func (c *checker) foundation(name string, a addition) entry {
	table := "images." + name
	if a.From == "" {
		for key, given := range map[string]bool{"packages": a.Packages != nil, "files": a.Files != nil, "setup": a.Setup != ""} {
			if given {
				c.fault(table, 0, key, "%s: %s changes another image: say which, in from", name, key)
			}
		}
		return entry{}
	}
	base, ok := c.own.has(a.From)
	switch {
	case c.own == nil:
		c.fault(table, 0, "from", "%s: from belongs to the images.lock of a mission's folder", name)
	case !ok:
		c.fault(table, 0, "from", "%s: from: labrun has no image %q", name, a.From)
	}
	e := base.clone()
	e.Summary, e.Hardware, e.Sources = "", Hardware{}, nil
	return e
}

// clone is an entry that shares nothing with another one that decoding may write to.
func (e entry) clone() entry {
	e.Profile = e.profile()
	e.Has, e.Lacks = slices.Clone(e.Has), slices.Clone(e.Lacks)
	for _, prompt := range []**regexp.Regexp{&e.Console.LoginPrompt, &e.Console.PasswordPrompt, &e.Console.ShellPrompt} {
		if *prompt != nil {
			own := **prompt
			*prompt = &own
		}
	}
	e.Console.Noise = slices.Clone(e.Console.Noise)
	for i, noise := range e.Console.Noise {
		own := *noise
		e.Console.Noise[i] = &own
	}
	return e
}

// complete makes of such an image's keys what it is made by.
func (c *checker) complete(l *Lock, shown string, e entry) entry {
	table := "images." + e.Name
	bad := func(key string, err error) { c.fault(table, 0, key, "%s: %s: %v", e.Name, key, err) }
	base, ok := c.own.has(e.From)
	if !ok {
		return e // which was told
	}
	if slices.ContainsFunc(e.Sources, func(s source) bool { return s.Bundle == "" }) {
		c.fault(table, 0, "from", "%s: it is made of %s, or it has sources: the only ones beside that are bundles of it", e.Name, e.From)
	}
	d := &Derivation{From: e.From, Packages: e.Packages}
	for _, guest := range slices.Sorted(maps.Keys(e.Files)) {
		from, owner, ok := fileKey(e.Files[guest])
		if !ok {
			c.fault(table, 0, "files", `%s: files: want "/path/in/the/guest" = "./path", or = ["./path", "user:group"]`, e.Name)
			continue
		}
		if d.Files == nil {
			d.Files = &Tree{}
		}
		if err := d.Files.Add(c.folder, path.Clean(from), guest, owner); err != nil {
			bad("files", err)
		}
	}
	if e.Setup != "" {
		var err error
		if d.Setup, err = ReadSetup(c.folder, path.Clean(e.Setup)); err != nil {
			bad("setup", err)
		}
	}
	if err := base.derivable(d); err != nil {
		bad("from", err)
	}
	if len(d.Packages) == 0 && d.Files == nil && d.Setup == nil && e.Setup == "" {
		c.fault(table, 0, "from", "%s: it is %s and nothing else: say packages, files or setup", e.Name, e.From)
	}
	e.Summary = cmp.Or(e.Summary, d.String())
	e.Lacks = d.lacks(e.Lacks)
	e.Sources = append(e.Sources, d.sources(base, e.Hardware)...)
	e.Hardware = e.Hardware.or(base.Hardware)
	l.additions = append(l.additions, lockAddition{shown, c.line(table, 0, "packages"), d, base})
	return e
}

// fileKey reads what stands in files: a path, or a path and an owner.
func fileKey(value any) (from, owner string, ok bool) {
	switch v := value.(type) {
	case string:
		return v, "", true
	case []any:
		if len(v) == 2 {
			from, isPath := v[0].(string)
			owner, isOwner := v[1].(string)
			return from, owner, isPath && isOwner
		}
	}
	return "", "", false
}

// CheckPackages looks for the packages that the images in a mission's folder have beyond
// others, where lists of them are at hand. Its error is a [*LockError].
func (l *Lock) CheckPackages() error {
	for _, a := range l.additions {
		if len(a.of.Packages) == 0 {
			continue
		}
		if err := checkNames(a.base.Sources[0].Debian, a.of.Packages); err != nil {
			return &LockError{a.file, []LockFault{{a.line, err.Error()}}}
		}
	}
	return nil
}
