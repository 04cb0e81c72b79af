package console

import (
	"bytes"
	"io"
	"time"
)

// An Aside is a conversation with the shell at a console that nobody sees who looks
// at the console: neither those who follow it, nor its transcript, nor its waits, its
// Output and its lines. It is a console itself, with the guest as it is heard from then
// on. Meanwhile what is typed at the other waits.
//
// Noise is not part of the conversation: each of its lines goes to the other console,
// as if nobody had typed.
type Aside struct {
	*Console
	Prompt string // at which it began, and should end

	from  *Console
	mark  string
	over  chan struct{}
	shown []int64 // of each sieve: the noise up to here was passed on
}

// StepAside begins an aside that keeps so many bytes of text in memory. Lines with the
// mark are of the conversation, even where they look like noise into which something
// else was printed. It returns nil if the console is not at rest now (see AtRest), or
// another aside is under way. Whoever begins one ends it.
func (c *Console) StepAside(history int, mark string) *Aside {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.err != nil || c.aside != nil || c.writing || c.unchanged(now) < settlePrompt || !c.entry.bare(now) {
		return nil
	}
	at, _ := c.prompt(c.asked)
	if at.kind != ShellPrompt || !c.believed(at) {
		return nil
	}
	a := &Aside{
		Console: build(unclosed{c.stream}, Options{Name: c.name, Prompts: c.prompts, History: history}, c.noises),
		Prompt:  at.text,
		from:    c, mark: mark, over: make(chan struct{}), shown: make([]int64, len(c.noises)),
	}
	c.tasks.Go(a.typist)
	c.aside = a
	return a
}

// unclosed is the stream that an aside shares.
type unclosed struct{ io.ReadWriteCloser }

func (unclosed) Close() error { return nil }

// hear takes in what the guest prints during an aside, and returns what is not for it.
func (a *Aside) hear(b []byte) (noise []byte) {
	a.record(b)
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, s := range a.texts.sieves {
		a.shown[i] = s.lines(a.shown[i], func(line []byte) {
			if !bytes.Contains(line, []byte(a.mark)) {
				noise = append(append(noise, line[:len(line)-1]...), "\r\n"...)
			}
		})
	}
	return noise
}

// unfinished is noise whose end has not come.
func (a *Aside) unfinished() (begun string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, s := range a.texts.sieves {
		begun = string(s.unfinished(a.shown[i])) + begun // the kernel's is in the middle of the daemon's
	}
	return begun
}

// Quiet returns what was heard since the aside began, without noise.
func (a *Aside) Quiet() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return string(a.texts.quiet.slice(0, a.texts.quiet.end()))
}

// End ends the aside: what the guest prints now is everybody's again. The guest should be
// at the prompt at which it was. What was heard and belongs to the other console is
// given to it, and then the prompt, since that of before is on an earlier line now.
func (a *Aside) End(others string) {
	if others != "" {
		others += a.Prompt
	}
	c := a.from
	c.showing.Lock() // what comes after this is shown after it
	c.mu.Lock()
	c.aside = nil
	others += a.unfinished()
	c.mu.Unlock()
	if others != "" {
		c.show([]byte(others))
	}
	c.showing.Unlock()
	close(a.over)
	a.Fail(ErrClosed)
}
