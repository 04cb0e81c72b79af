package image

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// manifest is an image folder's image.json.
type manifest struct {
	Source   string                `json:"source"`
	Made     time.Time             `json:"made,omitzero"`
	Format   string                `json:"format,omitempty"`   // of the disk
	BIOS     bool                  `json:"bios,omitempty"`     // boots by its own loader
	Found    string                `json:"found,omitempty"`    // what the disk is, for people
	Own      *ownProfile           `json:"own,omitempty"`      // it was added under a name that no lock had
	Derived  *derivedRecord        `json:"derived,omitempty"`  // it was made of another image
	Hardware Hardware              `json:"hardware,omitzero"`  // as the user said who added it
	StandIn  string                `json:"stand_in,omitempty"` // of one that was got as a bundle: as a source of images.lock says
	Debian   string                `json:"debian,omitempty"`   // of one that was got as a bundle, the same
	Files    map[string]fileRecord `json:"files"`              // by role: kernel, initrd, disk
}

type fileRecord struct {
	Name    string    `json:"name"`
	Size    int64     `json:"size"`
	SHA256  string    `json:"sha256"`
	ModTime time.Time `json:"mtime,omitzero"` // whole seconds: archives keep no more
}

// roles are what the files of an image are for, in the order of its digest.
var roles = []string{"kernel", "initrd", "disk", "packages"}

// errDamaged marks an image whose files are not what its manifest says.
var errDamaged = errors.New("damaged")

const manifestName = "image.json"

// load returns the image in dir if its files have the sizes and times in its
// manifest, and takes a shared lock against GC. The error is fs.ErrNotExist if
// there is none, errDamaged if it cannot be used.
func (s *Store) load(e entry, src source, dir string) (*Image, error) {
	if err := s.hold(filepath.Join(dir, manifestName)); err != nil {
		return nil, err
	}
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range m.Files {
		path := filepath.Join(dir, f.Name)
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%w: %s is missing", errDamaged, f.Name)
		case err != nil:
			return nil, err
		case !info.Mode().IsRegular() || info.Size() != f.Size:
			return nil, fmt.Errorf("%w: %s has %d bytes, not %d", errDamaged, f.Name, info.Size(), f.Size)
		case !info.ModTime().Equal(f.ModTime):
			// A copied cache has other times, which harms nobody; but then only
			// the digest can tell.
			if sum, err := sumFile(path); err != nil || sum != f.SHA256 {
				return nil, fmt.Errorf("%w: %s was changed", errDamaged, f.Name)
			}
			if err := os.Chtimes(path, f.ModTime, f.ModTime); err != nil {
				return nil, err
			}
		}
	}
	return m.image(e, src, dir), nil
}

// hold claims the folder of that manifest until the store is closed.
func (s *Store) hold(path string) error {
	s.heldMu.Lock()
	defer s.heldMu.Unlock()
	if l, ok := s.held[path]; ok {
		// A rebuilt folder has a new manifest, which the old lock does not cover.
		if old, err := l.Stat(); err == nil {
			if now, err := os.Stat(path); err == nil && os.SameFile(old, now) {
				return nil
			}
		}
		l.Close()
		delete(s.held, path)
	}
	l := flock.New(path, flock.SetFlag(os.O_RDONLY))
	if ok, err := l.TryRLock(); err != nil || !ok {
		l.Close()
		if err == nil {
			err = fs.ErrNotExist // GC is removing it
		}
		return err
	}
	s.held[path] = l
	return nil
}

func readManifest(dir string) (*manifest, error) {
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return nil, err
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil || len(m.Files) == 0 {
		return nil, fmt.Errorf("%w: %s cannot be read", errDamaged, manifestName)
	}
	for _, f := range m.Files {
		if f.Name != filepath.Base(f.Name) {
			return nil, fmt.Errorf("%w: %s names %q", errDamaged, manifestName, f.Name)
		}
	}
	return &m, nil
}

