package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/host"
)

// An image can be made of another one: with packages of Debian's, files, and what a script
// does. A machine that has booted the other image makes it, from its saved state at its
// prompt, so that this takes seconds and needs no rights on this computer, and nothing
// of a stranger's runs here. What it wrote to its disk is kept as an image of its own, which
// needs the other one no more.

// deriveRecipe is the folder of images/ with both sides of it.
const deriveRecipe = "derive"

// Guest is a machine on which an image is made.
type Guest interface {
	// Run runs a command as root and returns what it wrote, errors included, and its status.
	Run(ctx context.Context, command string, limit time.Duration) (output string, status int, err error)
	// Plug gives it a second disk, which it may read, and whose serial number is DiskSerial.
	Plug(ctx context.Context, disk string) error
	// Finish shuts it down and returns its first disk, a qcow2 that is there until Close.
	Finish(ctx context.Context) (disk string, err error)
	// Close ends it, however far it came.
	Close() error
}

// DiskSerial is the serial number of the disk that a [Guest] is given.
const DiskSerial = "labrun-parts"

// A Booter boots an image, without a network and to its prompt.
type Booter func(ctx context.Context, store *Store, img *Image) (Guest, error)

// deriveError is what went wrong in the guest: no other source would do better.
type deriveError struct{ text string }

func (e *deriveError) Error() string { return e.text }

// Limits of what the guest does. An emulated one is slow, and a script may compile.
const (
	wordLimit  = 2 * time.Minute
	stageLimit = time.Hour
	saidTail   = 15 // lines of what failed
)

// derive makes src at dir, whose lock the caller holds.
func (s *Store) derive(ctx context.Context, e entry, src source, dir string) (err error) {
	if s.boot == nil {
		return errors.New("this program makes no images of others")
	}
	d := src.derived
	from, ok := s.entry(d.From)
	if !ok {
		return s.unknown(d.From)
	}
	base, err := s.try(ctx, from, *src.of, mayReuse, true)
	if err != nil {
		return fmt.Errorf("image %s: %w", d.From, err)
	}
	switch {
	case base.BIOS:
		return &deriveError{fmt.Sprintf("no image can be made of %s: %v", d.From, errNoChannel)}
	case base.Disk == "":
		return &deriveError{fmt.Sprintf("no image can be made of %s: %v", d.From, errNoDisk)}
	}
	if err := s.needSpace(src.Space << 20); err != nil {
		return err
	}
	key := filepath.Base(dir)
	work, err := s.workFolder(key, deriveRecipe)
	if err != nil {
		return err
	}
	defer func() {
		if rmErr := host.RemoveTree(work); err == nil {
			err = rmErr
		}
	}()
	b := &bench{store: s, e: e, src: src, key: key, work: work, base: base}
	err = b.make(ctx, dir)
	if err != nil && ctx.Err() == nil && (host.DiskFull(err) || s.freeOrZero() < 16<<20) {
		return &spaceError{dir: s.dir, need: src.Space << 20, free: s.freeOrZero()}
	}
	return err
}

// bench is the making of one image.
type bench struct {
	store     *Store
	e         entry
	src       source
	key, work string
	base      *Image

	guest  Guest
	record derivedRecord
}

func (b *bench) say(format string, args ...any) {
	b.store.say(Progress{Image: b.e.Name, Phase: PhaseBuild, Note: fmt.Sprintf(format, args...)})
}

func (b *bench) make(ctx context.Context, dir string) (err error) {
	d := b.src.derived
	b.say("starting %s", d.From)
	if b.guest, err = b.store.boot(ctx, b.store, b.base); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.guest.Close()) }()
	media, err := b.media(ctx)
	if err != nil {
		return err
	}
	if err := b.guest.Plug(ctx, media); err != nil {
		return err
	}
	if _, err := b.run(ctx, "find the disk with its new parts", mountParts, wordLimit); err != nil {
		return err
	}
	before, err := b.word(ctx, "programs")
	if err != nil {
		return err
	}
	for _, stage := range []struct {
		word, note, title string
		wanted            bool
	}{
		{"packages", "installing " + strings.Join(d.Packages, ", "), "install its packages", len(d.Packages) > 0},
		{"files", "copying files", "copy its files", d.Files != nil},
		{"setup", "running " + d.setupName(), "run " + d.setupName(), d.Setup != nil},
	} {
		if !stage.wanted {
			continue
		}
		b.say("%s", stage.note)
		if _, err := b.run(ctx, stage.title, parts+"/guest "+stage.word, stageLimit); err != nil {
			return err
		}
	}
	after, err := b.word(ctx, "programs")
	if err != nil {
		return err
	}
	b.record.Programs = slices.DeleteFunc(after, func(program string) bool {
		_, had := slices.BinarySearch(before, program)
		return had || strings.HasPrefix(program, "x86_64-linux-gnu-")
	})
	out := filepath.Join(b.work, "out")
	names := map[string]string{"kernel": "vmlinuz", "disk": "disk.img"}
	if b.base.Packages != "" {
		names["packages"] = "packages"
		list, err := b.word(ctx, "list")
		if err == nil {
			err = os.WriteFile(filepath.Join(out, "packages"), []byte(strings.Join(list, "\n")+"\n"), 0o644)
		}
		if err != nil {
			return err
		}
	}
	if _, err := b.word(ctx, "clean"); err != nil {
		return err
	}
	if _, err := b.run(ctx, "end", unmountParts, wordLimit); err != nil {
		return err
	}
	b.say("keeping its disk")
	disk, err := b.guest.Finish(ctx)
	if err != nil {
		return err
	}
	if _, err := qemuImg(ctx, "convert", "-f", "qcow2", "-O", "qcow2", disk, filepath.Join(out, "disk.img")); err != nil {
		return err
	}
	copies := map[string]string{"vmlinuz": b.base.Kernel}
	if b.base.Initrd != "" {
		copies["initrd"], names["initrd"] = b.base.Initrd, "initrd"
	}
	for name, from := range copies {
		if err := copyFile(ctx, from, filepath.Join(out, name)); err != nil {
			return err
		}
	}
	return b.seal(ctx, out, dir, names)
}

