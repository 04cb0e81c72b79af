package guide

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

	"github.com/labrun/labrun/internal/course"
)

// State is how a step stands.
type State string

// The states of a step. Those behind the student have ended in one of the first three.
const (
	Done    State = "done"    // by the student
	Skipped State = "skipped" // by labrun, at the student's word
	Left    State = "left"    // not at all: something was broken, or it was not wanted
	Begun   State = "begun"   // a challenge that was entered and is not solved
	Here    State = "here"    // the student is at it
	Ahead   State = "ahead"   // it is to come
)

// Record is what is kept of a step.
type Record struct {
	Step    string   `json:"step"` // the name of the step's function
	State   State    `json:"state"`
	Hints   int      `json:"hints,omitempty"`   // how many were asked for
	Helped  int      `json:"helped,omitempty"`  // how often labrun did something for the student
	Seconds float64  `json:"seconds,omitempty"` // from the step's text to its end
	Answers []Answer `json:"answers,omitempty"`

	// Of a challenge:
	Passed time.Time `json:"passed,omitzero"`  // when it was solved first
	Ready  bool      `json:"ready,omitempty"`  // the machines have what its set-up does
	Before int       `json:"before,omitempty"` // the number of their state before it was entered; 0: there is none
}

// Answer is what a student answered to a question.
type Answer struct {
	Question string `json:"question"`
	Answer   string `json:"answer"`
}

// Progress is how far a student is in one mission. It is written after each
// step, and whenever a challenge is entered, solved or left, and survives a crash. It is not safe for concurrent use.
type Progress struct {
	Mission  string    `json:"mission"`
	Student  course.ID `json:"student,omitempty"` // whose it is; empty: they have said no name
	Drawn    string    `json:"drawn,omitempty"`   // tells what the mission has drawn for them from other draws; empty: nothing
	Steps    []Record  `json:"steps"`             // those behind the student, in order
	Board    *Board    `json:"board,omitempty"`   // the board that comes next, once the student has come to it
	Finished time.Time `json:"finished,omitzero"` // when the end was last reached
	Updated  time.Time `json:"updated"`

	// Runs are the folders of the records that it rests on, in the order of the runs: what a
	// student hands in is made of them.
	Runs []string `json:"runs,omitempty"`

	// Damaged is where a file was set aside that could not be read as progress; empty:
	// there was none.
	Damaged string `json:"-"`

	past string // what was drawn when it was saved
	file string
	lock *flock.Flock
}

// BusyError says that another labrun leads through the same mission.
type BusyError struct{ PID int }

func (e *BusyError) Error() string {
	return fmt.Sprintf("the mission is being guided already, by process %d", e.PID)
}

var unsafe = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// OpenProgress reads the progress in a mission from folder, and holds it until
// Close, so that no other labrun changes it. Mission is what tells missions apart:
// a file's absolute path, or the name of one that is built in. A file that cannot
// be read as progress is set aside: see Damaged.
func OpenProgress(folder, mission string) (*Progress, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the progress folder: %w", err)
	}
	p := &Progress{file: progressFile(folder, mission)}
	p.lock = flock.New(p.lockFile())
	if held, err := p.lock.TryLock(); err != nil {
		return nil, fmt.Errorf("lock the progress %s: %w", p.file, err)
	} else if !held {
		return nil, &BusyError{p.holder()}
	}
	// Who holds it is only for the other's message.
	os.WriteFile(p.lock.Path(), fmt.Appendln(nil, os.Getpid()), 0o600)
	data, err := os.ReadFile(p.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		p.lock.Unlock()
		return nil, fmt.Errorf("read the progress: %w", err)
	case !p.read(data):
		if p.Damaged, err = setAside(p.file); err != nil {
			p.lock.Unlock()
			return nil, fmt.Errorf("set damaged progress aside: %w", err)
		}
	}
	p.Mission = mission
	return p, nil
}

// LookAtProgress reads the progress in a mission, which another labrun may hold meanwhile,
// as it was saved last: none, where there is no file that can be read. Holder is the process that holds
// it, or has held it last; 0: nobody has.
func LookAtProgress(folder, mission string) (p *Progress, holder int) {
	p = &Progress{Mission: mission, file: progressFile(folder, mission)}
	if data, err := os.ReadFile(p.file); err == nil {
		p.read(data)
	}
	return p, p.holder()
}

