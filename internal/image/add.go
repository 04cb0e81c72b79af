package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"

	"github.com/labrun/labrun/internal/disk"
)

// Wish is what who adds a disk image says of it. What is zero is not said.
type Wish struct {
	Hardware        // its Medium is what the disk is to be taken for
	Member   string // which file of an archive it is
	// Prompt is how the last line looks when a new image waits for input; nil: it is not known.
	Prompt *regexp.Regexp
	UEFI   bool // this computer has UEFI for machines

	// Ask is told what was found under a new name, and what its machines would have; it
	// says what of that is to be otherwise. It may be nil.
	Ask func(found disk.Image, guess Hardware) (Hardware, error)
}

// Add makes a disk image of the user's the image called name, in place of its sources,
// until Remove. It comes from a file or an http(s) URL: a floppy disk, a CD or a hard
// disk in one of the formats of package disk, also compressed or in an archive. It is copied
// into the cache, as raw or qcow2.
//
// It boots by the BIOS or by UEFI and has no control channel. A name that the lock has
// keeps its profile; any other gets one, with a screen and what [Guess] says, and is known
// by [Lock.WithAdded] from then on. What wish says counts for more.
//
// What nothing can boot is refused, and a disk that refers to other files of the host, is
// cut short or too large. What was added before then stays.
func (s *Store) Add(ctx context.Context, name, from string, wish Wish) (*Image, error) {
	fail := func(err error) (*Image, error) { return nil, fmt.Errorf("add image %s from %s: %w", name, from, err) }
	if !imageName.MatchString(name) {
		return fail(errors.New("an image's name is lower-case letters, digits and hyphens"))
	}
	if err := wish.Validate(); err != nil {
		return fail(err)
	}
	e, known := s.lock.images[name]
	known = known && !e.added
	if !isURL(from) {
		if err := s.glance(from); err != nil {
			return fail(err)
		}
	}
	key := "added-" + name
	unlock, err := s.acquire(ctx, name, key)
	if err != nil {
		return fail(err)
	}
	defer unlock()
	if err := s.clearWork(key); err != nil {
		return fail(err)
	}
	tmp, err := os.MkdirTemp(filepath.Join(s.dir, "work"), key+".")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(tmp)

	m := manifest{Source: fmt.Sprintf("file %s (added)", filepath.Base(from)), BIOS: true}
	file, own := from, false
	if isURL(from) {
		u, err := url.Parse(from)
		if err != nil {
			return fail(err)
		}
		m.Source = fmt.Sprintf("download %s (added)", path.Base(u.Path))
		file, own = filepath.Join(tmp, path.Base("/"+u.Path)+".download"), true
		err = s.fill(ctx, name, from, download{URL: from, Size: -1}, file)
		os.Remove(file + ".tag")
		if err != nil {
			return fail(err)
		}
	}
	t := taking{store: s, image: name, dir: tmp, member: wish.Member, medium: wish.Medium}
	found, format, err := t.take(ctx, file, own)
	if err != nil {
		return fail(err)
	}
	m.Format, m.Found = format, found.String()
	wish.Medium = found.Medium
	if found.Doubt != "" {
		s.say(Progress{Image: name, Phase: PhaseNote, Note: found.Doubt})
	}
	if !known {
		guess := Guess(found)
		if wish.Ask != nil {
			said, err := wish.Ask(found, wish.or(guess).fitted())
			if err != nil {
				return fail(err)
			}
			wish.Hardware = said.or(wish.Hardware)
		}
		m.Own = &ownProfile{Hardware: guess}
		if wish.Prompt != nil {
			m.Own.Shell = wish.Prompt.String()
		}
		e = m.Own.entry(name, m.Found)
	} else if wish.Prompt != nil {
		return fail(errors.New("its prompts are in images.lock"))
	}
	if !found.BIOS {
		wish.Firmware = cmp.Or(wish.Firmware, "uefi")
	}
	m.Hardware = wish.Hardware
	switch machine := m.Hardware.or(e.Hardware).fitted(); {
	case machine.Firmware == "uefi" && !found.UEFI:
		return fail(errors.New("this disk does not boot by UEFI, only by BIOS"))
	case machine.Firmware == "" && !found.BIOS:
		return fail(errors.New("this disk boots by UEFI alone, not by BIOS"))
	case machine.Firmware == "uefi" && !wish.UEFI:
		return fail(errors.New("this disk boots by UEFI alone, and UEFI is not installed here: " +
			"`labrun doctor --mend` installs it (the package ovmf); then add the disk again"))
	default:
		if err := machine.Validate(); err != nil {
			return fail(err)
		}
	}
	if err := s.seal(ctx, name, tmp, s.addedDir(name), m, map[string]string{"disk": "disk.img"}); err != nil {
		return fail(err)
	}
	return s.load(e, source{}, s.addedDir(name))
}

