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
		for g, delay := range l.delays() {
			lost = max(lost, delay-before[g])
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

// delays returns how long each machine that runs has waited for a processor since it was
// started.
func (l *Lab) delays() map[*guest]time.Duration {
	all := map[*guest]time.Duration{}
	l.guests.Range(func(g, _ any) bool {
		all[g.(*guest)] = g.(*guest).process.Delay()
		return true
	})
	return all
}
