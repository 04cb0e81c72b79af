package class

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/handin"
)

// handedIn is the account of what was handed in: a file says whose it is, and no kernel.
const handedIn = "(handed in)"

// TakeFolder takes what was handed in to a folder (files that end in .labrun), each of them once. What cannot be read
// is told once as well, and is looked at again when it has changed.
func (c *Class) TakeFolder(ctx context.Context, folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.labrun"))
	if err != nil {
		return fmt.Errorf("look for what was handed in: %w", err)
	}
	for _, file := range files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		info, err := os.Stat(file)
		if err != nil {
			continue // it was taken away
		}
		r := &Run{Account: handedIn, Session: filepath.Base(file), Started: info.ModTime()}
		c.mu.Lock()
		_, known := c.runs[r.key()]
		known = known || c.refused[r.key()]
		c.mu.Unlock()
		if known {
			continue
		}
		var refused *handin.RefusedError
		switch err := r.read(file); {
		case errors.As(err, &refused):
			c.options.Tell("%s: %v", r.Session, refused)
			c.mu.Lock()
			c.refused[r.key()] = true
			c.mu.Unlock()
		case err != nil:
			return err
		default:
			c.put(r)
		}
	}
	return c.save(ctx)
}

// handedEvery is how often a folder is looked at.
const handedEvery = 10 * time.Second

// read folds the runs of a file that was handed in.
func (r *Run) read(file string) error {
	s, err := handin.Open(file, handin.Usual)
	if err != nil {
		return err
	}
	defer s.Close()
	for n := range s.Claim.Runs {
		events, err := s.Events(n + 1)
		if err != nil {
			return err
		}
		for _, e := range events {
			if told := attach.Reported(e.Event); told != nil { // what a run would have told
				r.fold(told, e.Time)
			}
		}
		r.Lines += len(events)
	}
	// A file says who hands it in, and how that stands; its events, how it came to that.
	r.Student, r.Course, r.Mission, r.Title = text(s.Claim.Student), text(s.Claim.Course), text(s.Claim.Mission.Name), text(s.Claim.Mission.Title)
	r.Steps, r.At, r.Asked, r.Invited, r.Ended, r.Heard = nil, 0, nil, false, "", s.Claim.Ended
	for _, step := range s.Claim.Steps[:min(len(s.Claim.Steps), mostSteps)] {
		r.Steps = append(r.Steps, Step{
			Title: text(step.Title), State: recalled(step.State), Seconds: step.Seconds, Hints: step.Hints, Helped: step.Helped,
		})
	}
	for _, m := range r.Mistakes {
		if s := r.step(m.Step); s != nil {
			s.Missed++
		}
	}
	return nil
}

// put keeps a run that is complete.
func (c *Class) put(r *Run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	r.ID = c.next
	c.runs[r.key()] = r
	c.dirty[r] = true
}
