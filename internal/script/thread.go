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

// maxHeap bounds what a script may make labrun hold, in bytes beyond what it held when
// the thread began; the interpreter has no limit of its own. Labs run in containers of
// a few GiB, and a script that doubles a value gets several times as far before it is
// noticed. A test has it smaller.
var maxHeap uint64 = 256 << 20

const (
	// maxPrinted bounds what a script may print in one thread, in bytes.
	maxPrinted = 1 << 20

	heapCheck = 10 * time.Millisecond

	// longestOperation bounds one operation of the interpreter's own, which counts
	// as a step and may take long, as adding long texts does.
	longestOperation = 20 * time.Second
	// grace is how long such an operation may go on when the script is to stop.
	grace = 3 * time.Second
)

// Thread is a Starlark thread that stops with its context and at the limits of what a
// script may use. It is released when nothing is to be evaluated on it any more, and not
// used afterwards.
type Thread struct {
	*starlark.Thread

	ctx    context.Context // cancelled with the reason if a limit is hit
	cancel context.CancelCauseFunc
	say    func(string)

	// These belong to whoever runs Starlark on the thread, or on one that has the thread's
	// limits as well while the thread itself waits: a task's check has.
	steps     uint64 // at the last look at the interpreter
	uncounted uint64 // steps until values are looked at again
	printed   int    // bytes

	// The goroutine that watches reads these.
	beats atomic.Uint64                   // looks at the interpreter: they grow while it goes on
	at    atomic.Pointer[syntax.Position] // where it was at the last one
	busy  *atomic.Int32                   // more than 0: the thread waits for what stops by itself

	stuck    chan struct{} // closed when an operation is not to be waited for any more
	released chan struct{} // closed by Release
	watched  chan struct{} // closed when the goroutine that watches has ended
	stop     func() bool   // undoes the relay of ctx
}

// NewThread returns a thread that stops with ctx and at the limits. Say receives what the
// script prints; nil drops it. The caller releases the thread.
func NewThread(ctx context.Context, name string, say func(string)) *Thread {
	ctx, cancel := context.WithCancelCause(ctx)
	t := &Thread{
		Thread: &starlark.Thread{Name: name}, ctx: ctx, cancel: cancel, say: say,
		stuck: make(chan struct{}), released: make(chan struct{}), watched: make(chan struct{}),
	}
	t.busy = builtins.Watch(t.Thread)
	builtins.SetContext(t.Thread, ctx)
	t.SetMaxExecutionSteps(1)
	t.OnMaxSteps = t.look
	t.Print = t.print
	t.stop = context.AfterFunc(ctx, func() { t.Cancel(context.Cause(ctx).Error()) })
	runtime.GC() // garbage that is there already is not the script's
	held := heapSize()
	go func() {
		defer close(t.watched)
		t.watch(held)
	}()
	return t
}

// Release ends the watching of the thread.
func (t *Thread) Release() {
	t.stop()
	t.cancel(nil)
	close(t.released)
	<-t.watched
}

// halt stops a thread where it is, so that the error names that place: this one, or
// that of a task's check. What comes from elsewhere, through the context, stops it soon.
func (t *Thread) halt(thread *starlark.Thread, cause error) {
	t.cancel(cause)
	thread.Cancel(cause.Error())
}

// look is called by the interpreter, on its own goroutine, when as many steps were made as
// it was last allowed. It is allowed a few more each time, so that it is looked at now and
// then: whether it goes on, and how deeply its values are nested.
func (t *Thread) look(thread *starlark.Thread) {
	steps := thread.ExecutionSteps()
	if steps >= builtins.MaxSteps {
		t.halt(thread, fmt.Errorf("the script computes without end: it was stopped after %d million steps",
			builtins.MaxSteps/1_000_000))
		return
	}
	if steps < t.steps { // another thread, of a task's check
		t.steps = 0
	}
	t.uncounted -= min(t.uncounted, steps-t.steps)
	t.steps = steps
	at := thread.CallFrame(0).Pos
	t.at.Store(&at)
	t.beats.Add(1)
	if t.uncounted == 0 {
		tooDeep, seen := nested(thread)
		if tooDeep {
			t.halt(thread, fmt.Errorf("a value is nested more than %d levels deep", maxNested))
			return
		}
		// A step adds one level at most, so nothing is much too deep before the next look.
		// Where there are many values looks are rarer, so that they cost little more than
		// the steps between them.
		t.uncounted = max(maxNested, uint64(seen)/4)
	}
	thread.SetMaxExecutionSteps(min(steps+1+min(steps/100, 10_000), builtins.MaxSteps))
}

