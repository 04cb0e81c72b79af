package image

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/labrun/labrun/internal/host"
)

// TemplateLimit is how many bytes of disk all templates may take together. Those
// that were not used for the longest time go first.
const TemplateLimit = 4 << 30

// A Template is a machine that was saved while it waited at its first prompt:
// files that others of the same kind go on from. What the files are is the
// business of whoever saved it. They are not to be changed, and stay until the store
// is closed.
type Template struct{ dir string }

// Path returns the absolute path of one of the template's files.
func (t *Template) Path(name string) string { return filepath.Join(t.dir, name) }

// templateManifest is a template folder's template.json.
type templateManifest struct {
	Image string                `json:"image"`
	Base  string                `json:"base"`  // the folder of the image that its disk is an overlay of
	Shape string                `json:"shape"` // for people
	Made  time.Time             `json:"made"`
	Files map[string]fileRecord `json:"files"`
}

const (
	templateName = "template.json"
	// seenName is the record of the files that were found intact in this boot of
	// the host. Its time is that of the template's last use.
	seenName = "seen.json"
	// smallFile is how big a file may be, in bytes, to be read at every start.
	smallFile = 4 << 20
)

// seenRecord says which files had the right digest. As long as a file is the
// same one by its inode and times, which every write changes, it is not read
// again in this boot of the host: that would cost the time that a template
// saves. After a boot the disk may have another content than the host once wrote.
type seenRecord struct {
	Boot  string                    `json:"boot"`
	Files map[string]host.FileState `json:"files"`
}

func look(path string) (host.FileState, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return host.FileState{}, err
	}
	if !info.Mode().IsRegular() {
		return host.FileState{}, fmt.Errorf("%s is no regular file", filepath.Base(path))
	}
	return host.StateOf(info), nil
}

