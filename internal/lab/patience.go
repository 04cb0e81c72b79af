package lab

import (
	"context"
	"math"
	"time"
)

// mostPatience is how many times as long as it says a limit can become on a busy host.
const mostPatience = 20

// Within returns a context that ends with cause when the lab's machines have had as much
// time as limit says. The time for which a machine could have run and had no processor
// does not count, whoever had it: so on a computer that is busy with something else a lab
// is slow, and does not fail. The caller calls cancel.
func (l *Lab) Within(ctx context.Context, limit time.Duration, cause error) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	began, before := time.Now(), l.delays()
	var timer *time.Timer
	timer = time.AfterFunc(math.MaxInt64, func() {
		lost := time.Duration(0)
		for thread, delay := range l.delays() {
			lost = max(lost, delay-before[thread])
		}
		left := remaining(limit, time.Since(began), lost)
		if left <= 0 {
			end(cause)
		} else if ctx.Err() == nil {
			timer.Reset(left)
		}
	})
	timer.Reset(limit)
	return ctx, func() {
		timer.Stop()
		end(context.Canceled)
	}
}

// remaining is what is left of a limit after some time, of which a part was lost.
func remaining(limit, passed, lost time.Duration) time.Duration {
	return min(limit-(passed-lost), mostPatience*limit-passed)
}

// thread is one of a machine that runs.
type thread struct {
	guest *guest
	id    int
}

// delays returns how long each thread of each machine that runs has waited for a
// processor since it was started.
func (l *Lab) delays() map[thread]time.Duration {
	all := map[thread]time.Duration{}
	l.guests.Range(func(key, _ any) bool {
		g := key.(*guest)
		for id, delay := range g.process.Delays() {
			all[thread{g, id}] = delay
		}
		return true
	})
	return all
}
