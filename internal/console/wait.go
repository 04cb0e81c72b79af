package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	settleMatch  = 30 * time.Millisecond  // without a byte: a match grows no more
	settleKnown  = 10 * time.Millisecond  // unchanged: a prompt waits that was typed at before, letter for letter
	settlePrompt = 40 * time.Millisecond  // unchanged: another prompt does
	settleEcho   = 300 * time.Millisecond // unchanged: what came is no echo
	stalledEcho  = 3 * time.Second        // unchanged: an echo that began does not go on
	settleAsk    = time.Second            // unchanged: a line that ends as questions do is one
	settleAhead  = time.Second            // unchanged: a prompt is not followed by what was typed ahead
	settleNew    = 3 * time.Second        // unchanged: what looks like a prompt, but like none that is known, is one
	tailLines    = 10                     // of the console, in a WaitError
)

// A WaitError is a wait that ended without a match.
type WaitError struct {
	Console string        // the console's name
	Want    string        // what was expected, in words
	Cause   error         // the context's cause, ErrClosed, or what Fail was told
	Tail    string        // the console's last lines
	Waited  time.Duration // for how long
}

func (e *WaitError) Error() string {
	var b strings.Builder
	waited := e.Waited.Round(10 * time.Millisecond)
	if errors.Is(e.Cause, context.DeadlineExceeded) {
		fmt.Fprintf(&b, "wait on %s for %s: nothing of the kind within %v", e.Console, e.Want, waited)
	} else {
		fmt.Fprintf(&b, "wait on %s for %s, %v long: %v", e.Console, e.Want, waited, e.Cause)
	}
	if e.Tail == "" {
		b.WriteString("; the console is empty")
		return b.String()
	}
	b.WriteString("; its last lines:")
	for line := range strings.Lines(e.Tail) {
		b.WriteString("\n    " + strings.TrimSuffix(line, "\n"))
	}
	return b.String()
}

func (e *WaitError) Unwrap() error { return e.Cause }

// A waiter is one Expect under way.
type waiter struct {
	conds  []condition
	peek   bool // Finished, Ready, AtRest: the cursor stays where it is
	scans  []scan
	poke   chan struct{} // data came, and no look at what silence decides is due soon
	due    time.Time     // when the next such look is due; zero at first
	result chan Match    // receives the one match
	fail   chan error    // or why there is none
}

// A scan is one condition on one view.
type scan struct {
	scanner
	cond  int
	quiet bool
}

// wake has the wait look again, but not for each of many small chunks.
func (w *waiter) wake(now time.Time) {
	if !w.due.IsZero() && w.due.Sub(now) <= settlePrompt {
		return
	}
	w.due = now
	select {
	case w.poke <- struct{}{}:
	default: // one is on its way
	}
}

func (w *waiter) advance(t *texts) {
	for _, s := range w.scans {
		s.advance(s.view(t))
	}
}

func (w *waiter) retreat(t *texts) {
	for _, s := range w.scans {
		s.retreat(s.view(t))
	}
}

func (s scan) view(t *texts) *view {
	if s.quiet {
		return t.quiet
	}
	return &t.full
}

// Expect waits until one of the conditions holds in the text after the cursor,
// and moves the cursor to the end of what matched. The conditions are
// [Text], [Pattern] and [Prompt]. If several hold, the one that became certain first
// wins, then the one named first. The time-out is that of ctx and for the whole wait.
//
// A wait that fails returns a *[WaitError]; what has already arrived is looked
// at first even if ctx has ended or the console is dead. A dead console has no
// prompts. Prompt holds whenever the console is at a prompt now that was printed
// since anything was last typed, even if an earlier wait has matched it.
func (c *Console) Expect(ctx context.Context, conds ...Condition) (Match, error) {
	all, err := conditions(conds)
	if err != nil {
		return Match{}, fmt.Errorf("wait on %s: %w", c.name, err)
	}
	return c.wait(ctx, newWaiter(all))
}

// Finished waits until the console is at any prompt that was printed since the
// last Send, and the last Enter or signal key (Ctrl-C …) of SendRaw; where there are no prompts,
// until it has said something and then been silent for a second. The cursor
// stays where it is, so that what was printed can still be waited for. The time-out
// is that of ctx, and the error a *[WaitError].
func (c *Console) Finished(ctx context.Context) error {
	w := newWaiter([]condition{{Condition: Prompt()}})
	w.peek = true
	_, err := c.wait(ctx, w)
	return err
}

// Ready is like Finished, but takes a question for a prompt, too: a line that ends as
// questions do and stands still for a second.
func (c *Console) Ready(ctx context.Context) error {
	w := newWaiter([]condition{{Condition: Prompt(append(slices.Clone(anyPrompt), Question)...)}})
	w.peek = true
	_, err := c.wait(ctx, w)
	return err
}

