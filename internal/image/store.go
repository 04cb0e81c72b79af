package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/labrun/labrun/internal/host"
)

// Image is a ready image: what a machine boots from. Its files are read-only
// and shared; machines write to an [Image.Overlay].
type Image struct {
	Profile
	Source  string // for people: "recipe alpine", "file router7.img (added)"
	StandIn string // the stand-in's name, if this is not the real thing
	Why     string // why it is a stand-in, one line

	Kernel     string // absolute path of a bzImage or ELF kernel; empty: boots from its disk
	Initrd     string // absolute path; empty: none
	Disk       string // absolute path; empty: none
	DiskFormat string // "raw" or "qcow2"
	DiskSHA256 string // of that file, hexadecimal
	BIOS       bool   // boots from its disk by its own boot loader, the firmware (a BIOS, if Hardware says no other) starts it
	Found      string // what such a disk is, for people: "a floppy disk of 1.44 MB (raw), which boots by BIOS"
	Debian     string // the release of Debian that it is made of; empty: of none
	Packages   string // absolute path of the list of its Debian packages, a line "name version" each; empty: none is known
	Digest     string // hexadecimal SHA-256 over all it boots from
}

// Phases of a [Progress].
const (
	PhaseWait     = "wait"     // another labrun has the lock
	PhaseDownload = "download" // Done and Total are bytes
	PhaseUpload   = "upload"   // Done and Total are bytes
	PhasePack     = "pack"     // Done and Total are bytes
	PhaseUnpack   = "unpack"   // Done and Total are bytes
	PhaseCopy     = "copy"     // Done and Total are bytes
	PhaseBuild    = "build"
	PhaseVerify   = "verify" // Done and Total are bytes
	PhaseNote     = "note"   // something a user should know
)

// Progress is a step towards an image, for showing to a user.
type Progress struct {
	Image, Phase string
	Note         string
	Done, Total  int64 // zero if unknown
}

// StoreOptions says how to open a [Store]. Lock and Recipes are required.
type StoreOptions struct {
	Dir      string         // the cache; default $LABRUN_CACHE, else $XDG_CACHE_HOME/labrun, else ~/.cache/labrun
	Lock     *Lock          // what images there are
	Recipes  fs.FS          // the images/ folder, a folder for each recipe
	Mirror   string         // folder or URL prefix tried before upstream; see LABRUN_MIRROR
	Strict   bool           // refuse stand-ins
	Boot     Booter         // boots the machines on which images are made of others; nil: none are made
	Progress func(Progress) // may be nil; calls are serialised and must not call the Store
}

// Store is the cache of images. Its methods are safe for concurrent use, by
// several processes too.
type Store struct {
	dir     string
	lock    *Lock
	recipes fs.FS
	mirror  string
	strict  bool

	progressMu sync.Mutex // serialises calls of progress
	progress   func(Progress)

	boot      Booter
	derivedMu sync.Mutex
	derived   map[string]entry // images that are made of others for missions, by name: see Derive

	heldMu sync.Mutex
	held   map[string]*flock.Flock // shared locks on what was given out, by manifest

	// Tests shorten these.
	dialTimeout, stallTimeout, killGrace time.Duration
	free                                 func(dir string) (int64, error)
	templateLimit, maxDisk               int64
}

// Open opens the cache, and makes it if need be.
func Open(o StoreOptions) (*Store, error) {
	dir, err := cacheDir(o.Dir)
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{
		"blobs", "builds", "added", "templates", "damaged", "failed", "logs", "locks", "work",
	} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, fmt.Errorf("open image cache: %w; set LABRUN_CACHE to a folder you can write to", err)
		}
	}
	return &Store{
		dir: dir, lock: o.Lock, recipes: o.Recipes, mirror: strings.TrimSuffix(o.Mirror, "/"), strict: o.Strict,
		progress: o.Progress, held: map[string]*flock.Flock{}, boot: o.Boot, derived: map[string]entry{},
		dialTimeout: 5 * time.Second, stallTimeout: 30 * time.Second, killGrace: 10 * time.Second,
		free: host.FreeSpace, templateLimit: TemplateLimit, maxDisk: maxDisk,
	}, nil
}

