package script

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

var errTest = errors.New("stopped by the test")

// An operation of the interpreter's own cannot be stopped, so nobody waits for it.
func TestStuckOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, end, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
		names := starlark.StringDict{
			"operation": starlark.NewBuiltin(
				"operation",
				func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
					close(begun)
					<-end
					return starlark.None, nil
				},
			),
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		thread := NewThread(ctx, "lab.star", nil)
		defer thread.Release()
		go func() {
			<-begun
			cancel(errTest)
		}()
		_, err := Evaluate(thread, func() (starlark.StringDict, error) {
			defer close(ended)
			return starlark.ExecFileOptions(&syntax.FileOptions{}, thread.Thread, "lab.star",
				"x = 1\n\noperation()\noperation()\n", names)
		})
		var stuck *StuckError
		if !errors.As(err, &stuck) || stuck.At.String() != "lab.star:3:1" || !errors.Is(err, errTest) {
			t.Errorf("error %#v, want that the operation in line 3 is stuck", err)
		}
		if failed := Explain(err); failed.Position.String() != "lab.star:3:1" || !errors.Is(failed, errTest) {
			t.Errorf("it is explained as %#v", failed)
		}
		close(end)
		<-ended // at the next step: a second call would panic
	})
}

func TestPanicReachesTheCaller(t *testing.T) {
	thread := NewThread(t.Context(), "lab.star", nil)
	defer thread.Release()
	defer func() {
		if recover() == nil {
			t.Error("the panic is lost")
		}
	}()
	Evaluate(thread, func() (int, error) { panic("a mistake of labrun's") })
}

// What labrun itself holds, and garbage, is not the script's use of memory.
func TestGarbageIsNoUseOfMemory(t *testing.T) {
	defer func(limit uint64) { maxHeap = limit }(maxHeap)
	maxHeap = 32 << 20
	held := make([]byte, 40<<20) // more than a script may use
	thread := NewThread(t.Context(), "lab.star", nil)
	defer thread.Release()
	_, err := Evaluate(thread, func() (starlark.StringDict, error) {
		return starlark.ExecFileOptions(&syntax.FileOptions{TopLevelControl: true, GlobalReassign: true}, thread.Thread,
			"lab.star", "for i in range(250):\n    row = \"x\" * 1000000\n", nil)
	})
	if err != nil {
		t.Error(err)
	}
	runtime.KeepAlive(held)
}
