package lab

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/console"
)

// A wait that is made of many short ones tells how long it took as a whole.
func TestLateWaitTellsItsTime(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	c := console.New(near, console.Options{Name: "router7"})
	defer c.Close()
	const limit = 3 * pokeLook
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	_, err := pressing(ctx, c, true, func(ctx context.Context) (console.Match, error) {
		return c.Expect(ctx, console.Prompt())
	})
	var late *console.WaitError
	if !errors.As(err, &late) || !errors.Is(err, context.DeadlineExceeded) || late.Waited < limit-10*time.Millisecond {
		t.Error(err)
	}
}
