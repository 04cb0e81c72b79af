package script

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
)

const (
	// maxHeap bounds what a script may make labrun hold, beyond what it held
	// when the thread began; the interpreter has no limit of its own. Labs run in
	// containers of a few GiB, and a script that doubles a value gets several
	// times as far before it is noticed.
	maxHeap = 256 << 20
	// maxPrinted bounds what a script may print in one thread, in bytes.
	maxPrinted = 1 << 20

	heapCheck = 10 * time.Millisecond

	// longestOperation bounds one operation of the interpreter's own, which counts
	// as a step and may take long, as adding long texts does.
	longestOperation = 20 * time.Second
	// grace is how long such an operation may go on when the script is to stop.
	grace = 3 * time.Second
)

// Thread is a thread under guard. The caller releases it.
type Thread struct {
	*starlark.Thread
	Release func()
	cause   context.Context // cancelled with the reason if a limit is hit

	beats atomic.Uint64                   // grows while the interpreter goes on
	at    atomic.Pointer[syntax.Position] // where it was, at the last beat
	busy  *atomic.Int32                   // more than 0: it waits for something that stops by itself
	stuck chan struct{}                   // closed when it is not to be waited for any more
}

// NewThread returns a thread that stops with ctx and at the limits. say receives
// what the script prints; nil drops it.
func NewThread(ctx context.Context, name string, say func(string)) *Thread {
	ctx, cancel := context.WithCancelCause(ctx)
	t := &starlark.Thread{Name: name}
	g := &Thread{Thread: t, cause: ctx, busy: builtins.Watch(t), stuck: make(chan struct{})}
	builtins.SetContext(t, ctx)
	// The thread's own limits stop it where it is, or that of a task's check which
	// has them, too, so that the error names that place; what comes from elsewhere
	// stops it soon.
	halt := func(thread *starlark.Thread, cause error) {
		cancel(cause)
		thread.Cancel(cause.Error())
	}
	// The limit of steps is raised bit by bit: so the interpreter is looked at now
	// and then, by its own goroutine.
	before, left := uint64(0), uint64(0) // steps at the last look; until values are counted again
	t.SetMaxExecutionSteps(1)
	t.OnMaxSteps = func(thread *starlark.Thread) {
		steps := thread.ExecutionSteps()
		if steps >= builtins.MaxSteps {
			halt(thread, fmt.Errorf("the script computes without end: it was stopped after %d million steps", builtins.MaxSteps/1_000_000))
			return
		}
		if steps < before { // another thread, of a task's check
			before = 0
		}
		left -= min(left, steps-before)
		before = steps
		at := thread.CallFrame(0).Pos
		g.at.Store(&at)
		g.beats.Add(1)
		if left == 0 {
			tooDeep, seen := nested(thread)
			if tooDeep {
				halt(thread, fmt.Errorf("a value is nested more than %d levels deep", mostNested))
				return
			}
			left = max(10_000, uint64(seen)/4) // a step makes one level at most
		}
		thread.SetMaxExecutionSteps(min(steps+1+min(steps/100, 10_000), builtins.MaxSteps))
	}
	printed := 0
	t.Print = func(thread *starlark.Thread, text string) {
		if printed += len(text); printed > maxPrinted {
			halt(thread, fmt.Errorf("the script printed more than %d KiB", maxPrinted>>10))
			return
		}
		if say != nil {
			say(text)
		}
	}
	stop := context.AfterFunc(ctx, func() { t.Cancel(context.Cause(ctx).Error()) })
	runtime.GC()
	held := heapSize()
	watched, released := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		g.watch(released, cancel, held)
	}()
	g.Release = func() {
		stop()
		cancel(nil)
		close(released)
		<-watched
	}
	return g
}

// watch cancels the thread when it makes the heap hold too much, or an operation
// takes too long; and when one goes on although the thread is cancelled, it has whoever
// waits for it wait no more.
func (g *Thread) watch(released <-chan struct{}, cancel context.CancelCauseFunc, held uint64) {
	tick := time.NewTicker(heapCheck)
	defer tick.Stop()
	beats, since := uint64(0), time.Now() // of the last beat
	var cancelled time.Time
	for {
		select {
		case <-released:
			return
		case <-tick.C:
		}
		if now := g.beats.Load(); now != beats || g.busy.Load() > 0 {
			beats, since = now, time.Now()
		}
		switch {
		case g.cause.Err() != nil:
			if cancelled.IsZero() {
				cancelled = time.Now()
			}
			if time.Since(cancelled) > grace && time.Since(since) > grace {
				close(g.stuck)
				return
			}
		case overfull(held):
			cancel(fmt.Errorf("the script uses more than %d MiB of memory", maxHeap>>20))
		case time.Since(since) > longestOperation:
			cancel(fmt.Errorf("an operation of the script takes more than %v", longestOperation))
		}
	}
}

// Evaluate has f evaluate on the thread, and does not wait for an operation that goes on
// although the thread is to stop: that ends with labrun, or at its next step.
func Evaluate[T any](g *Thread, f func() (T, error)) (T, error) {
	type outcome struct {
		value    T
		err      error
		panicked any
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if o.panicked = recover(); o.panicked != nil {
				o.panicked = fmt.Sprintf("%v\n%s", o.panicked, debug.Stack())
			}
			done <- o
		}()
		o.value, o.err = f()
	}()
	select {
	case o := <-done:
		if o.panicked != nil {
			panic(o.panicked)
		}
		return o.value, g.reason(o.err)
	case <-g.stuck:
		var none T
		stopped := &StuckError{At: g.Name, Cause: context.Cause(g.cause)}
		if at := g.at.Load(); at != nil {
			stopped.At = at.String()
		}
		return none, stopped
	}
}

// StuckError is a script that did not stop when it was to: one of its operations goes
// on, and labrun should end soon.
type StuckError struct {
	At    string // where it was a moment before
	Cause error  // why it was to stop
}

func (e *StuckError) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *StuckError) Unwrap() error { return e.Cause }

// overfull reports whether the heap has grown too much since it held so many bytes. The
// collector lets garbage grow to the size of what is in use, and further where the
// computer is busy: then it is made to look, unless there is too much to wait for it.
func overfull(held uint64) bool {
	most := 2*held + maxHeap
	size := heapSize()
	if size <= most {
		return false
	}
	if size < 2*most {
		runtime.GC()
		return heapSize() > held+maxHeap
	}
	return true
}

// heapSize returns the bytes of all objects, those included that nothing uses any
// more and that the garbage collector has not found yet.
func heapSize() uint64 {
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(heap)
	return heap[0].Value.Uint64()
}

// reason replaces the interpreter's own «Starlark computation cancelled» by why
// it was.
func (t *Thread) reason(err error) error {
	if err == nil || t.cause.Err() == nil {
		return err
	}
	cause := context.Cause(t.cause)
	var evaluation *starlark.EvalError
	if errors.As(err, &evaluation) && evaluation.Unwrap() != nil && errors.Is(evaluation.Unwrap(), cause) {
		return err
	}
	if evaluation != nil {
		return &stoppedError{evaluation: evaluation, cause: cause}
	}
	return cause
}

// stoppedError is an evaluation that was stopped from outside, with the place
// it had reached.
type stoppedError struct {
	evaluation *starlark.EvalError
	cause      error
}

func (e *stoppedError) Error() string { return e.cause.Error() }
func (e *stoppedError) Unwrap() error { return e.cause }
