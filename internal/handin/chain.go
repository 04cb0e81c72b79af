package handin

import (
	"bufio"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/labrun/labrun/internal/event"
)

// chain is the hash of a line and of all lines before it.
type chain [sha256.Size]byte

// first is what the first line of the first run follows.
var first = chain(sha256.Sum256([]byte("labrun events\n")))

func (c chain) String() string { return fmt.Sprintf("%x", c[:]) }

// follow is the chain after a line.
func (c chain) follow(line []byte) chain {
	sum := sha256.New()
	sum.Write(c[:])
	sum.Write(line)
	return chain(sum.Sum(nil))
}

// over is the chain after all whole lines of r, which are counted.
func (c chain) over(r io.Reader) (chain, int, error) {
	lines := bufio.NewReader(r)
	for n := 0; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return c, n, nil
		} else if err != nil {
			return c, n, err
		}
		c = c.follow(line)
	}
}

// Verify looks whether the submission is whole and as it was made: the digest of each file, the
// chain over the events, and that they are the claimed student's. With a key it must also be
// signed by that. Its error is a *RefusedError.
func (s *Submission) Verify(key ed25519.PublicKey) error {
	if err := s.verifySignature(key); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.Claim.Files)) {
		r, err := s.reader(name)
		if err != nil {
			return err
		}
		sum := sha256.New()
		_, err = io.Copy(sum, r)
		r.Close()
		if err != nil {
			return s.unreadable(name, err)
		}
		if got := fmt.Sprintf("%x", sum.Sum(nil)); got != s.Claim.Files[name] {
			return s.Refuse(Altered, "%s in it is not the one that it was made with", name)
		}
	}
	at := first
	for i, run := range s.Claim.Runs {
		r, err := s.reader(eventsFile(i + 1))
		if err != nil {
			return err
		}
		var lines int
		at, lines, err = at.over(r)
		r.Close()
		if err != nil {
			return s.unreadable(eventsFile(i+1), err)
		}
		if at.String() != run.Head || lines != run.Lines {
			return s.Refuse(Altered, "the chain over its events breaks in run %d: an event was changed, put in or left out", i+1)
		}
		if err := s.verifyRun(i + 1); err != nil {
			return err
		}
	}
	return nil
}

// verifyRun looks whether a run is one of the mission, and of the student, that the claim tells
// of.
func (s *Submission) verifyRun(run int) error {
	records, err := s.Events(run)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		return s.Refuse(Altered, "run %d has no events", run)
	}
	started, ok := records[0].Event.(event.RunStarted)
	c := s.Claim
	switch {
	case !ok || !started.Guided:
		return s.Refuse(Altered, "run %d is none in which a student was led", run)
	case started.Student != c.Student:
		return s.Refuse(Altered, "it claims to be %s, and run %d is %s", named(c.Student), run, named(started.Student))
	case started.Course != c.Course:
		return s.Refuse(Altered, "run %d was played with another course's key than it claims", run)
	case MissionName(started.Mission) != c.Mission.Name:
		return s.Refuse(Altered, "it claims to be of the mission %s, and run %d is of %s", c.Mission.Name, run, MissionName(started.Mission))
	}
	return nil
}

// named is a student in words.
func named(student string) string {
	if student == "" {
		return "of nobody with a name"
	}
	return student + "'s"
}

func (s *Submission) verifySignature(key ed25519.PublicKey) error {
	if key == nil {
		return nil
	}
	if s.files[signatureFile] == nil {
		return s.Refuse(Unsigned, "it is not signed, and the course's submissions are")
	}
	text, err := s.read(signatureFile, 1<<10)
	if err != nil {
		return err
	}
	signature, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || !ed25519.Verify(key, s.claim, signature) {
		return s.Refuse(Unsigned, "its signature is not of this key, or it was changed after it was signed")
	}
	return nil
}

// Signed reports whether there is a signature, by whatever key.
func (s *Submission) Signed() bool { return s.files[signatureFile] != nil }
