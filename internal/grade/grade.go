package grade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/labrun/labrun/internal/handin"
)

// Lock holds a folder of results, so that two gradings do not work on it at once. The
// returned function lets go of it.
func Lock(folder string) (release func(), err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(folder, ".lock"))
	if held, err := lock.TryLock(); err != nil {
		return nil, fmt.Errorf("lock %s: %w", folder, err)
	} else if !held {
		return nil, fmt.Errorf("%s: another `labrun grade` works on it: wait for it, or name another folder", folder)
	}
	return func() { lock.Unlock() }, nil
}

// Judge has an engine judge all submissions of a plan that are not judged yet, and returns
// the results of all, in their order. Tell is told of each as it comes.
func Judge(ctx context.Context, p *Plan, pending []int, engine Engine, tell func(*Result)) ([]*Result, error) {
	for _, i := range pending { // what failed the last time is no news of this one
		if err := os.Remove(p.resultFile(p.Submissions[i])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	news := map[string]*Result{} // by digest: what came is known even if its file is gone
	if len(pending) > 0 {
		err := engine(ctx, p, pending, func(r *Result) {
			news[r.Digest] = r
			tell(r)
		})
		if err != nil {
			return nil, err
		}
	}
	all := make([]*Result, len(p.Submissions))
	for i, s := range p.Submissions {
		all[i] = p.Result(i)
		if r := news[s.Digest]; all[i] == nil && r != nil {
			again := *r
			again.Submission = s
			all[i] = &again
		}
		if all[i] == nil {
			all[i] = &Result{Submission: s, Verdict: failed(handin.Host, "it is not judged yet")}
		}
	}
	return all, nil
}
