package handin

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/report"
)

// RefusedError says why a submission cannot be judged: a fault of the file, and not of the host.
type RefusedError struct {
	File  string // as it was named
	Cause Cause
	Why   string
}

func (r *RefusedError) Error() string { return fmt.Sprintf("submission %s: %s", r.File, r.Why) }

// Refuse is a refusal of this submission.
func (s *Submission) Refuse(cause Cause, format string, args ...any) *RefusedError {
	return &RefusedError{File: s.File, Cause: cause, Why: fmt.Sprintf(format, args...)}
}

// Limits bound what is read of a submission.
type Limits struct {
	File     int64 // bytes of the archive
	Files    int   // in it
	One      int64 // bytes of one of them, unpacked
	Unpacked int64 // bytes of all of them
	Ratio    int64 // unpacked bytes for each packed one; text of machines comes to 30
}

// Usual are limits that no honest submission comes near to: a student's week comes to some
// megabytes.
var Usual = Limits{File: 64 << 20, Files: 2000, One: 64 << 20, Unpacked: 512 << 20, Ratio: 500}

const (
	claimFile     = "claim.json"
	signatureFile = "claim.sig"
	claimLimit    = 4 << 20
)

var (
	eventsName  = regexp.MustCompile(`^events/[1-9][0-9]{0,3}\.jsonl$`)
	consoleName = regexp.MustCompile(`^consoles/[1-9][0-9]{0,3}/[A-Za-z0-9_][A-Za-z0-9._-]{0,120}\.cast$`)
)

// Submission is a file that was handed in. It is not safe for concurrent use.
type Submission struct {
	File  string // as it was named
	Claim Claim

	claim  []byte // as it is in the file, which is what was signed
	limits Limits
	file   io.Closer
	files  map[string]*zip.File
}

// Open opens a submission. Where the file itself is at fault the error is a *RefusedError. The
// caller closes it.
func Open(path string, limits Limits) (*Submission, error) {
	s := &Submission{File: filepath.Base(path), limits: limits, files: map[string]*zip.File{}}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the submission: %w", err)
	}
	s.file = f
	if err := s.open(f); err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

// Close closes the file.
func (s *Submission) Close() error { return s.file.Close() }

func (s *Submission) open(f *os.File) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("open the submission: %w", err)
	case !info.Mode().IsRegular():
		return s.Refuse(Hostile, "it is no file")
	case info.Size() == 0:
		return s.Refuse(Damaged, "it is empty: hand it in again")
	case info.Size() > s.limits.File:
		return s.Refuse(Hostile, "it has %d MiB, and a submission has at most %d", info.Size()>>20, s.limits.File>>20)
	}
	archive, err := zip.NewReader(f, info.Size())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are looked at below
		return s.Refuse(Damaged, "it is no whole submission (%v): perhaps its upload was cut off; hand it in again", err)
	}
	if err := s.list(archive.File); err != nil {
		return err
	}
	if s.claim, err = s.read(claimFile, claimLimit); err != nil {
		return err
	}
	return s.readClaim()
}

// list takes in what there is, and refuses what no submission holds.
func (s *Submission) list(entries []*zip.File) error {
	if len(entries) > s.limits.Files {
		return s.Refuse(Hostile, "it holds %d files, and a submission at most %d", len(entries), s.limits.Files)
	}
	var unpacked uint64
	for _, e := range entries {
		switch known := e.Name == claimFile || e.Name == signatureFile || eventsName.MatchString(e.Name) || consoleName.MatchString(e.Name); {
		case !known:
			return s.Refuse(Hostile, "it holds %.60q, which no submission does", e.Name)
		case s.files[e.Name] != nil:
			return s.Refuse(Hostile, "it holds %s twice", e.Name)
		case !e.Mode().IsRegular() || e.Flags&1 != 0:
			return s.Refuse(Hostile, "%s in it is no plain file", e.Name)
		case e.UncompressedSize64 > uint64(s.limits.One):
			return s.Refuse(Hostile, "%s in it has %d MiB, and may have %d", e.Name, e.UncompressedSize64>>20, s.limits.One>>20)
		case e.UncompressedSize64 > 1<<20 && e.UncompressedSize64/uint64(s.limits.Ratio) > e.CompressedSize64:
			return s.Refuse(Hostile, "%s in it is packed as nothing is that a machine has said", e.Name)
		}
		if unpacked += e.UncompressedSize64; unpacked > uint64(s.limits.Unpacked) {
			return s.Refuse(Hostile, "it unpacks to more than %d MiB", s.limits.Unpacked>>20)
		}
		s.files[e.Name] = e
	}
	if s.files[claimFile] == nil {
		return s.Refuse(Hostile, "it has no %s: it is no submission of labrun's", claimFile)
	}
	return nil
}