func (m *manifest) image(e entry, src source, dir string) *Image {
	img := &Image{Profile: e.profile(), Source: m.Source, StandIn: cmp.Or(src.StandIn, m.StandIn), BIOS: m.BIOS, Found: m.Found}
	img.Hardware = m.Hardware.or(src.Hardware).or(e.Hardware).fitted()
	if m.BIOS {
		// A foreign disk has its own boot loader, and no shell for labrun.
		img.Cmdline, img.Control = "", ""
	}
	if m.Derived != nil {
		img.Has = append(slices.Clone(img.Has), m.Derived.Programs...)
		img.Lacks = slices.DeleteFunc(slices.Clone(img.Lacks), func(p string) bool { return slices.Contains(m.Derived.Programs, p) })
	}
	sum := sha256.New()
	fmt.Fprintln(sum, m.Format, m.BIOS)
	for _, role := range roles {
		f, ok := m.Files[role]
		if !ok {
			continue
		}
		path := filepath.Join(dir, f.Name)
		if role == "packages" { // nothing boots from it
			img.Debian, img.Packages = cmp.Or(src.Debian, m.Debian), path
			continue
		}
		fmt.Fprintln(sum, role, f.SHA256)
		switch role {
		case "kernel":
			img.Kernel = path
		case "initrd":
			img.Initrd = path
		case "disk":
			img.Disk, img.DiskFormat, img.DiskSHA256 = path, m.Format, f.SHA256
		}
	}
	img.Digest = hex.EncodeToString(sum.Sum(nil))
	return img
}

// seal turns the folder tmp into the image folder dir: it records the files by
// role, makes them read-only, and moves the folder into place. tmp and dir are
// on the same file system.
func (s *Store) seal(ctx context.Context, image, tmp, dir string, m manifest, names map[string]string) error {
	m.Made = time.Now().UTC().Truncate(time.Second)
	m.Files = map[string]fileRecord{}
	for _, role := range roles {
		name, ok := names[role]
		if !ok {
			continue
		}
		path := filepath.Join(tmp, name)
		size, sum, err := s.sumAndSync(ctx, image, path)
		if err != nil {
			return err
		}
		if err := os.Chmod(path, 0o444); err != nil {
			return err
		}
		if err := os.Chtimes(path, m.Made, m.Made); err != nil {
			return err
		}
		m.Files[role] = fileRecord{Name: name, Size: size, SHA256: sum, ModTime: m.Made}
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(tmp, manifestName), append(data, '\n'), 0o444); err != nil {
		return err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	// An older build goes only now that the new one is whole. Machines that run
	// from it keep its files open.
	old := tmp + ".old"
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return err
	}
	return os.RemoveAll(old)
}

