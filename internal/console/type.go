package console

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	// BusyBox's login prints "Password: " first and throws away what was typed
	// until then a moment later, which under emulation is long. Who asks for the password of
	// somebody elsewhere (ssh) does it the other way round, as POSIX's TCSAFLUSH is meant.
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
	if !passwordOf.MatchString(c.Tail(1)) {
		select {
		case <-time.After(passwordSettle):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
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

// Send types text and remembers its echo: what was on the console before is
// no longer waited for, and waits start after the echo of the text's first line.
// A newline in text is the Enter key and is typed as a carriage return; none is
// added. It returns when all is written, or ctx ends or the console dies; then
// a part may have been typed.
//
// A line that a shell's line editor would cut is not typed (see [Options].Line). At a
// password prompt no echo is expected. Where one is but does not come, waits
// start where the console was when the text was typed, after two other lines or
// 300 ms of silence (3 s if the echo began). Type at a prompt: what is typed while
// a program runs is echoed by the terminal and then once more by the shell, and its
// output is told from the program's only once that has ended.
func (c *Console) Send(ctx context.Context, text string) error {
	return c.typeAt(typed{ctx: ctx, text: strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")})
}

// SendRaw types keys such as Ctrl-C, byte for byte, and expects no echo. Waits
// start at where the console is, and Output still begins at the last Send.
func (c *Console) SendRaw(ctx context.Context, keys []byte) error {
	return c.typeAt(typed{ctx: ctx, text: string(keys), raw: true})
}

func (c *Console) typeAt(t typed) error {
	t.done = make(chan error, 1)
	if err := c.handOver(t); err != nil {
		return fmt.Errorf("type at %s: %w", c.name, err)
	}
	return nil
}

func (c *Console) handOver(t typed) error {
	if failed(c.failing) {
		return c.reason()
	}
	select {
	case c.typing <- t:
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	case <-c.failing:
		return c.reason()
	}
	for failing, late := c.failing, (<-chan time.Time)(nil); ; {
		select {
		case err := <-t.done:
			if err != nil && failed(c.failing) {
				return c.reason() // which tells more than what became of the port
			}
			return err
		case <-t.ctx.Done():
			return context.Cause(t.ctx)
		case <-failing:
			// What was typed may be what ended the machine: a write that was taken is told
			// as such, and one that hangs is not waited for.
			failing, late = nil, time.After(lastWrite)
		case <-late:
			return c.reason()
		}
	}
}

// lastWrite is how long a write may still take when the machine has died under it. It has
// ended by itself by then, unless the machine is one that only reads no more.
const lastWrite = time.Second

func failed(failing <-chan struct{}) bool {
	select {
	case <-failing:
		return true
	default:
		return false
	}
}

// typist writes what is sent, one after the other. It is a goroutine so that
// Send can give up on a guest that reads nothing.
func (c *Console) typist() {
	for {
		select {
		case <-c.failing:
			return
		case t := <-c.typing:
			t.done <- c.write(t)
		}
	}
}

func (c *Console) write(t typed) error {
	if c.open != nil {
		select {
		case <-c.open:
		case <-t.ctx.Done():
			return context.Cause(t.ctx)
		case <-c.failing:
			return c.reason()
		}
	}
	if t.person && c.keyed != nil {
		c.keyed(t.text, c.At(), c.Printed())
	}
	secret, err := c.begin(t)
	defer c.written()
	if err != nil {
		return err
	}
	b := []byte(t.text)
	if !t.raw {
		b = bytes.ReplaceAll(b, []byte("\n"), []byte("\r"))
	}
	note := func(keys []byte) {
		if in, ok := c.transcript.(interface{ Input([]byte) }); ok && !secret {
			in.Input(keys)
		}
	}
	if t.press != nil {
		if err = t.press(); err == nil {
			note(b)
		}
		return err
	}
	for len(b) > 0 {
		if t.ctx.Err() != nil {
			return context.Cause(t.ctx)
		}
		n, err := c.stream.Write(b[:min(piece, len(b))])
		note(b[:n])
		if err != nil {
			c.mistyped()
			return err
		}
		b = b[n:]
	}
	return nil
}

// begin has the console expect what is about to be typed, after the aside that may be under
// way; writing is set until written.
func (c *Console) begin(t typed) (secret bool, err error) {
	for {
		c.mu.Lock()
		aside := c.aside
		if aside == nil {
			c.writing = true
			secret, err = c.expectEcho(t)
		}
		c.mu.Unlock()
		if aside == nil {
			return secret, err
		}
		select {
		case <-aside.over:
		case <-t.ctx.Done():
			return false, context.Cause(t.ctx)
		case <-c.failing:
			return false, c.reason()
		}
	}
}

// mistyped says that something of the line that is being typed was not: what it is, only the guest knows.
func (c *Console) mistyped() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entry.edited = c.entry.begun
}

func (c *Console) written() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
}
