package class

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/host"
)

// Options are what a class needs of its surroundings.
type Options struct {
	Store *Store
	// Folder has what belongs to the class while it runs: a lock, and the doors of the runs that report.
	Folder string
	Handed string        // a folder to which submissions are handed in; empty: none
	Keep   time.Duration // how long a run is kept after the last that was heard of it; 0: for ever
	Now    func() time.Time
	Tell   func(format string, args ...any) // says something to whoever runs the class
}

// Class is what is known of a course, as its students' runs tell it. Its methods are safe for
// concurrent use.
type Class struct {
	options Options
	lock    *flock.Flock

	mu    sync.Mutex
	runs  map[string]*Run // by what tells them apart
	dirty map[*Run]bool   // what was not saved yet
	of    map[string]int  // how many runs of an account
	next  int64
	names map[int]string // accounts, by user

	refused map[string]bool // what was handed in and cannot be read

	saving sync.Mutex // held while something is written, so that an older state never follows a newer one
}

// New reads what was kept. The caller closes the class, and then its store.
func New(ctx context.Context, o Options) (*Class, error) {
	lock, err := lockFolder(o.Folder)
	if err != nil {
		return nil, err
	}
	c := &Class{options: o, lock: lock, runs: map[string]*Run{}, dirty: map[*Run]bool{}, of: map[string]int{}, names: map[int]string{}, refused: map[string]bool{}}
	if err = c.forget(ctx); err != nil {
		lock.Close()
		return nil, err
	}
	kept, err := o.Store.Runs(ctx)
	if err != nil {
		lock.Close()
		return nil, err
	}
	os.RemoveAll(Doors(o.Folder)) // of a class that was killed
	for _, r := range kept {
		c.runs[r.key()] = r
		c.of[r.Account]++
		c.next = max(c.next, r.ID)
	}
	return c, nil
}

// Close lets another class have the folder.
func (c *Class) Close() error { return c.lock.Close() }

// lockFolder holds a class's folder, which it makes.
func lockFolder(folder string) (*flock.Flock, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("open the class: %w", err)
	}
	lock := flock.New(filepath.Join(folder, "lock"))
	held, err := lock.TryLock()
	if err == nil && !held {
		err = errors.New("another labrun class has it open: stop that for a moment, runs tell it later what it misses")
	}
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("open the class in %s: %w", folder, err)
	}
	return lock, nil
}

// Doors is where in its folder a class has the doors of the runs that report.
func Doors(folder string) string { return filepath.Join(folder, "doors") }

// Look returns what a store keeps, and which of these runs report now to the class whose folder is given.
func Look(ctx context.Context, s *Store, folder string) ([]*Run, error) {
	runs, err := s.Runs(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		if _, err := os.Stat(filepath.Join(Doors(folder), r.Door())); err == nil {
			r.Live = true
		}
	}
	return runs, nil
}

// Forget removes what is kept of a student, and returns of how many runs, when no class has the
// folder open. A run that goes on tells of itself anew.
func Forget(ctx context.Context, s *Store, folder, student string) (int64, error) {
	lock, err := lockFolder(folder)
	if err != nil {
		return 0, err
	}
	defer lock.Close()
	return s.forget(ctx, student)
}

// key tells a run from all others.
func (r *Run) key() string {
	return fmt.Sprintf("%s\n%s\n%d", r.Account, r.Session, r.Started.UnixNano())
}

// Door is what the run's door is called while it reports.
func (r *Run) Door() string { return "run-" + strconv.FormatInt(r.ID, 10) }

// saveEvery is how often what came is written. What a crash loses of it, runs tell again.
const saveEvery = 2 * time.Second

// Collect hears the runs that report at a gate, until ctx ends; then everything that was heard is written.
func (c *Class) Collect(ctx context.Context, gate *attach.Gate) error {
	var tasks sync.WaitGroup
	saving, cancel := context.WithCancel(ctx)
	tasks.Go(func() {
		day := time.NewTicker(24 * time.Hour)
		defer day.Stop()
		for host.Sleep(saving, saveEvery) == nil {
			if err := c.save(saving); err != nil && saving.Err() == nil {
				c.options.Tell("%v: it is tried again", err)
			}
			select {
			case <-day.C:
				if err := c.forget(saving); err != nil {
					c.options.Tell("%v", err)
				}
			default:
			}
		}
	})
	if c.options.Handed != "" {
		tasks.Go(func() {
			for err := error(nil); err == nil; err = host.Sleep(saving, handedEvery) {
				if err := c.TakeFolder(saving, c.options.Handed); err != nil && saving.Err() == nil {
					c.options.Tell("%v: it is tried again", err)
				}
			}
		})
	}
	err := gate.Serve(ctx, c.hear)
	cancel()
	tasks.Wait()
	// What ctx's end has cut short is to be kept all the same.
	if last := c.save(context.WithoutCancel(ctx)); err == nil {
		err = last
	}
	return err
}

