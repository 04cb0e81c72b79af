package guide

import (
	"context"
	"errors"
	"testing"
)

// Quit is heeded whatever labrun is at: also when nothing is asked, and for good.
func TestQuitWhileLabrunWorks(t *testing.T) {
	c := newClass(t, &bilingual{})
	ctx, cancel := c.Leading(t.Context())
	defer cancel()
	c.begins()
	if err := c.Command(t.Context(), Command{Word: "quit", For: 77}); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), ErrQuit) {
		t.Errorf("the lesson ends with %v", context.Cause(ctx))
	}
	if _, err := c.Await(t.Context(), Instruction{Verb: "send"}, Forever); !errors.Is(err, ErrQuit) {
		t.Errorf("what is asked then ends with %v", err)
	}
}