// sumAndSync returns size and digest of a regular, non-empty file that is now
// on disk.
func (s *Store) sumAndSync(ctx context.Context, image, path string) (int64, string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, "", err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return 0, "", fmt.Errorf("%s is empty or not a regular file", filepath.Base(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	meter := s.meter(Progress{Image: image, Phase: PhaseVerify, Note: filepath.Base(path), Total: info.Size()})
	if _, err := io.Copy(h, &ctxReader{ctx, io.TeeReader(f, meter)}); err != nil {
		return 0, "", err
	}
	if err := f.Sync(); err != nil {
		return 0, "", err
	}
	return info.Size(), hexSum(h), nil
}

// setAside moves a damaged image out of the way, and returns where to.
func (s *Store) setAside(dir string) (string, error) {
	to := filepath.Join(s.dir, "damaged", fmt.Sprintf("%s.%d", filepath.Base(dir), time.Now().UnixNano()))
	if err := os.Rename(dir, to); err != nil {
		return "", fmt.Errorf("set damaged image aside: %w", err)
	}
	return to, nil
}

// buildDir is the cache folder of what src yields. Its name contains a digest
// of all that goes into it, so a changed recipe or input has another folder.
func (s *Store) buildDir(src source) (dir string, err error) {
	h := sha256.New()
	name := src.Recipe
	if src.folder != "" {
		return src.folder, nil
	}
	if src.derived != nil {
		if name, err = s.hashDerived(h, src); err != nil {
			return "", err
		}
	} else if src.Bundle != "" {
		name = "bundle"
		fmt.Fprintln(h, src.Bundle[strings.LastIndex(src.Bundle, "@")+1:])
	} else if name == "" {
		name = "disk"
		fmt.Fprintln(h, src.id(), src.Format, src.Boot, src.Member, src.Medium)
	} else {
		if err := hashRecipe(h, s.recipes, src.Recipe); err != nil {
			return "", fmt.Errorf("recipe %s: %w", src.Recipe, err)
		}
		if src.Debian != "" {
			fmt.Fprintln(h, "debian", src.Debian)
		}
		for _, in := range src.Inputs {
			id := in.id()
			if base, ok := s.lock.base(in.Image); ok {
				if id, err = s.buildDir(base); err != nil {
					return "", err
				}
				id = filepath.Base(id)
			}
			fmt.Fprintln(h, in.Name, id)
		}
	}
	return filepath.Join(s.dir, "builds", name+"-"+hexSum(h)[:16]), nil
}

// failedRecord remembers that a source could not be had.
type failedRecord struct {
	Time   time.Time `json:"time"`
	Mirror string    `json:"mirror"`
	Debian string    `json:"debian,omitempty"` // LABRUN_DEBIAN
	Reason string    `json:"reason"`
}

const failureLasts = time.Hour

func (s *Store) failedFile(src source) (string, error) {
	dir, err := s.buildDir(src)
	return filepath.Join(s.dir, "failed", filepath.Base(dir)+".json"), err
}

// remembered returns why src could not be had, if that was lately and nothing
// has changed that is cheap to see.
func (s *Store) remembered(src source) (string, bool) {
	path, err := s.failedFile(src)
	if err != nil {
		return "", false
	}
	data, err := os.ReadFile(path)
	var r failedRecord
	if err != nil || json.Unmarshal(data, &r) != nil ||
		r.Mirror != s.mirror || r.Debian != os.Getenv("LABRUN_DEBIAN") || s.mirrorHas(src) {
		return "", false
	}
	// A clock set back must not prolong a failure.
	if age := time.Since(r.Time); age < 0 || age > failureLasts {
		return "", false
	}
	return r.Reason, true
}

// remember is best effort: without it, the source is tried once more.
func (s *Store) remember(src source, cause error) {
	data, err := json.Marshal(failedRecord{time.Now().UTC(), s.mirror, os.Getenv("LABRUN_DEBIAN"), cause.Error()})
	if err != nil {
		return
	}
	if path, err := s.failedFile(src); err == nil {
		_ = renameio.WriteFile(path, data, 0o644)
	}
}

func (s *Store) forget(src source) {
	if path, err := s.failedFile(src); err == nil {
		_ = os.Remove(path)
	}
}

// meter reports the bytes written to it, at most ten times a second.
func (s *Store) meter(p Progress) *meter { return &meter{store: s, p: p} }

type meter struct {
	store *Store
	p     Progress
	last  time.Time
}

func (m *meter) Write(b []byte) (int, error) {
	m.at(m.p.Done + int64(len(b)))
	return len(b), nil
}

// at tells how far the work has come.
func (m *meter) at(done int64) {
	m.p.Done = done
	if now := time.Now(); now.Sub(m.last) >= 100*time.Millisecond || m.p.Done == m.p.Total {
		m.last = now
		m.store.say(m.p)
	}
}

// ctxReader ends a long read when its context does.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *ctxReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

func sumFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hexSum(h), nil
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// lastLine is the last line of text that is not empty.
func lastLine(text string) string {
	for _, line := range slices.Backward(strings.Split(text, "\n")) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}
