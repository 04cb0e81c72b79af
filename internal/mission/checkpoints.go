package mission

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/lab"
)

// checkpoints are a lab's states at the beginnings of a mission's steps, each a
// folder step-N, counted from 0.
type checkpoints struct {
	lab    *lab.Lab
	folder string // empty: none are kept
	events *event.Log
	broken bool // one could not be saved, and that was told
}

func (c *checkpoints) dir(step int) string {
	return filepath.Join(c.folder, "step-"+strconv.Itoa(step))
}

// save keeps the lab as it is now, as the beginning of a step. Where that cannot be
// done, steps are played again instead of restored: it is told once.
func (c *checkpoints) save(ctx context.Context, step int) {
	if c.folder == "" || c.broken {
		return
	}
	fresh := c.dir(step) + ".new" // what a labrun that was killed was at is no checkpoint
	err := os.RemoveAll(fresh)
	if err == nil {
		err = c.lab.Checkpoint(ctx, fresh)
	}
	if err == nil {
		err = errors.Join(os.RemoveAll(c.dir(step)), os.Rename(fresh, c.dir(step)))
	}
	if err != nil && ctx.Err() == nil {
		c.broken = true
		c.events.Emit(event.Notice{Text: fmt.Sprintf("the machines' state could not be saved (%v): going back to a step will take longer", err)})
	}
}

// saveOnly keeps the beginning of a step and forgets all others.
func (c *checkpoints) saveOnly(ctx context.Context, step int) {
	c.save(ctx, step)
	for _, other := range c.kept() {
		if other != step {
			os.RemoveAll(c.dir(other))
		}
	}
}

// restore brings the lab back to the beginning of a step; false if it has to be
// reached in another way.
func (c *checkpoints) restore(ctx context.Context, step int) (bool, error) {
	if _, err := os.Stat(c.dir(step)); c.folder == "" || err != nil {
		return false, nil
	}
	err := c.lab.Restore(ctx, c.dir(step))
	var stale *lab.StaleError
	if errors.As(err, &stale) {
		os.RemoveAll(c.dir(step)) // it will not fit later, either
		return false, nil
	}
	return err == nil, err
}

// kept lists the steps that there are checkpoints of.
func (c *checkpoints) kept() []int {
	var steps []int
	folders, _ := filepath.Glob(filepath.Join(c.folder, "step-*"))
	for _, f := range folders {
		if n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(f), "step-")); err == nil {
			steps = append(steps, n)
		}
	}
	return steps
}

// latest returns the last step, up to a given one, that there is a checkpoint of;
// 0 if there is none.
func (c *checkpoints) latest(most int) int {
	last := 0
	for _, n := range c.kept() {
		if n <= most {
			last = max(last, n)
		}
	}
	return last
}

// Digest tells the mission from others and from its other versions.
func (m *Mission) Digest() string {
	sum := sha256.New()
	for _, s := range m.sources {
		fmt.Fprintf(sum, "%d %s\n%s", len(s.text), filepath.Base(s.shown), s.text)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8])
}
