package console

import "slices"

// Place is where a console stands in what it has printed: what has been typed there, what its
// output is, and which prompts are known. A console that reads the same bytes again, of a
// machine that goes on from a saved state, is brought there. Lengths are counted from the end.
type Place struct {
	Read   int64    `json:"read"` // bytes, after which the place is reached
	Cursor int64    `json:"cursor"`
	Output int64    `json:"output"`
	Typed  int64    `json:"typed"`
	Asked  int64    `json:"asked"`
	Known  []string `json:"known,omitempty"`
}

// Place returns what was printed, as far as it is kept, and where the console stands in that.
func (c *Console) Place() (printed []byte, at Place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	printed = slices.Clone(c.raw.slice(0, c.raw.end()))
	quiet := c.texts.quiet.end()
	return printed, Place{
		Read: int64(len(printed)), Cursor: c.texts.full.end() - c.cursor,
		Output: quiet - c.output, Typed: quiet - c.typed, Asked: quiet - c.asked, Known: slices.Clone(c.known.texts),
	}
}

// arrive brings the console to the place where it stood, once it has read all up to there.
// The caller holds mu.
func (c *Console) arrive() {
	at := c.place
	if at == nil || c.raw.end() < at.Read {
		return
	}
	c.place = nil
	quiet := c.texts.quiet.end()
	c.cursor = max(0, c.texts.full.end()-at.Cursor)
	c.output, c.typed, c.asked = max(0, quiet-at.Output), max(0, quiet-at.Typed), max(0, quiet-at.Asked)
	if len(at.Known) > 0 {
		c.known = known{texts: slices.Clone(at.Known)}
	}
	c.restart()
}