// reader opens one of the files in it; the caller closes it, and reads no more than it says
// that it has.
func (s *Submission) reader(name string) (io.ReadCloser, error) {
	e := s.files[name]
	if e == nil {
		return nil, s.Refuse(Damaged, "it lacks %s", name)
	}
	r, err := e.Open()
	if err != nil {
		return nil, s.Refuse(Damaged, "%s in it cannot be read: %v", name, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r, int64(e.UncompressedSize64)+1), r}, nil
}

// read reads one of the files in it whole, of at most so many bytes.
func (s *Submission) read(name string, most int64) ([]byte, error) {
	if e := s.files[name]; e != nil && e.UncompressedSize64 > uint64(most) {
		return nil, s.Refuse(Hostile, "%s in it has %d bytes, and may have %d", name, e.UncompressedSize64, most)
	}
	r, err := s.reader(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil || int64(len(content)) > most {
		return nil, s.unreadable(name, err)
	}
	return content, nil
}

// unreadable is the refusal of a file in it that is not what the archive says.
func (s *Submission) unreadable(name string, err error) error {
	if err == nil {
		err = errors.New("it is longer than the archive says")
	}
	return s.Refuse(Damaged, "%s in it is damaged (%v): hand it in again", name, err)
}

func (s *Submission) readClaim() error {
	var format struct{ Format int }
	if err := json.Unmarshal(s.claim, &format); err != nil {
		return s.Refuse(Damaged, "%s in it is damaged: %v", claimFile, err)
	}
	if format.Format != Format {
		return s.Refuse(Damaged, "it is of format %d, and this labrun reads %d: use the labrun that it was made with, or a newer one",
			format.Format, Format)
	}
	strict := json.NewDecoder(bytes.NewReader(s.claim))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&s.Claim); err != nil {
		return s.Refuse(Damaged, "%s in it is not of format %d: %v", claimFile, Format, err)
	}
	if err := s.Claim.check(); err != nil {
		return s.Refuse(Hostile, "its claim cannot be: %v", err)
	}
	for i := range s.Claim.Runs {
		if s.files[eventsFile(i+1)] == nil {
			return s.Refuse(Altered, "it lacks the events of run %d", i+1)
		}
	}
	for name := range s.files {
		if name != claimFile && name != signatureFile && s.Claim.Files[name] == "" {
			return s.Refuse(Altered, "it holds %s, of which its claim does not tell", name)
		}
	}
	return nil
}

func eventsFile(run int) string { return fmt.Sprintf("events/%d.jsonl", run) }

func consoleFile(run int, name string) string { return fmt.Sprintf("consoles/%d/%s", run, name) }

// Events returns what happened in a run, counted from 1. Its error is a *RefusedError.
func (s *Submission) Events(run int) ([]event.Record, error) {
	r, err := s.reader(eventsFile(run))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	records, err := report.ReadEvents(r)
	if err != nil {
		return nil, s.Refuse(Damaged, "the events of run %d are damaged: %v", run, err)
	}
	return records, nil
}

// Consoles are the names of the consoles' recordings of a run, sorted: MACHINE, or for its
// later starts and further consoles what package report knows them by, with «.cast».
func (s *Submission) Consoles(run int) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		if console, ok := strings.CutPrefix(name, consoleFile(run, "")); ok {
			names = append(names, console)
		}
	}
	return names
}

// Console returns what a console of a run has shown: an asciicast of version 2. Its error is a
// *RefusedError. The caller closes it.
func (s *Submission) Console(run int, name string) (io.ReadCloser, error) {
	return s.reader(consoleFile(run, name))
}
