package console

import "context"

// scrollBack is how many of a console's last bytes are kept as they came, for
// those who sit down at it later.
const scrollBack = 256 << 10

// ID is a number of this console's own, never 0. A position of Follow goes with it: in another
// console, also of the same machine and in another process, it means nothing.
func (c *Console) ID() int32 { return c.id }

// Printed is the position after the last raw byte that was printed.
func (c *Console) Printed() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw.end()
}

// Follow returns the raw bytes that were printed from a position on, and the
// position after them; it waits until there are some. Position 0 is the first byte.
// Where older bytes than the console keeps are asked for, the chunk begins
// with the oldest there is, so next-len(chunk) tells how many are lost. At the end
// of a dead console the error is why it died; before that, it is ctx's cause.
//
// There may be any number of followers. Each goes at its own pace and holds up
// neither the guest nor the others.
func (c *Console) Follow(ctx context.Context, from int64) (chunk []byte, next int64, err error) {
	for {
		c.mu.Lock()
		next = c.raw.end()
		if from < next {
			chunk = append(chunk, c.raw.slice(from, next)...)
		}
		printed, ended := c.printed, c.drained
		c.mu.Unlock()
		switch {
		case len(chunk) > 0:
			return chunk, next, nil
		case ended:
			return nil, next, c.reason()
		}
		select {
		case <-printed:
		case <-ctx.Done():
			return nil, next, context.Cause(ctx)
		}
	}
}