// Guess is the machine that a disk of which nothing else is known gets: one that systems of
// its kind have drivers for, or can do without.
func Guess(found disk.Image) Hardware {
	// The PC's oldest disk bus, and the card that systems from Windows 3 to Linux 6 know.
	h := Hardware{Memory: 256, CPUs: 1, NICModel: "pcnet", DiskBus: "ide", Display: "vga"}
	switch {
	case !found.BIOS: // so it is of this century
		h.Memory, h.NICModel = 1024, "e1000"
	case found.Medium == disk.Floppy:
		// DOS reaches 64 MiB at most, and its network programs look for an NE2000 at 0x300.
		h.Memory, h.NICModel = 32, "ne2k_isa"
	case found.Medium == disk.CD:
		h.Memory = 512 // a live system has its files in memory
	}
	return h
}

// Remove forgets the image the user added as name, and returns what it was: its
// Source. The sources of name count again; without any, there is no such image any more.
func (s *Store) Remove(ctx context.Context, name string) (was string, err error) {
	if _, ok := s.entry(name); !ok {
		return "", s.unknown(name)
	}
	fail := func(err error) (string, error) { return "", fmt.Errorf("remove image %s: %w", name, err) }
	unlock, err := s.acquire(ctx, name, "added-"+name)
	if err != nil {
		return fail(err)
	}
	defer unlock()
	if _, err := os.Stat(s.addedDir(name)); errors.Is(err, fs.ErrNotExist) {
		return fail(errors.New("no disk image was added, so there is nothing to remove"))
	}
	was = "a damaged disk image (added)"
	if m, err := readManifest(s.addedDir(name)); err == nil {
		was = m.Source
	}
	if err := os.RemoveAll(s.addedDir(name)); err != nil {
		return fail(err)
	}
	return was, nil
}

// Added reports whether the image called name was added, or pulled in place of its sources.
func (s *Store) Added(name string) bool {
	_, err := os.Stat(s.addedDir(name))
	return err == nil
}

// keepDisk makes a downloaded disk image the image folder dir.
func (s *Store) keepDisk(ctx context.Context, image, blob string, src source, dir string) error {
	key := filepath.Base(dir)
	if err := s.clearWork(key); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Join(s.dir, "work"), key+".")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	t := taking{store: s, image: image, dir: tmp, member: src.Member, medium: src.Medium}
	found, format, err := t.take(ctx, blob, true) // not copied: the disk would be taken twice
	if err != nil {
		return fmt.Errorf("%s: %w", src, err)
	}
	if src.Format != "" && found.Format != src.Format {
		return fmt.Errorf("%s: its format is %s, not %s as images.lock says", src, found.Format, src.Format)
	}
	if src.Boot == "bios" && !found.BIOS || src.Boot == "uefi" && !found.UEFI {
		return fmt.Errorf("%s: it is %s, and images.lock says %s", src, found, src.Boot)
	}
	m := manifest{Source: src.String(), Format: format, Found: found.String(), BIOS: true}
	m.Hardware.Medium = found.Medium
	if src.Boot == "uefi" || !found.BIOS {
		m.Hardware.Firmware = "uefi"
	}
	return s.seal(ctx, image, tmp, dir, m, map[string]string{"disk": "disk.img"})
}
