package mission

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/control"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/qemu"
)

func TestClassify(t *testing.T) {
	stopped, cancel := context.WithCancelCause(t.Context())
	cancel(ErrInterrupted)
	late, release := context.WithTimeout(t.Context(), 0)
	defer release()
	<-late.Done()

	check := &builtins.CheckError{Builtin: "fail", Message: "no", Hint: "Try again."}
	tests := []struct {
		name string
		ctx  context.Context
		err  error
		want Kind
	}{
		{"a failed check", t.Context(), check, Check},
		{"a refused login", t.Context(), &lab.LoginError{Machine: "debian"}, Check},
		{"a panic of the guest", t.Context(), &lab.PanicError{Machine: "debian"}, Check},
		{"a file that is not in the guest", t.Context(), &control.GuestError{Action: "read"}, Check},
		{"a guest that powered itself off", t.Context(), &qemu.ExitError{Reason: qemu.PoweredOff}, Check},
		{"a dead emulator", t.Context(), &qemu.ExitError{}, Environment},
		{"no memory", t.Context(), &lab.EnvironmentError{Cause: errors.New("no memory")}, Environment},
		{"a forgotten boot", t.Context(), &lab.NotBootedError{Machine: "debian"}, Script},
		{"a time-out", t.Context(), context.DeadlineExceeded, Timeout},
		{"a command that does not end", t.Context(), &control.TimeoutError{Machine: "debian"}, Timeout},
		{"a bound of the whole run", late, context.DeadlineExceeded, Timeout},
		{"an interrupt", stopped, context.Canceled, Interrupted},
		{"an interrupt in a wait", stopped, context.DeadlineExceeded, Interrupted},
		{"anything else", t.Context(), errors.New("division by zero"), Script},
		{"what is classified already", stopped, &Error{Kind: Usage}, Usage},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got *Error
			if !errors.As(Classify(test.ctx, fmt.Errorf("wrapped: %w", test.err)), &got) || got.Kind != test.want {
				t.Errorf("got %+v, want kind %d", got, test.want)
			}
		})
	}

	var failed *Error
	if !errors.As(Classify(t.Context(), check), &failed) || failed.Hint != "Try again." {
		t.Errorf("got %+v, want the hint of the check", failed)
	}
}

func TestErrorText(t *testing.T) {
	e := &Error{
		Position: "lab.star:3:5",
		Message:  "boot: no",
		Stack:    []string{"lab.star:3:5 (start)", "lab.star:9:8 (work)"},
	}
	if got, want := e.Error(), "lab.star:3:5: boot: no\n  called from lab.star:9:8 (work)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (&Error{Message: "no memory"}).Error(), "no memory"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