// hear hears a run until it is over, or gone for now.
func (c *Class) hear(ctx context.Context, caller *attach.Caller) {
	r := c.enter(caller)
	if r == nil {
		return
	}
	// A run reports by one connection: whatever is left of an earlier one is dead.
	select {
	case r.seat <- struct{}{}:
	case <-ctx.Done():
		return
	}
	defer func() { <-r.seat }()
	have := c.begin(r, caller)
	defer c.leave(r)
	closeDoor, err := caller.Door(ctx, filepath.Join(Doors(c.options.Folder), r.Door()))
	if err != nil {
		c.options.Tell("%v: nobody can look on there", err)
	} else {
		defer closeDoor()
	}
	over := caller.Hear(have, func(line []byte) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		r.take(line, c.options.Now())
		c.dirty[r] = true
		return nil
	})
	if over == nil { // it waits until that is kept
		if err := c.save(ctx); err != nil {
			c.options.Tell("%v", err)
		}
	}
}

// mostRuns is how many runs are kept of one account: students may share one.
const mostRuns = 20_000

// enter finds a run, or begins to keep it, and sends away who has reported as that run before; nil: there are too
// many of this account.
func (c *Class) enter(caller *attach.Caller) *Run {
	c.mu.Lock()
	defer c.mu.Unlock()
	account := c.account(caller.UID)
	r := &Run{Account: account, Session: caller.Session, Started: caller.Started, Student: account}
	if known := c.runs[r.key()]; known != nil {
		r = known
	} else {
		if c.of[account] >= mostRuns {
			return nil
		}
		c.of[account]++
		c.next++
		r.ID, r.Heard = c.next, c.options.Now()
		c.runs[r.key()] = r
	}
	if r.seat == nil {
		r.seat = make(chan struct{}, 1)
	}
	if r.caller != nil {
		r.caller.HangUp()
	}
	return r
}

// begin notes that a run reports, and tells how much of it is known.
func (c *Class) begin(r *Run, caller *attach.Caller) (have int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Live, r.caller = true, caller
	return r.Lines
}

func (c *Class) leave(r *Run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Live, r.caller = false, nil
}

// account is the name of a user; the caller holds c.mu.
func (c *Class) account(uid int) string {
	name, known := c.names[uid]
	if !known {
		name = strconv.Itoa(uid)
		if u, err := user.LookupId(name); err == nil {
			name = u.Username
		}
		c.names[uid] = name
	}
	return name
}

// save writes what is not written yet.
func (c *Class) save(ctx context.Context) error {
	c.saving.Lock()
	defer c.saving.Unlock()
	c.mu.Lock()
	var rows []row
	var runs []*Run
	for r := range c.dirty {
		if written, err := newRow(r); err == nil { // it has nothing that JSON has not
			rows, runs = append(rows, written), append(runs, r)
		}
	}
	clear(c.dirty)
	c.mu.Unlock()
	if len(rows) == 0 {
		return nil
	}
	err := c.options.Store.save(ctx, rows)
	if err != nil {
		c.mu.Lock()
		for _, r := range runs {
			c.dirty[r] = true
		}
		c.mu.Unlock()
	}
	return err
}

// forget removes what was kept long enough.
func (c *Class) forget(ctx context.Context) error {
	if c.options.Keep == 0 {
		return nil
	}
	before := c.options.Now().Add(-c.options.Keep)
	c.saving.Lock()
	defer c.saving.Unlock()
	if _, err := c.options.Store.forgetBefore(ctx, before); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, r := range c.runs {
		if r.Heard.Before(before) && !r.Live {
			delete(c.runs, key)
			delete(c.dirty, r)
			c.of[r.Account]--
		}
	}
	return nil
}

// Runs are copies of all runs, in the order in which they came.
func (c *Class) Runs() []*Run {
	c.mu.Lock()
	defer c.mu.Unlock()
	var runs []*Run
	for _, r := range c.runs {
		runs = append(runs, r.clone())
	}
	slices.SortFunc(runs, func(a, b *Run) int { return int(a.ID - b.ID) })
	return runs
}

// clone is a copy that does not change.
func (r *Run) clone() *Run {
	its := *r
	its.Steps = slices.Clone(r.Steps)
	if r.Asked != nil {
		asked := *r.Asked
		its.Asked = &asked
	}
	return &its // the lists only grow behind what it has
}
