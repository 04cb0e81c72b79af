package grade

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// An Engine judges the pending submissions of a plan, and tells each result as it comes. It
// has an error if it cannot go on; what it has judged until then is kept.
type Engine func(ctx context.Context, p *Plan, pending []int, tell func(*Result)) error

// Here is the engine that judges on this computer, so many at the same time.
func Here(jobs int) Engine {
	return func(ctx context.Context, p *Plan, pending []int, tell func(*Result)) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		next := make(chan int)
		go func() {
			defer close(next)
			for _, i := range pending {
				select {
				case next <- i:
				case <-ctx.Done():
					return
				}
			}
		}()
		var working sync.WaitGroup
		var telling sync.Mutex
		for range min(jobs, len(pending)) {
			working.Go(func() {
				for i := range next {
					r, err := p.Judge(ctx, i)
					if err != nil {
						cancel(err) // nothing can be kept: the others would be lost as well
						return
					}
					telling.Lock()
					tell(r)
					telling.Unlock()
				}
			})
		}
		working.Wait()
		return context.Cause(ctx)
	}
}

// A Part is a share of the pending submissions: every Of-th, from number Index on. It is
// what one task of an array job does.
type Part struct{ Index, Of int }

// ParsePart reads a part as String writes it, such as 3/40.
func ParsePart(text string) (Part, error) {
	index, of, _ := strings.Cut(text, "/")
	i, err := strconv.Atoi(index)
	n, err2 := strconv.Atoi(of)
	if errors.Join(err, err2) != nil || i < 0 || n < 1 || i >= n {
		return Part{}, fmt.Errorf("%q: want such as 3/40: the part, counted from 0, and how many there are", text)
	}
	return Part{i, n}, nil
}

// Do judges the submissions of the plan that are the part's, one after the other, but for
// those that are judged already: a part that is done again goes on.
func (p *Plan) Do(ctx context.Context, part Part, tell func(*Result)) error {
	for i := part.Index; i < len(p.Submissions); i += part.Of {
		if r := p.Result(i); r != nil && r.judged() {
			continue
		}
		r, err := p.Judge(ctx, i)
		if err != nil {
			return err
		}
		tell(r)
	}
	return nil
}

// Only is the plan for some of its submissions.
func (p *Plan) Only(which []int) *Plan {
	some := *p
	some.Submissions = nil
	for _, i := range which {
		some.Submissions = append(some.Submissions, p.Submissions[i])
	}
	return &some
}