// cacheDir is where the cache is: in dir, unless that is empty.
func cacheDir(dir string) (string, error) {
	dir = cmp.Or(dir, os.Getenv("LABRUN_CACHE"))
	if dir == "" {
		cache, err := host.CacheDir(os.Getenv)
		if err != nil {
			return "", fmt.Errorf("open image cache: %w; set LABRUN_CACHE to a folder for it", err)
		}
		dir = filepath.Join(cache, "labrun")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("open image cache: %w", err)
	}
	return dir, nil
}

// Close gives up the store's claims on images and templates, so that GC may remove them. The
// end of the process does so, too.
func (s *Store) Close() error {
	s.heldMu.Lock()
	defer s.heldMu.Unlock()
	var errs []error
	for path, l := range s.held {
		errs = append(errs, l.Close())
		delete(s.held, path)
	}
	return errors.Join(errs...)
}

// Dir is the cache's folder, an absolute path.
func (s *Store) Dir() string { return s.dir }

// Profile returns the profile of the image called name, cached or not, with the
// hardware that its best source wants. An [Image] knows better.
func (s *Store) Profile(name string) (Profile, bool) {
	e, ok := s.entry(name)
	p := e.profile()
	if list := s.candidates(e); len(list) > 0 {
		p.Hardware = list[0].Hardware.or(p.Hardware)
	}
	p.Hardware = p.Hardware.fitted()
	return p, ok
}

// Names returns the names of all images, sorted: those of the lock, and those that were
// added under other names.
func (s *Store) Names() []string {
	return s.lock.WithAdded(s.dir).Names()
}

// entry is what is known of an image: by the lock, else by who added it.
func (s *Store) entry(name string) (entry, bool) {
	if e, ok := s.lock.images[name]; ok && !e.added {
		return e, true
	}
	s.derivedMu.Lock()
	e, ok := s.derived[name]
	s.derivedMu.Unlock()
	if ok {
		return e, true
	}
	if e, ok := addedEntry(s.dir, name); ok {
		return e, true
	}
	e, ok = s.cachedDerived()[name]
	return e, ok
}

// UnavailableError is returned when no source of an image could be had.
type UnavailableError struct {
	Image    string
	Failures []Failure // in the order of the sources
	Advice   string    // what the user can do
}

// Failure is why one source of an image could not be had.
type Failure struct{ Source, Reason string }

func (e *UnavailableError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "image %s cannot be had", e.Image)
	for _, f := range e.Failures {
		fmt.Fprintf(&b, "\n  %s: %s", f.Source, f.Reason)
	}
	if e.Advice != "" {
		fmt.Fprintf(&b, "\n  %s", e.Advice)
	}
	return b.String()
}

// Ensure returns the image called name, ready to boot: from the cache, or got
// and built now. The first source that can be had is used. A source that could
// not be had lately is not tried again for an hour, so that a dead network does
// not delay every start; a changed mirror and Build do try again.
//
// The image stays in the cache until Close, whatever GC another process runs.
// It returns an *UnavailableError if no source can be had.
func (s *Store) Ensure(ctx context.Context, name string) (*Image, error) {
	return s.obtain(ctx, name, mayReuse)
}

// Build is Ensure, but tries every source again, network or not. With force it
// builds even what is cached, which stays in place if the build fails. An added
// image cannot be built.
func (s *Store) Build(ctx context.Context, name string, force bool) (*Image, error) {
	if _, err := os.Stat(s.addedDir(name)); err == nil && force {
		return nil, fmt.Errorf("build image %s: it was added by you, so there is nothing to build; "+
			"`labrun images remove %s` returns to its recipe", name, name)
	}
	if force {
		return s.build(ctx, name, mustBuild)
	}
	return s.obtain(ctx, name, mayRetry)
}

// Cached returns the best image there is without network or a build. Ensure may
// find a better one.
func (s *Store) Cached(name string) (*Image, bool) {
	img, _, _, ok := s.cached(name)
	return img, ok
}

