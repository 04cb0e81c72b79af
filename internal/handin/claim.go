package handin

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/labrun/labrun/internal/guide"
)

// Format is that of the files which this labrun writes, and the only one that it reads.
const Format = 1

// Claim is what a submission says of itself. It is the student's word, until it was played
// again.
type Claim struct {
	Format  int          `json:"format"`
	Student string       `json:"student,omitempty"` // who played; empty: they have no name here
	Course  string       `json:"course,omitempty"`  // the fingerprint of its key; empty: none
	Mission MissionClaim `json:"mission"`
	// Images are the digests of the images that the machines boot from, by name; one that is not
	// in this computer's cache any more is left out.
	Images   map[string]string `json:"images,omitempty"`
	Labrun   string            `json:"labrun"`             // its version
	Steps    []StepClaim       `json:"steps"`              // all that the mission has, in order
	Begun    time.Time         `json:"begun"`              // when the first run did
	Ended    time.Time         `json:"ended"`              // when the last event happened
	Written  time.Time         `json:"written"`            // when the file was made
	Runs     []RunClaim        `json:"runs"`               // in the order in which they were
	Files    map[string]string `json:"files"`              // the SHA-256 of each other file, hexadecimal
	Language string            `json:"language,omitempty"` // that the student has read last, a BCP 47 tag
}

// FileName is what the submission is called: it says of which mission it is, and whose.
func (c *Claim) FileName() string {
	if c.Student == "" {
		return c.Mission.Name + ".labrun"
	}
	return c.Mission.Name + "-" + c.Student + ".labrun"
}

// StepsOf is how a mission's steps stand by somebody's progress; their answers are in the runs.
func StepsOf(steps []guide.Step, p *guide.Progress) (all []StepClaim) {
	records := slices.Clone(p.Steps)
	if p.Board != nil {
		records = append(records, p.Board.Entered...)
	}
	for _, step := range steps {
		c := StepClaim{Name: step.Name, Title: step.Title, State: string(guide.Ahead)}
		if i := slices.IndexFunc(records, func(r guide.Record) bool { return r.Step == step.Name }); i >= 0 {
			r := records[i]
			c.State, c.Hints, c.Helped, c.Seconds, c.Passed = string(r.State), r.Hints, r.Helped, r.Seconds, r.Passed
		}
		all = append(all, c)
	}
	return all
}

// MissionClaim is which one was played.
type MissionClaim struct {
	Name  string            `json:"name"` // of its file, without folder and .star
	Title string            `json:"title"`
	Files map[string]string `json:"files"` // the SHA-256 of each of its files, by its name in the mission's folder
}

// MissionName is what a mission's file is called in a claim: wherever it lies, it is the same.
func MissionName(file string) string {
	return strings.TrimSuffix(path.Base(filepath.ToSlash(file)), ".star")
}

// Digest is one over all of the mission's files.
func (m MissionClaim) Digest() string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		fmt.Fprintf(sum, "%d %s %s\n", len(name), name, m.Files[name])
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// StepClaim is how a step stands, as the progress had it.
type StepClaim struct {
	Name    string        `json:"name"` // of its function
	Title   string        `json:"title"`
	State   string        `json:"state"` // "done", "skipped" or "left"; "begun" or "ahead": it is not behind the student
	Hints   int           `json:"hints,omitempty"`
	Helped  int           `json:"helped,omitempty"` // how often labrun did something for the student
	Seconds float64       `json:"seconds,omitempty"`
	Passed  time.Time     `json:"passed,omitzero"` // of a challenge: when it was solved first
	Answers []AnswerClaim `json:"answers,omitempty"`
}

// AnswerClaim is one to a question of the step. Verdict is "right", "wrong" or "open".
type AnswerClaim struct {
	Question string `json:"question"`
	Answer   string `json:"answer"`
	Verdict  string `json:"verdict"`
}

// RunClaim is one run that the submission rests on.
type RunClaim struct {
	Started time.Time `json:"started"`
	Lines   int       `json:"lines"` // of its events
	Head    string    `json:"head"`  // of the chain after the last of them, hexadecimal
}

// What a claim may say at most. A mission has some ten steps, a student some ten runs.
const (
	mostSteps   = 10_000
	mostRuns    = 1000
	longestText = 64 << 10
)

// check looks for what cannot be, or would do harm where it is shown.
func (c *Claim) check() error {
	text := func(what, text string) error {
		switch {
		case len(text) > longestText:
			return fmt.Errorf("%s has %d bytes", what, len(text))
		case !utf8.ValidString(text):
			return fmt.Errorf("%s is no text", what)
		}
		return nil
	}
	word := func(what, word string) error {
		if len(word) > 200 || strings.ContainsFunc(word, unicode.IsControl) {
			return fmt.Errorf("%s %.40q is none", what, word)
		}
		return text(what, word)
	}
	name := func(what, name string) error { // of which files' names are made
		if strings.ContainsAny(name, `/\`) {
			return fmt.Errorf("%s %.40q is none", what, name)
		}
		return word(what, name)
	}
	switch {
	case c.Mission.Name == "":
		return fmt.Errorf("it names no mission")
	case len(c.Steps) > mostSteps:
		return fmt.Errorf("it has %d steps", len(c.Steps))
	case len(c.Runs) > mostRuns:
		return fmt.Errorf("it rests on %d runs", len(c.Runs))
	case len(c.Runs) == 0:
		return fmt.Errorf("it rests on no run")
	}
	for _, err := range []error{
		name("the student's name", c.Student), word("the course's fingerprint", c.Course), name("the mission's name", c.Mission.Name),
		text("the mission's title", c.Mission.Title), word("labrun's version", c.Labrun),
	} {
		if err != nil {
			return err
		}
	}
	for i, s := range c.Steps {
		if !slices.Contains([]string{"done", "skipped", "left", "begun", "ahead"}, s.State) {
			return fmt.Errorf("step %d is %.40q, which no step can be", i+1, s.State)
		}
		if s.Hints < 0 || s.Helped < 0 || s.Seconds < 0 {
			return fmt.Errorf("step %d has less than no hints, helps or seconds", i+1)
		}
		if err := word(fmt.Sprintf("the name of step %d", i+1), s.Name); err != nil { // of a pack it is PACK/CHALLENGE
			return err
		}
	}
	return nil
}
