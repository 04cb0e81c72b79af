package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrClosed is why waits fail on a console that was closed, by either side.
var ErrClosed = errors.New("console closed")

// piece is how much is typed in one write: a guest's UART and line discipline
// have small buffers, and small writes let flow control work between them.
const piece = 512

// submits are the keys at which a prompt does more than edit its line: Enter,
// Ctrl-C, Ctrl-D, Ctrl-Z and Ctrl-\\.
const submits = "\r\n\x03\x04\x1a\x1c"

// Options say what a console is connected to. The zero value works.
type Options struct {
	Name    string  // the machine, for errors: "router7"
	Prompts Prompts // what waiting prompts look like there

	// Noise are log lines of daemons, besides the kernel's, that land between
	// prompts and output: each is a pattern for their first 64 bytes or less,
	// starting with an ASCII character
	// (`\d{4}/\d\d/\d\d \d\d:\d\d:\d\d `), and means all up to the newline.
	Noise []*regexp.Regexp

	// Transcript receives the raw bytes as they come; nil for none. If it has a
	// method Input([]byte), as [Transcript] has, that receives what is typed, except
	// at password prompts. Its errors are its owner's to look at, and so is
	// closing it, after the console.
	Transcript io.Writer

	// Watch is a first watcher, as by [Console.Watch]: it misses nothing. Nil: there is none.
	Watch func([]byte)

	// Open holds back what is typed until it is closed: nothing of it has happened before
	// that, neither to the guest nor to waits. Nil: nothing is held back.
	Open <-chan struct{}

	// Keyed is told what a person types (see [Console.Relay]), the line that it is typed at, and
	// how many bytes were printed by then, before it has any effect. Nil: nobody is.
	Keyed func(keys, at string, printed int64)

	// Line is how many bytes the line editor of the guest's shell keeps of a line; 0: all.
	Line int

	User string // who was logged in where a recording ends that is read first; see [Console.User]

	History int // how many bytes of text stay in memory, at least; 1 MiB if 0
}

// A Mark is a place in a console's text.
type Mark int64

// A Console is the text of a serial port with a cursor, drained from New until
// the stream ends. All methods may be called concurrently; waits on one console
// share its cursor, so that it is best if one goroutine does the waiting.
type Console struct {
	name       string
	id         int32
	prompts    Prompts
	line       int
	stream     io.ReadWriteCloser
	open       <-chan struct{} // closed when what is typed is passed on; nil: always
	keyed      func(keys, at string, printed int64)
	transcript io.Writer
	noises     []*noise

	tasks   sync.WaitGroup
	typing  chan typed
	failing chan struct{} // closed when err is first set
	closing sync.Once
	closed  error // of the stream's Close

	showing sync.Mutex // keeps those who look from being told two things at once

	mu       sync.Mutex // guards all below
	clean    cleaner
	texts    *texts
	cursor   int64     // in the full text
	output   int64     // in the quiet text: what was printed since the last Send
	earlier  []span    // the outputs that it goes on from: see Join
	previous []span    // the output of the line before
	typed    int64     // in the quiet text: what was printed since anything was typed
	asked    int64     // in the quiet text: what was printed since a Send, an Enter or a signal key
	echoes   []echo    // that are still expected; while there are any, no wait matches
	again    echo      // of the line entered last, where a shell that reads it only now may print it once more
	known    known     // what the shells' prompts are
	lastByte time.Time // of the stream
	changed  time.Time // when the quiet text last changed, or the kernel interrupted it
	lastText time.Time // when the quiet text last grew
	waiters  []*waiter
	watchers []*watcher    // replaced, never changed in place
	entry    entry         // lines and keys that were typed
	raw      view          // the last bytes as they came
	printed  chan struct{} // closed when raw grows, and for good when the stream has ended
	drained  bool          // the stream has ended
	aside    *Aside        // nil: none is under way
	writing  bool          // something is being typed
	err      error         // why the console is dead
}

// A span is a part of the quiet text.
type span struct{ from, to int64 }

type watcher struct{ see func([]byte) }

// typed is something to be typed, and where to say that it was.
type typed struct {
	ctx    context.Context
	text   string
	raw    bool
	person bool         // it comes from Relay
	press  func() error // types it, where the stream does not; nil: the stream does
	done   chan error
}

// New starts draining a stream. Closing the stream must end a Read and a Write
// that are under way. It panics if a noise pattern is none that regexp/syntax
// can parse with its Perl flags.
func New(stream io.ReadWriteCloser, o Options) *Console {
	if o.History <= 0 {
		o.History = 1 << 20
	}
	noises, err := newNoises(o.Noise)
	if err != nil {
		panic(fmt.Sprintf("console %s: noise: %v", o.Name, err))
	}
	c := build(stream, o, noises)
	if o.Watch != nil {
		c.watchers = []*watcher{{o.Watch}}
	}
	c.tasks.Go(c.drain)
	c.tasks.Go(c.typist)
	return c
}

