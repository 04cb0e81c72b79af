package handin

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/report"
)

// longestConsole bounds what is handed in of what one console has shown, in bytes: the beginning.
const longestConsole = 8 << 20

// Write writes a submission that rests on the runs whose records are in these folders, and
// signs it if there is a key. What the runs say is filled into the claim: the rest of it is the
// caller's. Nothing depends on the clock or on names in these folders: the same runs and the
// same claim make the same file.
func Write(w io.Writer, claim *Claim, runs []string, key ed25519.PrivateKey) error {
	a := &archive{zip: zip.NewWriter(w), claim: claim}
	claim.Format, claim.Runs, claim.Files = Format, nil, map[string]string{}
	// The claim has the digests of all others, and comes last.
	at, records := first, [][]event.Record(nil)
	for i, folder := range runs {
		if slices.Contains(runs[:i], folder) {
			return fmt.Errorf("the records of an earlier run in %s have been overwritten by those of a later one: "+
				"it cannot be played again (leave out --records, and each run has a folder of its own)", folder)
		}
		next, its, err := a.run(i+1, folder, at)
		if err != nil {
			return err
		}
		at, records = next, append(records, its)
	}
	claim.took(records)
	if err := claim.check(); err != nil {
		return fmt.Errorf("hand in: %w", err)
	}
	text, err := json.MarshalIndent(claim, "", "  ")
	if err != nil {
		return err
	}
	if err := a.add(claimFile, text); err != nil {
		return err
	}
	if key != nil {
		signature := base64.StdEncoding.EncodeToString(ed25519.Sign(key, text))
		if err := a.add(signatureFile, []byte(signature+"\n")); err != nil {
			return err
		}
	}
	return a.zip.Close()
}

type archive struct {
	zip   *zip.Writer
	claim *Claim
}

func (a *archive) add(name string, content []byte) error {
	// Without a time, and with no names of this computer in it.
	w, err := a.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
	if err != nil {
		return err
	}
	if name != claimFile && name != signatureFile {
		a.claim.Files[name] = fmt.Sprintf("%x", sha256.Sum256(content))
	}
	_, err = w.Write(content)
	return err
}

// run adds a run: its events, and what its consoles have shown. It returns the chain after it.
func (a *archive) run(number int, folder string, at chain) (chain, []event.Record, error) {
	events, err := os.ReadFile(filepath.Join(folder, report.EventsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return at, nil, fmt.Errorf("the records of run %d, which the progress rests on, are gone from %s: "+
			"begin again with `labrun --guide --restart`, and leave that folder alone", number, folder)
	} else if err != nil {
		return at, nil, fmt.Errorf("read the records of run %d: %w", number, err)
	}
	events = events[:bytes.LastIndexByte(events, '\n')+1] // one that is being written, or was when labrun was killed
	if int64(len(events)) > Usual.One {
		return at, nil, fmt.Errorf("the events of run %d have %d MiB, more than anybody would take: %s",
			number, len(events)>>20, folder)
	}
	records, err := report.ReadEvents(bytes.NewReader(events))
	if err != nil {
		return at, nil, fmt.Errorf("the records of run %d in %s are damaged: %w", number, folder, err)
	}
	if len(records) == 0 {
		return at, nil, fmt.Errorf("the records of run %d in %s have no event in them", number, folder)
	}
	next, lines, err := at.over(bytes.NewReader(events))
	if err != nil {
		return at, nil, err
	}
	a.claim.Runs = append(a.claim.Runs, RunClaim{Started: records[0].Time, Lines: lines, Head: next.String()})
	if err := a.add(eventsFile(number), events); err != nil {
		return at, nil, err
	}
	casts, err := filepath.Glob(filepath.Join(folder, "*.cast"))
	if err != nil {
		return at, nil, err
	}
	slices.Sort(casts)
	for _, cast := range casts {
		name := consoleFile(number, filepath.Base(cast))
		if !consoleName.MatchString(name) {
			continue
		}
		content, err := beginning(cast)
		if err != nil {
			return at, nil, fmt.Errorf("read the records of run %d: %w", number, err)
		}
		if err := a.add(name, content); err != nil {
			return at, nil, err
		}
	}
	return next, records, nil
}

// beginning is the beginning of a console's recording, in whole lines.
func beginning(cast string) ([]byte, error) {
	f, err := os.Open(cast)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, longestConsole))
	return content[:bytes.LastIndexByte(content, '\n')+1], err
}

// took fills in what the runs say.
func (c *Claim) took(runs [][]event.Record) {
	c.Begun, c.Ended = time.Time{}, time.Time{}
	for _, records := range runs {
		for _, r := range records {
			switch e := r.Event.(type) {
			case event.Welcomed:
				c.Language = e.Language
			case event.Translated:
				c.Language = e.Language
			}
		}
		if c.Begun.IsZero() {
			c.Begun = records[0].Time
		}
		c.Ended = records[len(records)-1].Time
	}
	for i, answers := range AnswersIn(runs, len(c.Steps)) {
		c.Steps[i].Answers = answers
	}
}

// AnswersIn are the answers to the questions of each step in runs that follow one another, wrong
// ones too, in order.
func AnswersIn(runs [][]event.Record, steps int) [][]AnswerClaim {
	answers, at := make([][]AnswerClaim, steps), -1
	for _, records := range runs {
		for _, r := range records {
			switch e := r.Event.(type) {
			case event.StepStarted:
				at = e.Index - 1
				if e.Replayed { // what is told then was answered before
					at = -1
				}
			case event.Answered:
				if at >= 0 && at < steps {
					answers[at] = append(answers[at], AnswerClaim{e.Question, e.Answer, e.Verdict})
				}
			}
		}
	}
	return answers
}