// AtRest waits until a shell prompt stands there at which nothing has been typed, so
// that whoever types next, types a line of their own: the last command has ended, and
// a line that was begun, by a person or by labrun, has been entered, cancelled or
// taken back, however long that takes. It promises no more than that moment: somebody
// may begin to type as soon as it has returned. Like Finished, it leaves the cursor
// where it is; the time-out is that of ctx, and the error a *[WaitError].
func (c *Console) AtRest(ctx context.Context) error {
	w := newWaiter([]condition{{Condition: Prompt(bareShell)}})
	w.peek = true
	_, err := c.wait(ctx, w)
	return err
}

func newWaiter(conds []condition) *waiter {
	return &waiter{
		conds:  conds,
		poke:   make(chan struct{}, 1),
		result: make(chan Match, 1),
		fail:   make(chan error, 1),
	}
}

func (c *Console) wait(ctx context.Context, w *waiter) (Match, error) {
	started := time.Now()
	c.mu.Lock()
	c.waiters = append(c.waiters, w)
	c.start(w)
	c.look()
	w.wake(started)
	if c.err != nil {
		c.finish()
	}
	c.mu.Unlock()

	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case m := <-w.result:
			return m, nil
		case err := <-w.fail:
			return c.lost(w, started, err)
		case <-ctx.Done():
			return c.giveUp(w, started, context.Cause(ctx))
		case <-w.poke:
			timer.Reset(c.settle(w))
		case <-timer.C:
			timer.Reset(c.settle(w))
		}
	}
}

// giveUp ends a wait whose time is up, unless what there is matches after all.
func (c *Console) giveUp(w *waiter, started time.Time, cause error) (Match, error) {
	c.mu.Lock()
	if slices.Contains(c.waiters, w) {
		now := time.Now()
		c.settleEchoes(now)
		c.try(w, true, true)
		c.tryPrompt(w, now)
	}
	c.drop(w)
	c.mu.Unlock()
	return c.lost(w, started, cause)
}

// lost returns the match that came after all, or the error.
func (c *Console) lost(w *waiter, started time.Time, cause error) (Match, error) {
	select {
	case m := <-w.result:
		return m, nil
	default:
	}
	return Match{}, &WaitError{
		Console: c.name,
		Want:    describe(w.conds),
		Cause:   cause,
		Tail:    c.Tail(tailLines),
		Waited:  time.Since(started),
	}
}

func (c *Console) drop(w *waiter) {
	c.waiters = slices.DeleteFunc(c.waiters, func(o *waiter) bool { return o == w })
}

// start has a wait begin at the cursor.
func (c *Console) start(w *waiter) {
	w.scans = w.scans[:0]
	for i, cond := range w.conds {
		if cond.kinds != nil {
			continue
		}
		w.scans = append(w.scans,
			scan{newScanner(cond, c.texts.toQuiet(c.cursor), c.texts.quiet), i, true},
			scan{newScanner(cond, c.cursor, &c.texts.full), i, false})
	}
}

// restart has all waits begin anew at the cursor.
func (c *Console) restart() {
	for _, w := range c.waiters {
		c.start(w)
		w.advance(c.texts)
	}
}

// look lets the waits see what is new.
func (c *Console) look() {
	c.findEchoes(0)
	if len(c.echoes) > 0 {
		return
	}
	for _, w := range slices.Clone(c.waiters) {
		w.advance(c.texts)
		c.try(w, false, false)
	}
}

// try ends a wait if a condition holds. The flags say that the views' ends
// count as the end of the text.
func (c *Console) try(w *waiter, silentFull, silentQuiet bool) {
	if len(c.echoes) > 0 || !slices.Contains(c.waiters, w) {
		return
	}
	var best *scan
	var first int64
	var complete bool
	for i := range w.scans {
		s := &w.scans[i]
		silent := silentFull
		if s.quiet {
			silent = silentQuiet
		}
		at, whole := s.found(silent)
		if at < 0 {
			continue
		}
		if _, ends := s.found(false); s.quiet && !ends && len(c.texts.held()) > 0 && silentFull {
			continue // it may go on in what is held; the full view shows that
		}
		if s.quiet {
			at = c.texts.toFull(at)
		}
		if best == nil || at < first {
			best, first, complete = s, at, whole
		}
	}
	// Before it is settled what the end of the text is, the quiet view might
	// still show something that came earlier.
	if best == nil || !complete || first > c.texts.settled() && !silentFull {
		return
	}
	text, groups, end := best.match(best.view(c.texts))
	if best.quiet {
		end = c.texts.toFull(end)
	}
	c.matched(w, end, Match{Text: text, Groups: groups, Index: w.conds[best.cond].index})
}

// matched ends a wait with a match.
func (c *Console) matched(w *waiter, end int64, m Match) {
	m.At = c.lastByte
	if !w.peek {
		// A prompt may be before the cursor, if a wait has already seen it.
		c.cursor = max(c.cursor, end)
	}
	c.drop(w)
	w.result <- m
}

