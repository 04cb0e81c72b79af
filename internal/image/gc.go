package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/labrun/labrun/internal/host"
)

// GCResult is what a GC did. Paths are relative to the cache.
type GCResult struct {
	Freed   int64    // bytes on disk
	Removed []string // files and folders
	InUse   []string // unneeded, but another labrun uses them
}

// GC removes what the current images.lock does not lead to: older builds, their
// downloads and templates, unfinished downloads, damaged images, logs, and what
// killed labruns left; and of the templates those unused for longest, as far as
// they exceed TemplateLimit. Added images stay, and so does all that is in use;
// what this store gave out is in use until Close.
func (s *Store) GC(ctx context.Context) (GCResult, error) {
	var r GCResult
	var errs []error
	wanted := map[string]bool{}
	for _, e := range s.lock.images {
		for _, src := range e.Sources {
			dir, err := s.buildDir(src)
			if err != nil {
				return r, fmt.Errorf("gc: %w", err)
			}
			wanted[filepath.Base(dir)] = true
			for _, d := range src.downloads() {
				wanted[d.id()] = true
			}
		}
	}
	s.wantDerived(wanted)
	templates, err := s.Templates()
	if err != nil {
		return r, fmt.Errorf("gc: %w", err)
	}
	for _, t := range templates {
		_, missing := os.Stat(filepath.Join(s.dir, t.base, manifestName))
		if missing == nil && wanted[filepath.Base(t.base)] {
			wanted[t.Key] = true
		}
	}
	// What each folder holds, the lock that guards it, and whether it is wanted.
	rules := []struct {
		folder string
		key    func(name string) string
		keep   func(key, name string) bool
	}{
		{"builds", same, func(key, _ string) bool { return wanted[key] }},
		{"templates", same, func(key, _ string) bool { return wanted[key] }},
		{"blobs", blobKey, func(key, name string) bool { return wanted[key] && name == key }},
		{"failed", beforeDot, func(key, _ string) bool { return wanted[key] }},
		{"logs", beforeDot, func(key, _ string) bool { return wanted[key] }},
		{"damaged", same, func(string, string) bool { return false }},
		{"work", beforeDot, func(string, string) bool { return false }},
	}
	for _, rule := range rules {
		files, err := os.ReadDir(filepath.Join(s.dir, rule.folder))
		if err != nil {
			return r, fmt.Errorf("gc: %w", err)
		}
		for _, f := range files {
			if ctx.Err() != nil {
				return r, fmt.Errorf("gc: %w", context.Cause(ctx))
			}
			if key := rule.key(f.Name()); !rule.keep(key, f.Name()) {
				if err := s.collect(&r, key, filepath.Join(rule.folder, f.Name())); err != nil {
					errs = append(errs, fmt.Errorf("gc: %w", err))
				}
			}
		}
	}
	if err := s.trimTemplates(ctx, &r, ""); err != nil {
		errs = append(errs, fmt.Errorf("gc: %w", err))
	}
	return r, errors.Join(errs...)
}

func same(name string) string { return name }

func blobKey(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, ".tag"), ".part")
}

func beforeDot(name string) string {
	key, _, _ := strings.Cut(name, ".")
	return key
}

// collect removes one file or folder, unless the lock called key is taken or
// the image in it is in use.
func (s *Store) collect(r *GCResult, key, rel string) error {
	l := flock.New(filepath.Join(s.dir, "locks", key+".lock"), flock.SetPermissions(0o644))
	defer l.Close()
	if ok, err := l.TryLock(); err != nil {
		return err
	} else if !ok {
		r.InUse = append(r.InUse, rel)
		return nil
	}
	path := filepath.Join(s.dir, rel)
	if _, err := os.Lstat(path); os.IsNotExist(err) {
		return nil
	}
	for _, name := range []string{manifestName, templateName} {
		use := flock.New(filepath.Join(path, name), flock.SetFlag(os.O_RDONLY))
		defer use.Close()
		if ok, err := use.TryLock(); err == nil && !ok {
			r.InUse = append(r.InUse, rel)
			return nil
		}
	}
	size := host.DiskUsage(path)
	if err := host.RemoveTree(path); err != nil {
		return err
	}
	r.Freed += size
	r.Removed = append(r.Removed, rel)
	return nil
}
