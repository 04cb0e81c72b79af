package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Verify reads every file of all that the cache has for name, downloads and
// templates too, and compares their digests, and what a disk says of its Debian
// packages with the list of them. Damaged images are set aside, damaged downloads
// removed, and the error says which; the next Ensure makes them again. It is an
// error, too, if the cache has nothing for name.
func (s *Store) Verify(ctx context.Context, name string) error {
	e, ok := s.entry(name)
	if !ok {
		return s.unknown(name)
	}
	found := false
	var faults []error
	check := func(dir string, src source, advice string) error {
		exists, err := s.verifyDir(ctx, name, dir, src)
		if ctx.Err() != nil {
			return fmt.Errorf("verify image %s: %w", name, context.Cause(ctx))
		}
		found = found || exists
		if err != nil {
			faults = append(faults, fmt.Errorf("verify image %s: %w; %s", name, err, advice))
		}
		return nil
	}
	if err := check(s.addedDir(name), source{}, "add it again with `labrun images add "+name+" FILE`"); err != nil {
		return err
	}
	for _, src := range e.Sources {
		dir, err := s.buildDir(src)
		if err != nil {
			return fmt.Errorf("verify image %s: %w", name, err)
		}
		if err := check(dir, src, "it will be made again when it is needed"); err != nil {
			return err
		}
		for _, d := range src.downloads() {
			if err := s.verifyBlob(ctx, name, d); err != nil {
				faults = append(faults, fmt.Errorf("verify image %s: %w", name, err))
			}
		}
	}
	if err := s.verifyTemplates(ctx, name); err != nil {
		faults = append(faults, fmt.Errorf("verify image %s: %w", name, err))
	}
	if !found && len(faults) == 0 {
		return fmt.Errorf("verify image %s: it is not in the cache; `labrun images build %s` makes it", name, name)
	}
	return errors.Join(faults...)
}

// downloads are all that src gets by URL.
func (s source) downloads() []download {
	if s.derived != nil || s.folder != "" || s.Bundle != "" {
		return nil
	}
	if s.Recipe == "" {
		return []download{s.download}
	}
	var list []download
	for _, in := range s.Inputs {
		if in.URL != "" {
			list = append(list, in.download)
		}
	}
	return list
}

// verifyDir checks one image folder, and sets it aside if it is damaged.
func (s *Store) verifyDir(ctx context.Context, image, dir string, src source) (exists bool, err error) {
	key := filepath.Base(dir)
	if filepath.Dir(dir) == filepath.Join(s.dir, "added") {
		key = "added-" + key
	}
	unlock, err := s.acquire(ctx, image, key)
	if err != nil {
		return false, err
	}
	defer unlock()
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	var bad []string
	m, err := readManifest(dir)
	if err != nil {
		bad = append(bad, manifestName+" cannot be read")
		m = &manifest{}
	}
	for _, f := range m.Files {
		sums := download{}.sums()
		size, err := s.sumInto(ctx, image, filepath.Join(dir, f.Name), f.Size, sums)
		switch {
		case ctx.Err() != nil:
			return true, context.Cause(ctx)
		case err != nil:
			bad = append(bad, fmt.Sprintf("%s cannot be read (%v)", f.Name, pathCause(err)))
		case size != f.Size:
			bad = append(bad, fmt.Sprintf("%s has %d bytes, not %d", f.Name, size, f.Size))
		case hexSum(sums.sha256) != f.SHA256:
			bad = append(bad, fmt.Sprintf("%s has sha256 %s, not %s", f.Name, hexSum(sums.sha256), f.SHA256))
		}
	}
	list, listed := m.Files["packages"]
	if disk, ok := m.Files["disk"]; ok && listed && len(bad) == 0 && m.Format == "raw" {
		err := checkPackages(ctx, filepath.Join(dir, list.Name), filepath.Join(dir, disk.Name), cmp.Or(src.Debian, m.Debian))
		switch {
		case ctx.Err() != nil:
			return true, context.Cause(ctx)
		case err != nil:
			bad = append(bad, err.Error())
		}
	}
	if len(bad) == 0 {
		return true, nil
	}
	aside, err := s.setAside(dir)
	if err != nil {
		return true, err
	}
	return true, fmt.Errorf("%w: %s; moved to %s", errDamaged, strings.Join(bad, ", "), aside)
}

// verifyBlob checks a download in the cache, and removes it if it is damaged.
func (s *Store) verifyBlob(ctx context.Context, image string, d download) error {
	unlock, err := s.acquire(ctx, image, d.id())
	if err != nil {
		return err
	}
	defer unlock()
	file := filepath.Join(s.dir, "blobs", d.id())
	sums := d.sums()
	_, err = s.sumInto(ctx, image, file, d.Size, sums)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		err = sums.check(d)
	}
	if err != nil {
		os.Remove(file)
		return fmt.Errorf("download of %s: %w; it was removed and will be fetched again", d.URL, err)
	}
	return nil
}

// sumInto feeds a file to sums, and returns its size.
func (s *Store) sumInto(ctx context.Context, image, path string, total int64, sums io.Writer) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	meter := s.meter(Progress{Image: image, Phase: PhaseVerify, Note: filepath.Base(path), Total: total})
	return io.Copy(io.MultiWriter(sums, meter), &ctxReader{ctx, f})
}