// RestedOn are the folders of records that the progress of somebody rests on, of all that is
// kept in folder.
func RestedOn(folder string) map[string]bool {
	runs := map[string]bool{}
	filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error { // what cannot be read rests on nothing
		if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
			return nil
		}
		var p Progress
		if data, err := os.ReadFile(path); err == nil && p.read(data) {
			for _, run := range p.Runs {
				runs[run] = true
			}
		}
		return nil
	})
	return runs
}

// progressFile is where the progress in a mission is kept.
func progressFile(folder, mission string) string {
	sum := sha256.Sum256([]byte(mission))
	name := unsafe.ReplaceAllString(strings.TrimSuffix(filepath.Base(mission), ".star"), "-")
	return filepath.Join(folder, fmt.Sprintf("%.40s-%x.json", name, sum[:4]))
}

// lockFile is who has it: locked, and the number of the process is in it.
func (p *Progress) lockFile() string { return strings.TrimSuffix(p.file, ".json") + ".lock" }

func (p *Progress) holder() int {
	data, _ := os.ReadFile(p.lockFile())
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return pid
}

// read takes over what Save wrote, or nothing.
func (p *Progress) read(data []byte) bool {
	var saved Progress
	if json.Unmarshal(data, &saved) != nil {
		return false
	}
	for _, r := range saved.Steps {
		if r.State != Done && r.State != Skipped && r.State != Left {
			return false
		}
	}
	if saved.Board != nil {
		for _, r := range saved.Board.Entered {
			if r.State != Done && r.State != Skipped && r.State != Begun {
				return false
			}
		}
	}
	p.Board, p.Runs = saved.Board, saved.Runs
	p.past, p.Drawn = saved.Drawn, saved.Drawn
	p.Steps, p.Finished, p.Updated = saved.Steps, saved.Finished, saved.Updated
	return true
}

// setAside gives a file a name that no file has yet, and returns that.
func setAside(file string) (string, error) {
	for n := 1; ; n++ {
		aside := file + ".damaged"
		if n > 1 {
			aside = fmt.Sprintf("%s-%d", aside, n)
		}
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			return aside, os.Rename(file, aside)
		} else if err != nil {
			return "", err
		}
	}
}

// Save writes the progress; the old state or the new one is on disk, never half.
func (p *Progress) Save() error {
	p.Updated = time.Now()
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(p.file, append(data, '\n'), 0o600)
}

// Machines is the folder for how the machines were when the step began that the
// student is at, or at moments of the board.
func (p *Progress) Machines() string { return strings.TrimSuffix(p.file, ".json") + ".machines" }

// Begin forgets the steps; the student begins at the first one.
func (p *Progress) Begin() {
	p.Steps, p.Board, p.Runs, p.Finished, p.past = nil, nil, nil, time.Time{}, p.Drawn
	os.RemoveAll(p.Machines())
}

// Next returns the number of the step to go on at, counted from 0, in a mission
// with these steps. It is 0 and known is false if the mission was changed so that
// the steps behind the student are not its first ones any more, or were done with other
// draws than those of now.
func (p *Progress) Next(steps []string) (next int, known bool) {
	if len(p.Steps) > len(steps) || p.past != p.Drawn && (len(p.Steps) > 0 || p.Board != nil) {
		return 0, false
	}
	for i, r := range p.Steps {
		if r.Step != steps[i] {
			return 0, false
		}
	}
	return len(p.Steps), true
}

// Solved is how many challenges of the board that the student is at are solved.
func (p *Progress) Solved() (solved int) {
	if p.Board != nil {
		for _, r := range p.Board.Entered {
			if r.State != Begun {
				solved++
			}
		}
	}
	return solved
}

// fitBoard drops of the board what is not among the challenges that there are now.
func (p *Progress) fitBoard(challenges []string) {
	if p.Board == nil {
		return
	}
	p.Board.Entered = slices.DeleteFunc(p.Board.Entered, func(r Record) bool { return !slices.Contains(challenges, r.Step) })
	if len(challenges) == 0 {
		p.Board = nil
	}
}

// Close lets others have the progress.
func (p *Progress) Close() error { return p.lock.Unlock() }
