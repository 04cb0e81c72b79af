package lab

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestRemaining(t *testing.T) {
	const s = time.Second
	for _, c := range []struct{ limit, passed, lost, want time.Duration }{
		{60 * s, 60 * s, 0, 0},                          // an idle host
		{60 * s, 60 * s, 45 * s, 45 * s},                // a busy one: three quarters of the time went to others
		{60 * s, 240 * s, 180 * s, 0},                   // in the end it had its minute
		{60 * s, 1190 * s, 1185 * s, 10 * s},            // but there is an end
		{10 * s, 10 * s, 20 * time.Millisecond, s / 50}, // a moment lost
	} {
		if got := remaining(c.limit, c.passed, c.lost); got != c.want {
			t.Errorf("of %v after %v with %v lost there are %v left, want %v", c.limit, c.passed, c.lost, got, c.want)
		}
	}
}

func TestWithin(t *testing.T) {
	cause := errors.New("too late")
	l := &Lab{}
	ctx, cancel := l.Within(t.Context(), time.Millisecond, cause)
	<-ctx.Done()
	if context.Cause(ctx) != cause {
		t.Errorf("it ended with %v", context.Cause(ctx))
	}
	cancel()
	ctx, cancel = l.Within(t.Context(), time.Hour, cause)
	cancel()
	if <-ctx.Done(); context.Cause(ctx) != context.Canceled {
		t.Errorf("cancelled it ended with %v", context.Cause(ctx))
	}
}