func build(stream io.ReadWriteCloser, o Options, noises []*noise) *Console {
	return &Console{
		name:       o.Name,
		id:         1 + rand.Int32N(math.MaxInt32),
		prompts:    o.Prompts,
		line:       o.Line,
		stream:     stream,
		open:       o.Open,
		keyed:      o.Keyed,
		transcript: o.Transcript,
		noises:     noises,
		typing:     make(chan typed),
		failing:    make(chan struct{}),
		entry:      entry{news: make(chan struct{}), user: o.User},
		raw:        view{keep: scrollBack},
		printed:    make(chan struct{}),
		texts:      newTexts(o.History, noises),
		known:      known{none: true},
	}
}

// drain reads until the stream ends.
func (c *Console) drain() {
	buf := make([]byte, 64<<10)
	for {
		n, err := c.stream.Read(buf)
		if b := c.overheard(buf[:n]); len(b) > 0 {
			c.take(b)
		}
		if err != nil {
			c.mu.Lock()
			c.clean.end((*cleaned)(c))
			c.mu.Unlock()
			if err != io.EOF {
				err = fmt.Errorf("%w: %v", ErrClosed, err)
			} else {
				err = ErrClosed
			}
			c.Fail(err)
			c.mu.Lock()
			c.drained = true
			close(c.printed)
			c.mu.Unlock()
			return
		}
	}
}

// overheard takes away what is part of an aside.
func (c *Console) overheard(b []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.aside == nil {
		return b
	}
	return c.aside.hear(b)
}

// take takes in what the guest has printed, and shows it to those who look.
func (c *Console) take(b []byte) {
	c.showing.Lock()
	defer c.showing.Unlock()
	c.show(b)
}

// show is take for a caller that holds showing.
func (c *Console) show(b []byte) {
	if c.transcript != nil {
		c.transcript.Write(b) // its error is its owner's to look at
	}
	for _, w := range c.record(b) {
		w.see(b)
	}
}

// record takes in what was read and returns who watches.
func (c *Console) record(b []byte) []*watcher {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastByte = time.Now()
	c.raw.add(b)
	close(c.printed)
	c.printed = make(chan struct{})
	c.clean.write(b, (*cleaned)(c))
	for _, w := range c.waiters {
		w.wake(c.lastByte)
	}
	return c.watchers
}

// cleaned is the console as the sink of its own cleaner.
type cleaned Console

func (s *cleaned) text(b []byte) {
	c := (*Console)(s)
	quiet := c.texts.quiet.end()
	if c.texts.add(b) {
		c.changed = c.lastByte
	}
	if c.texts.quiet.end() > quiet {
		c.lastText = c.lastByte
	}
	c.look()
}

func (s *cleaned) erase() {
	c := (*Console)(s)
	c.texts.takeBack()
	c.changed = c.lastByte
	quiet := c.texts.quiet.end()
	c.cursor = min(c.cursor, c.texts.full.end())
	c.output = min(c.output, quiet)
	c.typed = min(c.typed, quiet)
	c.asked = min(c.asked, quiet)
	for i := range c.echoes {
		c.echoes[i].from = min(c.echoes[i].from, quiet)
	}
	for _, w := range c.waiters {
		w.retreat(c.texts)
	}
}

// expectEcho moves the cursor for what is about to be typed, and reports
// whether it is a password. The caller holds mu.
func (c *Console) expectEcho(t typed) (secret bool, err error) {
	if t.person {
		return c.relayed(t.text), nil
	}
	at := c.beginEntry()
	secret = at == PasswordPrompt
	quiet := c.texts.quiet.end()
	if !t.raw {
		for line := range strings.SplitSeq(t.text, "\n") {
			if c.line > 0 && at == ShellPrompt && len(line) > c.line {
				c.entry.begun = len(c.entry.buf) > 0
				return false, fmt.Errorf("the line has %d bytes, and the shell there keeps %d of a line and drops the rest: "+
					"put it into a file with write_file and run that, or type shorter lines", len(line), c.line)
			}
		}
		first, _, _ := strings.Cut(t.text, "\n")
		c.enteredLine(first, at)
		c.beginOutput()
		if e, ok := newEcho(t.text, quiet); ok && !secret {
			c.echoes = append(c.echoes, e)
		}
	}
	last := strings.LastIndexAny(t.text, submits)
	if !t.raw || last >= 0 {
		c.asked = quiet
	}
	if last >= 0 {
		line, _, _ := strings.Cut(t.text, "\n")
		c.submitted(line, !t.raw)
	}
	if rest := t.text[last+1:]; rest != "" {
		c.beginEntry()
		c.entry.take(rest)
	}
	c.typed = quiet
	c.cursor = c.texts.full.end()
	c.restart()
	return secret, nil
}

// beginOutput has the output of the line that was begun start here.
func (c *Console) beginOutput() {
	before := c.entry.from
	if at := c.entry.at; at.kind != NoPrompt || at.text == secondPrompt {
		before -= int64(len(at.text))
	}
	c.previous = append(slices.Clone(c.earlier), span{c.output, before})
	c.earlier, c.output = nil, c.texts.quiet.end()
}

