package mission

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"time"

	"go.starlark.net/starlark"

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
)

// guarded is a thread under guard. The caller releases it.
type guarded struct {
	*starlark.Thread
	release func()
	cause   context.Context // cancelled with the reason if a limit is hit
}

// newThread returns a thread that stops with ctx and at the limits. say receives
// what the script prints; nil drops it.
func newThread(ctx context.Context, name string, say func(string)) *guarded {
	ctx, cancel := context.WithCancelCause(ctx)
	t := &starlark.Thread{Name: name}
	builtins.SetContext(t, ctx)
	// The thread's own limits stop it where it is, or that of a task's check which
	// has them, too, so that the error names that place; what comes from elsewhere
	// stops it soon.
	halt := func(thread *starlark.Thread, cause error) {
		cancel(cause)
		thread.Cancel(cause.Error())
	}
	t.SetMaxExecutionSteps(builtins.MaxSteps)
	t.OnMaxSteps = func(thread *starlark.Thread) {
		halt(thread, fmt.Errorf("the script computes without end: it was stopped after %d million steps", builtins.MaxSteps/1_000_000))
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
	// The collector lets garbage grow to the size of what is in use.
	most := 2*heapSize() + maxHeap
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watchHeap(ctx, cancel, most)
	}()
	return &guarded{Thread: t, cause: ctx, release: func() {
		stop()
		cancel(nil)
		<-watched
	}}
}

// watchHeap cancels when the heap holds more than most bytes.
func watchHeap(ctx context.Context, cancel context.CancelCauseFunc, most uint64) {
	tick := time.NewTicker(heapCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if heapSize() > most {
				cancel(fmt.Errorf("the script uses more than %d MiB of memory", maxHeap>>20))
			}
		}
	}
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
func (t *guarded) reason(err error) error {
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
