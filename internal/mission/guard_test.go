package mission

import (
	"context"
	"errors"
	"testing"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// An operation of the interpreter's own cannot be stopped, so nobody waits for it.
func TestStuckOperation(t *testing.T) {
	begun, end, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	names := starlark.StringDict{"operation": starlark.NewBuiltin("operation", func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
		close(begun)
		<-end
		return starlark.None, nil
	})}
	ctx, cancel := context.WithCancelCause(t.Context())
	thread := newThread(ctx, "lab.star", nil)
	defer thread.release()
	go func() {
		<-begun
		cancel(ErrInterrupted)
	}()
	_, err := evaluate(thread, func() (starlark.StringDict, error) {
		defer close(ended)
		return starlark.ExecFileOptions(&syntax.FileOptions{}, thread.Thread, "lab.star", "x = 1\n\noperation()\noperation()\n", names)
	})
	var stuck *StuckError
	if !errors.As(err, &stuck) || stuck.At != "lab.star:3:1" || !errors.Is(err, ErrInterrupted) {
		t.Errorf("error %#v, want that the operation in line 3 is stuck", err)
	}
	if failed, ok := Classify(ctx, err).(*Error); !ok || failed.Kind != Interrupted || failed.Position != "lab.star:3:1" {
		t.Errorf("it is classified as %#v", failed)
	}
	close(end)
	<-ended // at the next step: a second call would panic
}

func TestPanicReachesTheCaller(t *testing.T) {
	thread := newThread(t.Context(), "lab.star", nil)
	defer thread.release()
	defer func() {
		if recover() == nil {
			t.Error("the panic is lost")
		}
	}()
	evaluate(thread, func() (int, error) { panic("a mistake of labrun's") })
}

func TestProductsAreBounded(t *testing.T) {
	m := load(t, folder("lab.star", script(
		`x = 2`, `x *= 3`, `assert_equal([x, 3 * 5, 2.5 * 2, "ab" * 2, 2 * "ab", [1] * 2, 2 * (1,), [0] * -5, "x" * 0], [6, 15, 5.0, "abab", "abab", [1, 1], (1, 1), [], ""])`,
		`assert_equal([list(range(3)), sorted([2, 1]), max(1, 2), dict(a = 1), zip([1], [2])], [[0, 1, 2], [1, 2], 2, {"a": 1}, [(1, 2)]])`,
		`x = "a" * "b"`)))
	_, err := m.Run(t.Context(), openLab(t, m, nil), nil, Start{})
	if err == nil || err.Error() != "lab.star:9:13: unknown binary op: string * string" {
		t.Errorf("error %v", err)
	}
}
