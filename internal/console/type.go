package console

import (
	"context"
	"time"
)

const (
	// BusyBox's login prints "Password: " first and throws away what was typed
	// until then a moment later, which under emulation is long.
	passwordSettle = 150 * time.Millisecond
	// What a program prints once it has read a password is at least a newline.
	// A console that stays silent for so long has lost it.
	passwordLost = 3 * time.Second
)

// Type types text, as Send does, and makes sure that a password arrives: a person would
// notice that nothing happens and type it again.
func (c *Console) Type(ctx context.Context, text string) error {
	if c.Waiting() != PasswordPrompt {
		return c.Send(ctx, text)
	}
	select {
	case <-time.After(passwordSettle):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	answered := make(chan struct{}, 1)
	defer c.Watch(func([]byte) {
		select {
		case answered <- struct{}{}:
		default:
		}
	})()
	for {
		if err := c.Send(ctx, text); err != nil {
			return err
		}
		select {
		case <-answered:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(passwordLost):
		}
	}
}