// Template returns the template called key, if it is intact, and keeps it from
// being removed until Close. The error is fs.ErrNotExist if there is none; with
// any other, it was damaged and is gone.
func (s *Store) Template(ctx context.Context, key string) (*Template, error) {
	dir := s.templateDir(key)
	if err := s.hold(filepath.Join(dir, templateName)); err != nil {
		return nil, err
	}
	err := s.checkTemplate(ctx, dir, false)
	if err == nil {
		return &Template{dir}, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, errors.Join(err, s.DiscardTemplate(key))
}

// DiscardTemplate removes a template that proved to be of no use. Machines that
// run from it keep its files open.
func (s *Store) DiscardTemplate(key string) error {
	aside, err := os.MkdirTemp(filepath.Join(s.dir, "work"), key+".")
	if err != nil {
		return err
	}
	err = os.Rename(s.templateDir(key), filepath.Join(aside, "template"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // another process was faster
	}
	return errors.Join(err, os.RemoveAll(aside))
}

// checkTemplate compares the files of a template with its manifest: their sizes
// always, their digests unless they were seen intact (and always with all).
func (s *Store) checkTemplate(ctx context.Context, dir string, all bool) error {
	m, err := readTemplate(dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(s.dir, m.Base)); err != nil {
		return fmt.Errorf("%w: the image it was made of, %s, is gone", errDamaged, m.Base)
	}
	var seen seenRecord
	seenPath := filepath.Join(dir, seenName)
	if data, err := os.ReadFile(seenPath); err == nil {
		_ = json.Unmarshal(data, &seen) // an unreadable record is none
	}
	boot := host.BootID()
	if seen.Boot != boot || boot == "" {
		seen = seenRecord{Boot: boot, Files: map[string]host.FileState{}}
	}
	news := false
	for name, want := range m.Files {
		path := filepath.Join(dir, name)
		is, err := look(path)
		if err != nil || is.Size != want.Size {
			return fmt.Errorf("%w: %s is missing or has another size", errDamaged, name)
		}
		if !all && is.Size > smallFile && seen.Files[name] == is {
			continue
		}
		sum, err := sparseSum(ctx, path)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil || sum != want.SHA256 {
			return fmt.Errorf("%w: %s was changed", errDamaged, name)
		}
		if is.Size > smallFile {
			seen.Files[name], news = is, true
		}
	}
	// Without the record the next start is slower, and that is all.
	if data, err := json.Marshal(seen); err == nil && news {
		_ = renameio.WriteFile(seenPath, data, 0o644)
	}
	now := time.Now()
	_ = os.Chtimes(seenPath, now, now)
	return nil
}

func readTemplate(dir string) (*templateManifest, error) {
	data, err := os.ReadFile(filepath.Join(dir, templateName))
	if err != nil {
		return nil, err
	}
	var m templateManifest
	if err := json.Unmarshal(data, &m); err != nil || len(m.Files) == 0 {
		return nil, fmt.Errorf("%w: %s cannot be read", errDamaged, templateName)
	}
	for name := range m.Files {
		if name != filepath.Base(name) {
			return nil, fmt.Errorf("%w: %s names %q", errDamaged, templateName, name)
		}
	}
	return &m, nil
}

// A Draft is a template that is being made: a folder to be filled.
type Draft struct {
	store   *Store
	key     string
	dir     string
	release func()
}

// ErrTemplateBusy is why a template cannot be made: another labrun is making it.
var ErrTemplateBusy = errors.New("another labrun is making it")

// NewTemplate begins the template called key of that image, which will take size
// bytes at most. If another process is making it, NewTemplate waits for that
// one, or fails with ErrTemplateBusy; after a wait, the template may exist. The
// caller ends the draft with Keep or Drop.
func (s *Store) NewTemplate(ctx context.Context, image, key string, size int64, wait bool) (*Draft, error) {
	var release func()
	var err error
	if wait {
		release, err = s.acquire(ctx, image, key)
	} else {
		release, err = s.tryAcquire(key)
	}
	if err != nil {
		return nil, err
	}
	d := &Draft{store: s, key: key, release: release}
	if err = s.needSpace(size); err == nil {
		if err = s.clearWork(key); err == nil {
			d.dir, err = os.MkdirTemp(filepath.Join(s.dir, "work"), key+".")
		}
	}
	if err != nil {
		release()
		return nil, err
	}
	return d, nil
}

// tryAcquire is acquire without waiting.
func (s *Store) tryAcquire(key string) (release func(), err error) {
	l := flock.New(filepath.Join(s.dir, "locks", key+".lock"), flock.SetPermissions(0o644))
	if ok, err := l.TryLock(); err != nil || !ok {
		l.Close()
		if err == nil {
			err = ErrTemplateBusy
		}
		return nil, err
	}
	return func() { l.Close() }, nil
}

// Dir is the folder to be filled, with files only.
func (d *Draft) Dir() string { return d.dir }

// Keep makes the template of what is in the folder. The image is what the saved
// machine has booted; shape says for people what kind of machine that was. The files
// become read-only, but those named writable: programs that open them for writing,
// though they do not write, could else be used by root alone. Whoever does write to one
// has spoilt the template, which the next look at it finds.
func (d *Draft) Keep(ctx context.Context, image *Image, shape string, writable ...string) error {
	defer d.Drop()
	base, err := filepath.Rel(d.store.dir, filepath.Dir(image.Kernel))
	if err != nil {
		return err
	}
	seen := seenRecord{Boot: host.BootID(), Files: map[string]host.FileState{}}
	m := templateManifest{
		Image: image.Name, Base: base, Shape: shape, Made: time.Now().UTC().Truncate(time.Second),
		Files: map[string]fileRecord{},
	}
	files, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(d.dir, f.Name())
		mode := os.FileMode(0o444)
		if slices.Contains(writable, f.Name()) {
			mode = 0o644
		}
		if err := os.Chmod(path, mode); err != nil {
			return err
		}
		sum, err := sparseSum(ctx, path)
		if err != nil {
			return err
		}
		is, err := look(path)
		if err != nil {
			return err
		}
		m.Files[f.Name()] = fileRecord{Name: f.Name(), Size: is.Size, SHA256: sum, ModTime: m.Made}
		seen.Files[f.Name()] = is
	}
	for name, content := range map[string]any{templateName: m, seenName: seen} {
		data, err := json.MarshalIndent(content, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(d.dir, name), append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	if err := os.Chmod(d.dir, 0o755); err != nil {
		return err
	}
	if err := os.Rename(d.dir, d.store.templateDir(d.key)); err != nil {
		return err
	}
	var r GCResult
	return d.store.trimTemplates(ctx, &r, d.key)
}

// Drop gives the draft up, if it was not kept.
func (d *Draft) Drop() {
	os.RemoveAll(d.dir)
	d.release()
}

// TemplateStatus describes a template for a listing.
type TemplateStatus struct {
	Key, Image, Shape string
	Size              int64 // bytes on disk
	Made, Used        time.Time
	base              string
}

// Templates describes every template, the one that was used last first.
func (s *Store) Templates() ([]TemplateStatus, error) {
	folders, err := os.ReadDir(filepath.Join(s.dir, "templates"))
	if err != nil {
		return nil, err
	}
	var list []TemplateStatus
	for _, f := range folders {
		dir := s.templateDir(f.Name())
		st := TemplateStatus{Key: f.Name(), Size: host.DiskUsage(dir)}
		if m, err := readTemplate(dir); err == nil {
			st.Image, st.Shape, st.Made, st.base = m.Image, m.Shape, m.Made, m.Base
		}
		st.Used = st.Made
		if info, err := os.Stat(filepath.Join(dir, seenName)); err == nil {
			st.Used = info.ModTime()
		}
		list = append(list, st)
	}
	slices.SortFunc(list, func(a, b TemplateStatus) int { return b.Used.Compare(a.Used) })
	return list, nil
}

// TemplatesOf counts the templates that were made of an image as it is now.
func (s *Store) TemplatesOf(image *Image) (int, error) {
	base, err := filepath.Rel(s.dir, filepath.Dir(image.Kernel))
	if err != nil {
		return 0, err
	}
	list, err := s.Templates()
	n := 0
	for _, t := range list {
		if t.base == base {
			n++
		}
	}
	return n, err
}

// trimTemplates removes those templates that have been unused for longest, until
// the rest fits into TemplateLimit. It spares the one called keep and those in use.
func (s *Store) trimTemplates(ctx context.Context, r *GCResult, keep string) error {
	list, err := s.Templates()
	if err != nil {
		return err
	}
	var total int64
	var errs []error
	for _, t := range list {
		total += t.Size
		if total > s.templateLimit && t.Key != keep && ctx.Err() == nil {
			errs = append(errs, s.collect(r, t.Key, filepath.Join("templates", t.Key)))
		}
	}
	return errors.Join(errs...)
}

// verifyTemplates reads all templates of an image again, and removes those that
// are damaged.
func (s *Store) verifyTemplates(ctx context.Context, image string) error {
	list, err := s.Templates()
	if err != nil {
		return err
	}
	var faults []error
	for _, t := range list {
		if t.Image != image {
			continue
		}
		err := s.checkTemplate(ctx, s.templateDir(t.Key), true)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			err = errors.Join(err, s.DiscardTemplate(t.Key))
			faults = append(faults, fmt.Errorf("template %s: %w; it was removed", t.Key, err))
		}
	}
	return errors.Join(faults...)
}

func (s *Store) templateDir(key string) string { return filepath.Join(s.dir, "templates", key) }

// sparseSum returns a digest of a file that does not depend on which of its
// blocks of zeros are holes.
func sparseSum(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	const block = 64 << 10
	sum := sha256.New()
	buf := make([]byte, 8+block)
	zeros := string(make([]byte, block))
	for at := int64(0); at < size; at += block {
		data, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // the rest is a hole
		}
		if err != nil {
			return "", os.NewSyscallError("lseek", err)
		}
		at = data / block * block
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		n, err := f.ReadAt(buf[8:], at)
		if err != nil && err != io.EOF {
			return "", err
		}
		if string(buf[8:8+n]) != zeros[:n] {
			binary.BigEndian.PutUint64(buf, uint64(at))
			sum.Write(buf[:8+n])
		}
	}
	return hexSum(sum), nil
}