// cached is Cached, and tells where the image is and of which source it is.
func (s *Store) cached(name string) (img *Image, dir string, src source, ok bool) {
	e, ok := s.entry(name)
	if !ok {
		return nil, "", src, false
	}
	dir = s.addedDir(name)
	if img, err := s.load(e, src, dir); err == nil {
		return s.explain(img, e, nil), dir, src, true
	}
	for _, src := range s.candidates(e) {
		if dir, err := s.buildDir(src); err == nil {
			if img, err := s.load(e, src, dir); err == nil {
				return s.explain(img, e, nil), dir, src, true
			}
		}
	}
	return nil, "", src, false
}

// effort is how hard to try for a source.
type effort int

const (
	mayReuse  effort = iota // the cache will do, remembered failures count
	mayRetry                // the cache will do, remembered failures do not count
	mustBuild               // build anew
)

func (s *Store) obtain(ctx context.Context, name string, how effort) (*Image, error) {
	e, ok := s.entry(name)
	if !ok {
		return nil, s.unknown(name)
	}
	img, err := s.load(e, source{}, s.addedDir(name))
	switch {
	case err == nil && img.StandIn != "" && s.strict:
		return nil, fmt.Errorf("image %s: the bundle that was pulled has the stand-in %s, and only real images are asked for: "+
			"`labrun images remove %s` returns to its sources", name, img.StandIn, name)
	case err == nil:
		return s.explain(img, e, nil), nil
	case errors.Is(err, errDamaged):
		aside, moveErr := s.setAside(s.addedDir(name))
		return nil, errors.Join(fmt.Errorf("image %s: the image you added is damaged (%w) and was moved to %s; "+
			"add it again with `labrun images add %s FILE`", name, err, aside, name), moveErr)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("image %s: %w", name, err)
	}
	return s.build(ctx, name, how)
}

func (s *Store) unknown(name string) error {
	return fmt.Errorf("image %s: no such image; there are %s", name, strings.Join(s.Names(), ", "))
}

// candidates are the sources of e that this store may use.
func (s *Store) candidates(e entry) []source {
	var list []source
	for _, src := range e.Sources {
		if src.StandIn == "" || !s.strict {
			list = append(list, src)
		}
	}
	return list
}

// build goes through the sources of an image until one yields it.
func (s *Store) build(ctx context.Context, name string, how effort) (*Image, error) {
	e, ok := s.entry(name)
	if !ok {
		return nil, s.unknown(name)
	}
	var failures []Failure
	list := s.candidates(e)
	for i, src := range list {
		last := i == len(list)-1
		img, err := s.try(ctx, e, src, how, last)
		if err == nil {
			return s.explain(img, e, failures), nil
		}
		var full *spaceError
		var failed *deriveError
		if ctx.Err() != nil || errors.As(err, &full) || errors.As(err, &failed) {
			// None says anything about this source.
			return nil, fmt.Errorf("image %s: %w", name, err)
		}
		failures = append(failures, Failure{src.String(), err.Error()})
	}
	return nil, s.unavailable(e, failures)
}

func (s *Store) unavailable(e entry, failures []Failure) error {
	err := &UnavailableError{Image: e.Name, Failures: failures, Advice: e.Original}
	if !CanMake() && slices.ContainsFunc(e.Sources, func(src source) bool { return src.Recipe != "" }) {
		err.Advice = NoApt
	}
	if s.strict {
		for _, src := range e.Sources {
			if src.StandIn != "" {
				err.Failures = append(err.Failures,
					Failure{"stand-in " + src.StandIn, "refused, since only real images are asked for"})
			}
		}
	}
	return err
}

// explain completes an image that may be a stand-in.
func (s *Store) explain(img *Image, e entry, failures []Failure) *Image {
	if img.StandIn == "" {
		return img
	}
	var why []string
	for _, f := range failures {
		why = append(why, f.Reason)
	}
	if len(why) == 0 {
		for _, src := range s.candidates(e) {
			if f, ok := s.remembered(src); ok {
				why = append(why, f)
			}
		}
	}
	img.Why = strings.Join(why, "; ")
	if img.Why == "" {
		img.Why = "the real one is not here"
	}
	// What went wrong can be many lines, what it means is one.
	img.Why, _, _ = strings.Cut(img.Why, "\n")
	return img
}

