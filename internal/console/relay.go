package console

import (
	"bytes"
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Line is one line that was entered at a console, by a person or by Send.
type Line struct {
	Number int        // counts from 1
	Text   string     // without the Enter; «^C» for a signal key; what the console shows if the line was edited
	Prompt PromptKind // at which it was entered; a password's text is for comparing only
	At     time.Time
}

// keysKept is how many of the keys that were typed are remembered, in bytes.
const keysKept = 256

// longestLine bounds what is remembered of a line, in bytes.
const longestLine = 4096

// entry is what is known of lines and keys.
type entry struct {
	buf    []byte // of the line that is being typed
	from   int64  // in the quiet text, where its echo begins; meaningful while begun
	begun  bool
	edited bool // keys were typed whose effect only the guest knows: Tab, arrows …
	last   Line
	user   string        // the last line that was entered at a login prompt
	keys   view          // what was typed, byte for byte
	news   chan struct{} // closed when last or keys change
}

// Relay types what a person types, byte for byte, key by key or pasted. Unlike
// SendRaw it leaves the cursor alone until a line is entered; then waits and
// Output begin after that line's echo, as with Send, and LastLine tells the line.
func (c *Console) Relay(ctx context.Context, keys []byte) error {
	for len(keys) > 0 {
		n := bytes.IndexAny(keys, submits) + 1
		if n == 0 {
			n = len(keys)
		}
		if err := c.typeAt(typed{ctx: ctx, text: string(keys[:n]), raw: true, person: true}); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// relayed takes in keys of a person before they are written: a part of a line,
// or its end. It reports whether they are a password's.
func (c *Console) relayed(keys string) (secret bool) {
	line, _ := c.texts.lastLine()
	at := c.prompts.kind(line)
	quiet := c.texts.quiet.end()
	if !c.entry.begun {
		c.entry.begun, c.entry.from, c.entry.buf, c.entry.edited = true, quiet, c.entry.buf[:0], false
	}
	for i, key := range keys {
		switch {
		case strings.ContainsRune(submits, key):
			c.entered(key, at)
		case key == 0x7f || key == '\b':
			_, size := utf8.DecodeLastRune(c.entry.buf)
			c.entry.buf = c.entry.buf[:len(c.entry.buf)-size]
		case key == 0x15 && !c.entry.edited: // Ctrl-U
			c.entry.buf = c.entry.buf[:0]
		case unicode.IsControl(key):
			c.entry.edited = true
		case len(c.entry.buf) < longestLine:
			_, size := utf8.DecodeRuneInString(keys[i:])
			c.entry.buf = append(c.entry.buf, keys[i:i+size]...)
		}
	}
	c.typedKeys(keys)
	return at == PasswordPrompt
}

// entered ends a person's line: what the guest prints from now on is its output.
func (c *Console) entered(key rune, at PromptKind) {
	e := &c.entry
	quiet := c.texts.quiet.end()
	text := string(e.buf)
	shown := c.texts.quiet.lastLine()
	begin := quiet - int64(len(shown))
	if e.edited {
		text = strings.TrimSpace(afterPrompt(shown, c.prompts))
	}
	c.output, c.asked, c.typed = quiet, quiet, quiet
	c.cursor = c.texts.full.end()
	if at != PasswordPrompt && (key == '\r' || key == '\n') {
		switch echoed, ok := newEcho(text+"\n", min(e.from, quiet)); {
		case e.edited:
			// What is on the line is its echo, however it came there.
			c.echoes = append(c.echoes, echo{loose: true, enter: true, from: begin})
		case ok:
			c.echoes = append(c.echoes, echoed)
		}
	} else if key != '\r' && key != '\n' {
		text = "^" + string(key+'@')
	}
	c.enteredLine(text, at)
	e.begun = false
	c.restart()
}

// afterPrompt returns what follows the shortest prompt that a line begins with,
// or the whole line.
func afterPrompt(line []byte, prompts Prompts) string {
	for i := 1; i < min(len(line), longestPrompt); i++ {
		if prompts.kind(line[:i]) != NoPrompt {
			return string(line[i:])
		}
	}
	return string(line)
}

// enteredLine remembers a line that was entered.
func (c *Console) enteredLine(text string, at PromptKind) {
	c.entry.last = Line{Number: c.entry.last.Number + 1, Text: text, Prompt: at, At: time.Now()}
	if at == LoginPrompt {
		c.entry.user = text
	}
	c.entry.tell()
}

func (c *Console) typedKeys(keys string) {
	c.entry.keys.keep = keysKept
	c.entry.keys.add([]byte(keys))
	c.entry.tell()
}

func (e *entry) tell() {
	close(e.news)
	e.news = make(chan struct{})
}

// LastLine returns the last line that was entered; its Number is 0 if none was.
func (c *Console) LastLine() Line {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entry.last
}

// User returns the name that was entered at the last login prompt: at a shell, who is
// logged in. It is empty if none was.
func (c *Console) User() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entry.user
}

// AwaitLine waits until a line with a number above after was entered and returns
// the last one. Its error is the context's cause, or why the console is dead.
func (c *Console) AwaitLine(ctx context.Context, after int) (Line, error) {
	err := c.awaitEntry(ctx, func() bool { return c.entry.last.Number > after })
	return c.LastLine(), err
}

// KeyMark returns a place after all keys that were typed so far, for AwaitKey.
func (c *Console) KeyMark() Mark {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Mark(c.entry.keys.end())
}

// AwaitKey waits until a key, given as the bytes that a terminal sends for it, was
// typed after a mark. Its errors are AwaitLine's.
func (c *Console) AwaitKey(ctx context.Context, key []byte, after Mark) error {
	return c.awaitEntry(ctx, func() bool {
		return bytes.Contains(c.entry.keys.slice(int64(after), c.entry.keys.end()), key)
	})
}

// awaitEntry waits until a condition on what was typed holds; it is asked with
// the lock held.
func (c *Console) awaitEntry(ctx context.Context, holds func() bool) error {
	for {
		c.mu.Lock()
		held, news := holds(), c.entry.news
		c.mu.Unlock()
		if held {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.failing:
			return c.reason()
		}
	}
}
