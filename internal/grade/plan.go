package grade

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/handin"
	"github.com/labrun/labrun/internal/host"
)

// Suffix is what the name of a submission ends in.
const Suffix = ".labrun"

// largest is the size of a file, in bytes, beyond which nobody even reads it: what labrun
// hands in is text of some hundred kilobytes.
const largest = 256 << 20

// A Plan is what is to be graded, and how. All paths are absolute.
type Plan struct {
	// Replay is the command that plays a submission again and prints a handin.Verdict; the
	// submission's path follows it.
	Replay []string `json:"replay"`
	// Basis is a digest of all that verdicts depend on besides the submissions: missions,
	// keys, the labrun.
	Basis string `json:"basis"`

	Limit  time.Duration `json:"limit"`  // that each submission has
	Memory int           `json:"memory"` // that each process of a replay has, in MiB; 0: no limit

	Results     string       `json:"results"` // the folder of the results' files
	Submissions []Submission `json:"submissions"`
}

// A Submission is a file that was handed in.
type Submission struct {
	File   string `json:"file"`
	Name   string `json:"name"`             // that people know it by: where it is in the folder that was named
	Digest string `json:"digest,omitempty"` // of what is in it; empty: see Problem

	Problem string `json:"problem,omitempty"` // why it was not even read
}

// Find returns the submissions at paths: files, or folders with all that are below them, in
// the order of their names. Others counts the files there that are none by their names.
func Find(ctx context.Context, paths []string) (found []Submission, others int, err error) {
	for _, path := range paths {
		root, err := filepath.Abs(path)
		if err != nil {
			return nil, 0, err
		}
		err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case entry.IsDir() && strings.HasSuffix(file, Suffix) && file != root:
				found = append(found, Submission{File: file, Name: nameIn(root, file), Problem: "it is a folder"})
				return fs.SkipDir
			case entry.IsDir():
				return nil
			case !strings.HasSuffix(file, Suffix) && file != root:
				others++
				return nil
			}
			s, err := submission(ctx, file, nameIn(root, file))
			found = append(found, s)
			return err
		})
		if err != nil {
			return nil, 0, err
		}
	}
	slices.SortFunc(found, func(a, b Submission) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(found, func(a, b Submission) bool { return a.File == b.File }), others, nil
}

var tooLarge = fmt.Sprintf("it has more than %d MiB", largest>>20)

// nameIn is what a file is called that was found below a root.
func nameIn(root, file string) string {
	if name, err := filepath.Rel(root, file); err == nil && name != "." {
		return name
	}
	return filepath.Base(file)
}

// submission reads a file to know it again. What is no file, or is too large, is one that
// cannot be judged, and no error.
func submission(ctx context.Context, file, name string) (Submission, error) {
	s := Submission{File: file, Name: name}
	info, err := os.Lstat(file)
	switch {
	case err != nil:
		return s, err
	case !info.Mode().IsRegular(): // a link leads elsewhere, a pipe has no end
		s.Problem = "it is no file, but a link, a pipe or a device"
		return s, nil
	case info.Size() > largest:
		s.Problem = tooLarge
		return s, nil
	}
	f, err := os.Open(file)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			s.Problem = "it cannot be read: permission denied"
			return s, nil
		}
		return s, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, &interruptible{ctx, io.LimitReader(f, largest+1)})
	switch {
	case err != nil:
		return s, fmt.Errorf("read %s: %w", file, err)
	case n > largest: // it has grown meanwhile
		s.Problem = tooLarge
	default:
		s.Digest = hex.EncodeToString(sum.Sum(nil))
	}
	return s, nil
}

// interruptible is a reader that ends with a context.
type interruptible struct {
	ctx context.Context
	io.Reader
}

// Read implements io.Reader.
func (r *interruptible) Read(b []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

// Result is what came of a submission, as it is kept.
type Result struct {
	Submission
	handin.Verdict
	Ended time.Time `json:"ended"`
	Took  float64   `json:"took"`           // seconds, from the start of its process to its end
	At    string    `json:"at"`             // the name of the computer
	Said  string    `json:"said,omitempty"` // the end of what the process has said, if it did not judge
}

// judged reports whether the result stays: what labrun could not judge is tried again.
func (r *Result) judged() bool { return r.Judgement != handin.Failed }

// resultFile is where the result of a submission is kept.
func (p *Plan) resultFile(s Submission) string {
	sum := sha256.Sum256([]byte(p.Basis + " " + s.Digest))
	return filepath.Join(p.Results, hex.EncodeToString(sum[:16])+".json")
}

// Result returns what has come of submission i; nil if nothing has yet. A file that is not
// whole counts as none.
func (p *Plan) Result(i int) *Result {
	s := p.Submissions[i]
	if s.Problem != "" {
		return &Result{Submission: s, Verdict: handin.Verdict{
			Format: handin.VerdictFormat, Judgement: handin.Refused, Cause: handin.Hostile, Reason: s.Problem,
		}}
	}
	data, err := os.ReadFile(p.resultFile(s))
	if err != nil {
		return nil
	}
	var r Result
	if json.Unmarshal(data, &r) != nil || check(&r.Verdict) != nil || r.Digest != s.Digest {
		return nil
	}
	r.Submission = s // the same bytes may have been handed in twice
	return &r
}

// Pending are the submissions that are not judged yet, one of each that are the same.
func (p *Plan) Pending() (pending []int) {
	seen := map[string]bool{}
	for i, s := range p.Submissions {
		if r := p.Result(i); (r == nil || !r.judged()) && !seen[s.Digest] {
			seen[s.Digest] = true
			pending = append(pending, i)
		}
	}
	return pending
}

// Save writes the plan to a file, whole or not at all.
func (p *Plan) Save(file string) error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return host.WriteFile(file, append(data, '\n'), 0o644)
}

// ReadPlan reads a plan that was saved.
func ReadPlan(file string) (*Plan, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var p Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("read the plan %s: %w", file, err)
	}
	if len(p.Replay) == 0 || p.Limit <= 0 || p.Results == "" {
		return nil, fmt.Errorf("read the plan %s: it is not one of `labrun grade`", file)
	}
	return &p, nil
}