func (b *bench) seal(ctx context.Context, out, dir string, names map[string]string) error {
	d := b.src.derived
	base, err := b.store.buildDir(*b.src.of)
	if err != nil {
		return err
	}
	b.record.Name, b.record.From, b.record.Base = b.e.Name, d.From, filepath.Base(base)
	b.record.Packages, b.record.Files, b.record.Setup = d.Packages, d.roots(), d.setupName()
	m := manifest{Source: "made of " + b.base.Name, Format: "qcow2", Derived: &b.record}
	if err := b.store.seal(ctx, b.e.Name, out, dir, m, names); err != nil {
		return fmt.Errorf("keep the image: %w", err)
	}
	return nil
}

// copyFile copies a file of another image: a link would share the time that each manifest
// has of it.
func copyFile(ctx context.Context, from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return host.CopySparse(ctx, to, in, func(int64) {})
}

// parts is where the guest has the disk with what is to be installed.
const parts = "/run/labrun-parts"

// mountParts waits for that disk, which a guest may have to look for.
const mountParts = `mkdir -p ` + parts + `
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  for disk in /sys/block/*; do
    [ "$(cat $disk/serial 2>/dev/null)" != ` + DiskSerial + ` ] || { mount -t ext4 -o ro /dev/${disk##*/} ` + parts + `; exit; }
  done
  echo 1 >/sys/bus/pci/rescan
  sleep 0.5
done
echo 'the disk has not come'; exit 1`

const unmountParts = `umount ` + parts + ` && rmdir ` + parts

// word has the guest's script do something that cannot fail for the author's fault, and
// returns the lines that it says.
func (b *bench) word(ctx context.Context, word string) ([]string, error) {
	said, err := b.run(ctx, word, parts+"/guest "+word, wordLimit)
	return strings.Split(strings.TrimSpace(said), "\n"), err
}

// run runs a command in the guest; title is what it is for.
func (b *bench) run(ctx context.Context, title, command string, limit time.Duration) (string, error) {
	began := time.Now()
	said, status, err := b.guest.Run(ctx, command, limit)
	b.log(fmt.Sprintf("%s (%.1f s)", title, time.Since(began).Seconds()), said)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", &deriveError{fmt.Sprintf("%s: %v", title, err)}
	}
	if status != 0 {
		return "", &deriveError{fmt.Sprintf("%s: exit status %d%s\n    all that was said is in %s",
			title, status, tailOf(said), b.store.logFile(b.key))}
	}
	return said, nil
}

// tailOf is the end of what a command has said, indented.
func tailOf(said string) string {
	lines := strings.Split(strings.TrimRight(said, "\n"), "\n")
	if lines[0] == "" && len(lines) == 1 {
		return ", and it said nothing"
	}
	return "\n    " + strings.Join(lines[max(0, len(lines)-saidTail):], "\n    ")
}

// log adds to the log of the build. It is for people who look for a reason; without it the
// image is as good.
func (b *bench) log(title, said string) {
	f, err := os.OpenFile(b.store.logFile(b.key), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "== %s\n%s\n", title, strings.TrimRight(said, "\n"))
}

// media makes the disk with what is to be installed. It asks the guest which packages it
// has, so that only what is missing is got.
func (b *bench) media(ctx context.Context) (string, error) {
	d := b.src.derived
	folder := filepath.Join(b.work, "parts")
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", err
	}
	files := map[string][]byte{}
	if d.Files != nil {
		files["files.tar"], files["files"] = d.Files.Archive(), []byte(d.Files.Script(parts+"/files.tar"))
	}
	if d.Setup != nil {
		files["setup"] = d.Setup.Text
	}
	if len(d.Packages) > 0 {
		status, code, err := b.guest.Run(ctx, "cat /var/lib/dpkg/status", wordLimit)
		if err != nil || code != 0 {
			return "", errors.Join(&deriveError{"read which packages there are: " + lastLine(status)}, err)
		}
		files["status"] = []byte(status)
		files["packages"] = []byte(strings.Join(d.Packages, "\n") + "\n")
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			return "", err
		}
	}
	release := cmp.Or(b.src.Debian, b.base.Debian)
	recipe := source{Recipe: deriveRecipe, Debian: release}
	err := b.store.runScript(ctx, b.e.Name, recipe, b.key, b.work, map[string]string{"parts": folder})
	names := filepath.Join(b.work, "out", "names")
	if data, readErr := os.ReadFile(names); readErr == nil {
		b.store.keepNames(release, data)
		_ = os.Remove(names)
	}
	if err != nil {
		var unknown *UnknownPackageError
		if named := checkNames(release, d.Packages); errors.As(named, &unknown) && ctx.Err() == nil {
			return "", &deriveError{named.Error()} // with the name that may have been meant
		}
		return "", err
	}
	media := filepath.Join(b.work, "media.img")
	return media, os.Rename(filepath.Join(b.work, "out", "media.img"), media)
}