// Waiting says which prompt the console is at right now, if that was printed
// since anything was last typed. It may not have settled yet: what looks like a
// prompt may become another line. A line that looks like a shell prompt, but like none
// that is known, is one once it has stood still for long; like a password prompt, at
// once, since whoever asks is about to type.
func (c *Console) Waiting() PromptKind {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, _ := c.prompt(c.typed)
	if c.err != nil || at.kind == ShellPrompt && !c.believed(at) {
		return NoPrompt
	}
	return at.kind
}

// believed reports whether a prompt needs not be waited for, or has been for long enough.
func (c *Console) believed(at reading) bool {
	needs := c.known.patience(at)
	return needs <= settlePrompt || c.unchanged(time.Now()) >= needs
}

// At returns the line that the console ends in, without its newline, since there is none yet:
// a prompt, a question, what has been typed there; empty after a whole line. Of a long one it
// is the end.
func (c *Console) At() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	line, _ := c.texts.lastLine()
	return strings.ToValidUTF8(string(line)+string(c.texts.held()), "")
}

// Asks reports whether the console stands at a line that is no prompt and ends as
// questions do: a guess.
func (c *Console) Asks() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, _ := c.prompt(c.typed)
	return c.err == nil && at.kind == NoPrompt && question.MatchString(at.text)
}

// Output returns what was printed since the last Send, without its echo,
// escape sequences, noise, and the prompt at the end. What stands before the prompt on
// its line is output that did not end in a newline. If nothing but noise was
// printed, that is what was asked for (dmesg), and is returned.
func (c *Console) Output() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settleEchoes(time.Now())
	if len(c.echoes) > 0 {
		return ""
	}
	c.catchUp()
	t := c.texts
	text := string(t.quiet.slice(c.output, t.quiet.end())) + string(t.held())
	if at, _ := c.prompt(c.output); at.kind != NoPrompt && (at.sure || c.believed(at)) {
		text = strings.TrimSuffix(text, at.text)
	}
	var earlier []byte
	for _, s := range c.earlier {
		earlier = append(earlier, t.quiet.slice(s.from, s.to)...)
	}
	text = string(earlier) + text
	if strings.TrimSpace(text) == "" {
		full := string(t.full.slice(t.toFull(c.output), t.full.end()))
		if i := strings.LastIndexByte(full, '\n') + 1; strings.TrimSpace(full[:i]) != "" {
			return full[:i]
		}
	}
	return text
}

// Join has the line that was entered last share the output of the one before it: Output
// is what both have printed, without the prompt and the echo between them.
func (c *Console) Join() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.earlier = c.previous
}

// Unread returns the text after the cursor, noise included.
func (c *Console) Unread() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.texts.full.slice(c.cursor, c.texts.full.end()))
}

// Tail returns the last lines of the console, escape sequences removed and
// noise included, without a newline at the end; at most 8 KiB.
func (c *Console) Tail(lines int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tail(lines)
}

func (c *Console) tail(lines int) string {
	full := &c.texts.full
	text := strings.TrimRight(strings.ToValidUTF8(string(full.slice(full.end()-8<<10, full.end())), ""), " \n")
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Mark returns the present end of the text.
func (c *Console) Mark() Mark {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Mark(c.texts.full.end())
}

// Since returns the text after a mark, noise included, as far as it is still
// in memory.
func (c *Console) Since(m Mark) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.texts.full.slice(int64(m), c.texts.full.end()))
}

// LastByte returns when the guest last printed anything; zero if never.
func (c *Console) LastByte() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastByte
}

// LastText returns when the guest last printed anything but noise; zero if never.
func (c *Console) LastText() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastText
}

// Watch calls fn with each chunk of raw bytes from now on, in order, after it
// was recorded. The chunk is fn's only until it returns, and fn must return
// soon: the console is not drained meanwhile. It may call Fail, but not Close.
// After cancel no new call begins.
func (c *Console) Watch(fn func([]byte)) (cancel func()) {
	w := &watcher{fn}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers = append(slices.Clone(c.watchers), w)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.watchers = slices.DeleteFunc(slices.Clone(c.watchers), func(o *watcher) bool { return o == w })
	}
}

// Fail says that the machine died: each wait, now and later, fails with err as
// soon as what has already arrived does not match. The console goes on draining.
// The first err stays, but a closed stream gives way to a better reason.
func (c *Console) Fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err == nil:
		c.err = err
		close(c.failing)
	case errors.Is(c.err, ErrClosed) && !errors.Is(err, ErrClosed):
		c.err = err
	}
	if c.aside != nil {
		c.aside.Fail(c.err)
	}
	c.finish()
}

func (c *Console) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close closes the stream and returns when its draining has ended, with the
// error of closing it. Waits fail with ErrClosed.
func (c *Console) Close() error {
	c.closing.Do(func() {
		c.Fail(ErrClosed)
		c.closed = c.stream.Close()
		c.tasks.Wait()
	})
	return c.closed
}