func (t *Thread) print(thread *starlark.Thread, text string) {
	if t.printed += len(text); t.printed > maxPrinted {
		t.halt(thread, fmt.Errorf("the script printed more than %d KiB", maxPrinted>>10))
		return
	}
	if t.say != nil {
		t.say(text)
	}
}

// watch cancels the thread when it makes the heap hold too much, or an operation takes too
// long; and when one goes on although the thread is cancelled, it has whoever waits for it
// wait no more. Held is how many bytes the heap held when the thread began.
func (t *Thread) watch(held uint64) {
	tick := time.NewTicker(heapCheck)
	defer tick.Stop()
	beats, since := uint64(0), time.Now() // of the last beat
	var cancelled time.Time
	for {
		select {
		case <-t.released:
			return
		case <-tick.C:
		}
		if now := t.beats.Load(); now != beats || t.busy.Load() > 0 {
			beats, since = now, time.Now()
		}
		long := time.Since(since) > longestOperation // before the heap is looked at, which takes long where others have the processors
		switch {
		case t.ctx.Err() != nil:
			if cancelled.IsZero() {
				cancelled = time.Now()
			}
			if time.Since(cancelled) > grace && time.Since(since) > grace {
				close(t.stuck)
				return
			}
		case overfull(held):
			t.halt(t.Thread, fmt.Errorf("the script uses more than %d MiB of memory", maxHeap>>20))
		case long:
			t.halt(t.Thread, fmt.Errorf("an operation of the script takes more than %v", longestOperation))
		}
	}
}

// Evaluate has f evaluate something on the thread, and returns what f does. It does not
// wait for an operation that goes on although the thread is to stop: the error is then a
// *StuckError, and f goes on until its next step, or until labrun ends. A panic of f's
// reaches the caller.
func Evaluate[T any](t *Thread, f func() (T, error)) (T, error) {
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
		return o.value, t.reason(o.err)
	case <-t.stuck:
		var none T
		stopped := &StuckError{At: inFile(t.Name), Cause: context.Cause(t.ctx)}
		if at := t.at.Load(); at != nil {
			stopped.At = *at
		}
		return none, stopped
	}
}

// StuckError is a script that did not stop when it was to: one of its operations goes
// on, and labrun should end soon.
type StuckError struct {
	At    syntax.Position // where it was a moment before
	Cause error           // why it was to stop
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
		return bytesOf("/gc/heap/live:bytes") > held+maxHeap // the script has gone on meanwhile
	}
	return true
}

// heapSize returns the bytes of all objects, those included that nothing uses any
// more and that the garbage collector has not found yet.
func heapSize() uint64 { return bytesOf("/memory/classes/heap/objects:bytes") }

// bytesOf reads one of the runtime's metrics.
func bytesOf(metric string) uint64 {
	sample := []metrics.Sample{{Name: metric}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// reason returns why a thread was cancelled instead of the interpreter's own error, which
// says only that it was.
func (t *Thread) reason(err error) error {
	if err == nil || t.ctx.Err() == nil {
		return err
	}
	cause := context.Cause(t.ctx)
	var evaluation *starlark.EvalError
	if errors.As(err, &evaluation) && evaluation.Unwrap() != nil && errors.Is(evaluation.Unwrap(), cause) {
		return err // a builtin has returned the reason
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