// try gets one source: from the cache, else by a download or recipe.
func (s *Store) try(ctx context.Context, e entry, src source, how effort, last bool) (*Image, error) {
	dir, err := s.buildDir(src)
	if err != nil {
		return nil, err
	}
	cached := func() (*Image, error) {
		if how == mustBuild {
			return nil, fs.ErrNotExist
		}
		return s.load(e, src, dir)
	}
	if img, err := cached(); err == nil {
		if src.derived != nil {
			s.used(dir)
		}
		return img, nil
	}
	unlock, err := s.acquire(ctx, e.Name, filepath.Base(dir))
	if err != nil {
		return nil, err
	}
	defer unlock()
	// Whoever held the lock may have built it, or found that it cannot be had.
	img, err := cached()
	if err == nil {
		return img, nil
	}
	if errors.Is(err, errDamaged) {
		note := fmt.Sprintf("the cached image is damaged (%v); making it again", err)
		s.say(Progress{Image: e.Name, Phase: PhaseNote, Note: note})
		if _, err := s.setAside(dir); err != nil {
			return nil, err
		}
	}
	if reason, ok := s.remembered(src); ok && how == mayReuse && !last {
		return nil, errors.New(reason)
	}
	if err := s.make(ctx, e, src, dir); err != nil {
		var full *spaceError
		if !last && ctx.Err() == nil && !errors.As(err, &full) {
			s.remember(src, err)
		}
		return nil, err
	}
	s.forget(src)
	return s.load(e, src, dir)
}

// make fills dir from src. The caller holds the lock of dir.
func (s *Store) make(ctx context.Context, e entry, src source, dir string) error {
	switch {
	case src.derived != nil:
		return s.derive(ctx, e, src, dir)
	case src.folder != "":
		return errors.New("the mission that it is of makes it")
	case src.Bundle != "":
		return s.pullSource(ctx, e.Name, src, dir)
	case src.Recipe != "":
		return s.runRecipe(ctx, e.Name, src, dir)
	}
	blob, err := s.download(ctx, e.Name, src.download)
	if err != nil {
		return err
	}
	return s.keepDisk(ctx, e.Name, blob, src, dir)
}

// Status describes one image for a listing.
type Status struct {
	Name, Summary string
	Image         *Image   // nil: not in the cache
	Size          int64    // bytes the image takes on disk
	Sources       []string // best first, for people
}

// List describes every image of the lock, sorted by name, and then those in the cache that
// were made of others for missions.
func (s *Store) List(ctx context.Context) ([]Status, error) {
	var list []Status
	for _, name := range append(s.Names(), slices.Sorted(maps.Keys(s.cachedDerived()))...) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		e, _ := s.entry(name)
		st := Status{Name: name, Summary: e.Summary, Sources: s.Sources(name)}
		if img, ok := s.Cached(name); ok {
			st.Image = img
			for _, path := range []string{img.Kernel, img.Initrd, img.Disk} {
				st.Size += host.DiskUsage(path)
			}
		}
		list = append(list, st)
	}
	return list, nil
}

// Sources describes the sources of the image called name for people, best first.
func (s *Store) Sources(name string) []string {
	var list []string
	e, _ := s.entry(name)
	for _, src := range e.Sources {
		text := src.String()
		if src.StandIn != "" {
			text += " (stand-in " + src.StandIn + ")"
		}
		list = append(list, text)
	}
	return list
}

// acquire takes the lock called key, waiting for its holder.
func (s *Store) acquire(ctx context.Context, image, key string) (release func(), err error) {
	l := flock.New(filepath.Join(s.dir, "locks", key+".lock"), flock.SetPermissions(0o644))
	ok, err := l.TryLock()
	if err == nil && !ok {
		s.say(Progress{Image: image, Phase: PhaseWait, Note: "another labrun is at work on this; waiting for it"})
		_, err = l.TryLockContext(ctx, 100*time.Millisecond)
	}
	if err != nil {
		l.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("lock %s: %w", key, err)
	}
	return func() { l.Close() }, nil
}

func (s *Store) say(p Progress) {
	if s.progress == nil {
		return
	}
	s.progressMu.Lock()
	defer s.progressMu.Unlock()
	s.progress(p)
}

func (s *Store) addedDir(name string) string { return filepath.Join(s.dir, "added", name) }
