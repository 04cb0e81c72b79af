package console

import (
	"bytes"
	"context"
	"regexp"
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
	begun  bool      // a line is being typed; what follows is of that line
	buf    []byte    // its text
	from   int64     // in the quiet text, where its echo begins
	at     reading   // where it was begun
	edited bool      // keys were typed whose effect only the guest knows: Tab, arrows …
	keyed  time.Time // when the last key was typed
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

// RelayBy is Relay for keys that reach the machine by another way than the console's stream, as
// those that are pressed in a picture of its screen: press has them go there, when it is their
// turn. It is called once at most, and its error is returned.
func (c *Console) RelayBy(ctx context.Context, keys []byte, press func() error) error {
	return c.typeAt(typed{ctx: ctx, text: string(keys), raw: true, person: true, press: press})
}

// relayed takes in keys of a person before they are written: a part of a line,
// or its end. It reports whether they are a password's.
func (c *Console) relayed(keys string) (secret bool) {
	at := c.beginEntry()
	if key := keys[len(keys)-1]; strings.IndexByte(submits, key) >= 0 { // Relay ends a piece there
		c.entry.take(keys[:len(keys)-1])
		c.entered(rune(key), at)
	} else {
		c.entry.take(keys)
	}
	c.typedKeys(keys)
	return at == PasswordPrompt
}

// beginEntry is called before anything is typed, and returns at which prompt. A
// password may be asked for while a line is being typed: then it is one.
func (c *Console) beginEntry() PromptKind {
	e := &c.entry
	line, whole := c.texts.lastLine()
	now := c.known.read(line, whole, c.prompts)
	if !e.begun || e.left(line, now, c.texts.quiet.end()) {
		e.begun, e.from, e.buf, e.edited, e.at = true, c.texts.quiet.end(), e.buf[:0], false, now
		if len(c.echoes) > 0 { // what was typed before is still on its way
			e.at.sure = false
		}
	}
	if now.kind == PasswordPrompt {
		return now.kind
	}
	return e.at.kind
}

// left reports whether what was begun went to a program that has ended since, such as the
// Esc that it was left with: nothing but keys whose effect the guest knows was typed, and a
// new prompt stands there with nothing on it.
func (e *entry) left(line []byte, now reading, end int64) bool {
	return e.edited && len(bytes.TrimSpace(e.buf)) == 0 && end-int64(len(line)) > e.from &&
		now.kind != NoPrompt && now.sure && now.text == string(line)
}

// functionKey matches what terminals send for keys without a letter of their own, as arrows and
// Alt-F1: CSI and SS3 sequences (ECMA-48 §5.4, xterm's control sequences).
var functionKey = regexp.MustCompile(`\x1b(?:\[[0-?]*[ -/]*[@-~]|O.)`)

// take takes in keys that do not end a line.
func (e *entry) take(keys string) {
	e.keyed = time.Now()
	if letters := functionKey.ReplaceAllLiteralString(keys, ""); letters != keys {
		keys, e.edited = letters, true
	}
	for i, key := range keys {
		switch {
		case key == 0x7f || key == '\b':
			_, size := utf8.DecodeLastRune(e.buf)
			e.buf = e.buf[:len(e.buf)-size]
		case key == 0x15 && !e.edited: // Ctrl-U
			e.buf = e.buf[:0]
		case unicode.IsControl(key):
			e.edited = true
		case len(e.buf) < longestLine:
			_, size := utf8.DecodeRuneInString(keys[i:])
			e.buf = append(e.buf, keys[i:i+size]...)
		}
	}
}

// bare reports whether nothing is left of what was typed since the last Enter. Where
// only the guest knows, it is what the console shows: the caller has seen a prompt
// there, unchanged for some time, and what the last key does shows within settleAsk.
func (e *entry) bare(now time.Time) bool {
	switch {
	case !e.begun:
		return true
	case e.edited:
		return now.Sub(e.keyed) >= settleAsk
	}
	return len(e.buf) == 0
}

// entered ends a person's line: what the guest prints from now on is its output.
func (c *Console) entered(key rune, at PromptKind) {
	e := &c.entry
	quiet := c.texts.quiet.end()
	text := string(e.buf)
	shown := c.texts.quiet.lastLine()
	begin := quiet - int64(len(shown))
	if e.edited {
		text = strings.TrimSpace(c.afterPrompt(shown))
	}
	c.beginOutput()
	c.asked, c.typed = quiet, quiet
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
	c.submitted(text, key == '\r' || key == '\n')
	c.restart()
}

// submitted takes in that the line that was begun is entered, or ended by a signal key.
func (c *Console) submitted(text string, entered bool) {
	e := &c.entry
	e.begun = false
	c.known.typedAt(e.at, question.MatchString(e.at.text))
	c.again = echo{}
	if !entered {
		c.known.ahead = false // a signal throws away what was typed
	} else if again, ok := newEcho(text+"\n", c.texts.quiet.end()); ok && (e.at.kind != PasswordPrompt || !e.at.sure) {
		c.again = again
	}
}

// afterPrompt returns what follows the prompt in a line that was entered there, or else
// the shortest prompt that the line begins with, or the whole line.
func (c *Console) afterPrompt(line []byte) string {
	if at := c.entry.at; at.kind == ShellPrompt {
		if _, rest, ok := strings.Cut(string(line), at.text); ok {
			return rest
		}
	}
	for i := 1; i < min(len(line), longestPrompt); i++ {
		if c.prompts.kind(line[:i]) != NoPrompt {
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

// OtherUser reports whether somebody else than the wanted user has logged in; no user is
// anybody.
func (c *Console) OtherUser(wanted string) bool {
	who := c.User()
	return wanted != "" && who != "" && who != wanted
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
