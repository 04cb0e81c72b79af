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
// folder step-N, counted from 0; and, of who is led, at moments of a board.
type checkpoints struct {
	lab    *lab.Lab
	folder string // empty: none are kept
	events *event.Log
	broken bool // one could not be saved, and that was told
	all    bool // saveOnly keeps the others, too: an author goes back to them

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

// save keeps the lab as it is now, as the beginning of a step.
func (c *checkpoints) save(ctx context.Context, step int) {
	if c.saveAt(ctx, c.dir(step)) && c.shared != nil {
		c.trim(filepath.Dir(c.dir(step)))
	}
}

// saveAt keeps the lab as it is now in a folder, whole or not at all. Where that cannot be
// done, steps are played again instead of restored: it is told once.
func (c *checkpoints) saveAt(ctx context.Context, dir string) (saved bool) {
	if c.folder == "" || c.broken {
		return false
	}
	fresh := dir + ".new" // what a labrun that was killed was at is no checkpoint
	err := os.RemoveAll(fresh)
	if err == nil {
		err = c.lab.Checkpoint(ctx, fresh)
	}
	if err == nil {
		err = errors.Join(os.RemoveAll(dir), os.Rename(fresh, dir))
	}
	if err != nil && ctx.Err() == nil {
		c.broken = true
		c.tell("the machines' state could not be saved (%v): going back to a step will take longer", err)
	}
	return err == nil
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
	c.keepOnly(c.dir(step))
}

// keepOnly removes all checkpoints but some, by their folders. The folder is one mission's.
func (c *checkpoints) keepOnly(dirs ...string) {
	all, _ := filepath.Glob(filepath.Join(c.folder, "*-*"))
	for _, dir := range all {
		if c.folder != "" && !slices.Contains(dirs, dir) && !(c.all && strings.HasPrefix(filepath.Base(dir), "step-")) {
			os.RemoveAll(dir)
		}
	}
}

// restore brings the lab back to the beginning of a step; false if it has to be
// reached in another way.
func (c *checkpoints) restore(ctx context.Context, step int) (bool, error) {
	return c.restoreAt(ctx, c.dir(step))
}

// restoreAt brings the lab back to the state in a folder; false if that is none, or fits no
// more.
func (c *checkpoints) restoreAt(ctx context.Context, dir string) (bool, error) {
	restored, err := c.takeBack(ctx, dir)
	var stale *lab.StaleError
	if errors.As(err, &stale) {
		return false, nil
	}
	return restored, err
}

// takeBack is restoreAt for a lab that runs and is not begun anew if it goes wrong: that the
// machines were switched off is an error then, and a labrun that is called again knows how to
// go on.
func (c *checkpoints) takeBack(ctx context.Context, dir string) (bool, error) {
	if _, err := os.Stat(dir); c.folder == "" || err != nil {
		return false, nil
	}
	err := c.lab.Restore(ctx, dir)
	var stale *lab.StaleError
	if !errors.As(err, &stale) {
		return err == nil, err
	}
	os.RemoveAll(dir) // it will not fit later, either
	if stale.Off {
		return false, &lab.EnvironmentError{Cause: fmt.Errorf("the machines cannot go on from their saved state and were switched off: run the same command again: it goes on from here (%w)", stale)}
	}
	return false, nil
}