// settle does what silence decides, and returns after what time to look again.
func (c *Console) settle(w *waiter) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.waiters, w) {
		return time.Hour // its result is on its way
	}
	now := time.Now()
	silent, unchanged := now.Sub(c.lastByte), c.unchanged(now)
	c.settleEchoes(now)
	c.try(w, silent >= settleMatch, unchanged >= settleMatch)
	c.tryPrompt(w, now)
	left := []time.Duration{settleMatch - silent, settleMatch - unchanged, settleKnown - unchanged, settlePrompt - unchanged,
		settleAsk - unchanged, settleAsk - now.Sub(c.entry.keyed), settleAhead - unchanged, settleNew - unchanged}
	if len(c.echoes) > 0 {
		left = append(left, settleEcho-unchanged, stalledEcho-unchanged)
	}
	again := time.Hour
	for _, d := range left {
		if d > 0 {
			again = min(again, d)
		}
	}
	w.due = now.Add(again)
	return again
}

// unchanged is for how long nothing has come that is, or may become, part of the quiet text.
// A daemon's line is no change: it comes between what others print, not within.
func (c *Console) unchanged(now time.Time) time.Duration {
	if len(c.texts.held()) > 0 {
		return now.Sub(c.lastByte)
	}
	return now.Sub(c.changed)
}

// tryPrompt ends a wait for the prompt that the console is at, if it stands still.
func (c *Console) tryPrompt(w *waiter, now time.Time) {
	unchanged := c.unchanged(now)
	if unchanged < settleKnown || c.err != nil || !slices.Contains(c.waiters, w) {
		return
	}
	c.catchUp()
	since := c.typed
	if w.peek {
		since = c.asked
	}
	at, end := c.prompt(since)
	switch {
	case w.peek && c.prompts.none() && !c.lastByte.IsZero() && unchanged >= settleAsk && len(c.echoes) == 0:
		at.kind = ShellPrompt // all that its last command has to say
	case at.kind != NoPrompt && unchanged >= c.known.patience(at):
	case unchanged >= settleAsk && question.MatchString(at.text):
		at.kind = Question
	default:
		return
	}
	bare := at.kind == ShellPrompt && unchanged >= settlePrompt && c.entry.bare(now)
	for _, cond := range w.conds {
		if at.kind != NoPrompt && cond.wants(at.kind) || bare && cond.wants(bareShell) {
			c.matched(w, end, Match{Text: at.text, Index: cond.index, Prompt: at.kind})
			return
		}
	}
}

// prompt says which prompt the console is at, and where in the full text it ends, if it
// was printed since a place in the quiet text. Of a line that is no prompt there is the
// text.
func (c *Console) prompt(since int64) (at reading, end int64) {
	t := c.texts
	if len(c.echoes) > 0 {
		return reading{}, 0
	}
	line, whole := t.lastLine()
	end = t.toFull(t.quiet.end())
	// What is held may be part of a prompt, or a kernel line that just began.
	if held := t.held(); len(held) > 0 && t.quiet.end()+int64(len(held)) > since {
		both := append(bytes.Clone(line), held...)
		if at = c.known.read(both, whole, c.prompts); at.kind != NoPrompt {
			return at, end + int64(len(held))
		}
	}
	if t.quiet.end() <= since {
		return reading{}, 0
	}
	return c.known.read(line, whole, c.prompts), end
}

// finish ends all waits on a dead console.
func (c *Console) finish() {
	c.findEchoes(stalledEcho)
	for _, w := range slices.Clone(c.waiters) {
		w.advance(c.texts)
		c.try(w, true, true)
	}
	for _, w := range c.waiters {
		w.fail <- c.err
	}
	c.waiters = nil
}

// settleEchoes gives up on echoes that silence says will not come.
func (c *Console) settleEchoes(now time.Time) {
	if silence := c.unchanged(now); len(c.echoes) > 0 && silence >= settleEcho {
		c.findEchoes(silence)
		c.look()
	}
}

// findEchoes moves the cursor after echoes that have come. After enough silence,
// those that have not come are not expected any more, if anything else has.
func (c *Console) findEchoes(silence time.Duration) {
	for len(c.echoes) > 0 {
		e := c.echoes[0]
		text := c.texts.quiet.slice(e.from, c.texts.quiet.end())
		n, state := e.find(text, c.prompts)
		patience := settleEcho
		if state == echoPart && n > 0 {
			patience = stalledEcho // a busy host runs its guests by fits and starts
		}
		switch {
		case len(text) == 0, (state == echoPart || state == echoChars) && silence < patience:
			return
		case state == echoNot, state == echoPart:
			n = 0
		}
		c.echoes = c.echoes[1:]
		c.output = e.from + int64(n)
		c.typed = max(c.typed, c.output)
		c.asked = max(c.asked, c.output)
		if len(c.echoes) > 0 {
			c.echoes[0].from = max(c.echoes[0].from, c.output)
		}
		c.cursor = max(c.cursor, c.texts.toFull(c.output))
		c.restart()
	}
}
