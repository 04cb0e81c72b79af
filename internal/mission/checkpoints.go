package mission

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

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

	// shared returns the name of a folder for one checkpoint, where those of all missions
	// are in the same place: it tells what the checkpoint depends on. It is nil if the folder
	// is this mission's.
	shared func(step int) string
}

// maxShared is how many checkpoints are kept in a folder of all missions: one takes
// some hundred MB.
const maxShared = 5

// dir is the folder of one checkpoint.
func (c *checkpoints) dir(step int) string {
	folder := c.folder
	if c.shared != nil {
		folder = filepath.Join(folder, c.shared(step))
	}
	return filepath.Join(folder, "step-"+strconv.Itoa(step))
}

// reach brings the lab as near before the beginning of a step as there is a checkpoint,
// and returns which step is the next.
func (c *checkpoints) reach(ctx context.Context, step int) (next int, err error) {
	for next = step; next > 0; next-- {
		restored, err := c.restore(ctx, next)
		if err != nil {
			return 0, err
		}
		if restored {
			c.tell("the machines are as they were at the beginning of step %d", next+1)
			return next, nil
		}
	}
	return 0, nil
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
	if err == nil && c.shared != nil {
		c.trim(filepath.Dir(c.dir(step)))
	}
	if err != nil && ctx.Err() == nil {
		c.broken = true
		c.tell("the machines' state could not be saved (%v): going back to a step will take longer", err)
	}
}

func (c *checkpoints) tell(format string, args ...any) {
	c.events.Emit(event.Notice{Text: fmt.Sprintf(format, args...)})
}

// trim removes the shared checkpoints that were made first, but not the present one.
func (c *checkpoints) trim(present string) {
	folders, _ := filepath.Glob(filepath.Join(c.folder, "*"))
	age := func(folder string) time.Time {
		info, err := os.Stat(folder)
		if err != nil || folder == present {
			return time.Now()
		}
		return info.ModTime()
	}
	slices.SortFunc(folders, func(a, b string) int { return age(a).Compare(age(b)) })
	for _, folder := range folders[:max(0, len(folders)-maxShared)] {
		os.RemoveAll(folder)
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
