package serve

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/labrun/labrun/internal/attach"
)

// The kinds of messages at a console: the first byte of each. Numbers are big-endian.
const (
	messageOutput = 'o' // to the page: the boot in 4 bytes, the position after these in 8, what was printed
	messageNote   = 'n' // to the page: a note, JSON
	messageKeys   = 'i' // of the page: what is typed
	messageSize   = 'r' // of the page: the terminal's size, JSON
	messageShown  = 'a' // of the page: a position in 8 bytes; all before it was shown
)

// window is how many bytes are sent before the page has shown them: more would pile up on
// the way, and Ctrl-C would seem to do nothing.
const window = 128 << 10

// longestKeys bounds what is typed in one message, as by pasting, and mostKeys what waits
// for a guest that takes nothing.
const longestKeys, mostKeys = 512 << 10, 1 << 20

// console carries a console between a run's door and a page.
func (s *Server) console(w http.ResponseWriter, r *http.Request, v visitor, names []string) {
	boot, _ := strconv.Atoi(r.URL.Query().Get("boot"))
	from, _ := strconv.ParseInt(r.URL.Query().Get("from"), 10, 64)
	options := attach.SeatOptions{Boot: boot, From: from, Watch: !v.student && !v.teacher, Language: s.languageOf(r)}
	s.connect(w, r, v, names[0], func(l *link, run attach.Found) bridge {
		c := &consoled{link: l, watch: options.Watch, shown: make(chan struct{}, 1)}
		c.typed = sync.NewCond(&c.mu)
		return bridge{longest: longestKeys, hear: c.hear, speak: func(ctx context.Context) error {
			// Not until ctx ends: the last keys are passed on after the page has gone.
			seat, err := attach.Sit(l.ctx, run.Folder, names[1], options)
			if err != nil {
				return err
			}
			return c.sit(ctx, seat)
		}}
	})
}

// consoled is one page that shows a console.
type consoled struct {
	*link
	watch bool
	shown chan struct{} // holds a value when acknowledged has grown

	mu           sync.Mutex
	boot         int
	sent         int64 // the position after what was sent of this boot
	acknowledged int64 // and after what was shown

	typed *sync.Cond // what is below has changed
	keys  []byte     // that were not passed on yet
	size  *size      // nor this
	ended bool       // no more will be heard
}

// size is a terminal's, in characters.
type size struct{ Columns, Rows int }

// farewellKeys is how long the last keys may take to be passed on.
const farewellKeys = 2 * time.Second

// sit has a seat used until its run or the page is gone.
func (c *consoled) sit(ctx context.Context, seat *attach.Seat) error {
	ctx, cancel := context.WithCancel(ctx)
	passed, left := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(passed)
		c.pass(seat)
	}()
	go func() {
		defer close(left)
		<-ctx.Done()
		c.end()
		select {
		case <-passed:
		case <-time.After(farewellKeys):
		}
		seat.Close()
	}()
	err := c.show(ctx, seat)
	cancel()
	<-left
	<-passed
	return err
}

// show sends what the console prints, as long as the page keeps up.
func (c *consoled) show(ctx context.Context, seat *attach.Seat) error {
	for {
		said, err := seat.Next()
		if err != nil {
			return err
		}
		if said.Note != "" {
			note, err := json.Marshal(map[string]string{"name": said.Note, "text": said.Text})
			if err == nil {
				err = c.send(append([]byte{messageNote}, note...))
			}
			if err != nil {
				return err
			}
			continue
		}
		message := make([]byte, 1+4+8, 1+4+8+len(said.Output))
		message[0] = messageOutput
		binary.BigEndian.PutUint32(message[1:], uint32(said.Boot))
		binary.BigEndian.PutUint64(message[5:], uint64(said.Position))
		c.count(said)
		if err := c.send(append(message, said.Output...)); err != nil {
			return err
		}
		for !c.room() {
			select {
			case <-c.shown:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

func (c *consoled) send(message []byte) error {
	return c.conn.Write(c.ctx, websocket.MessageBinary, message)
}

// count notes what is about to be sent.
func (c *consoled) count(said attach.Said) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.boot != said.Boot { // positions begin anew
		c.boot, c.acknowledged = said.Boot, said.Position-int64(len(said.Output))
	}
	c.sent = said.Position
}

// room reports whether more may be sent.
func (c *consoled) room() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent-c.acknowledged < window
}

// acknowledge notes what was shown. What a page has shown of a former boot does not count
// against this one.
func (c *consoled) acknowledge(position int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if position = min(position, c.sent); position > c.acknowledged {
		c.acknowledged = position
		select {
		case c.shown <- struct{}{}:
		default:
		}
	}
}

// hear takes what the page does. It waits for a guest only when very much was typed that
// nobody takes: acknowledgements come behind it.
func (c *consoled) hear(ctx context.Context, _ websocket.MessageType, message []byte) error {
	if len(message) == 0 {
		return errMessage
	}
	kind, message := message[0], message[1:]
	switch {
	case kind == messageShown && len(message) == 8:
		c.acknowledge(int64(binary.BigEndian.Uint64(message)))
	case kind == messageSize:
		var its size
		if err := json.Unmarshal(message, &its); err != nil {
			return err
		}
		c.later(ctx, nil, &its)
	case kind == messageKeys && !c.watch:
		c.atWork()
		c.later(ctx, message, nil)
	case kind != messageKeys:
		return errMessage
	}
	return nil
}

// later has pass pass something on.
func (c *consoled) later(ctx context.Context, keys []byte, its *size) {
	defer context.AfterFunc(ctx, c.end)()
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.keys) > 0 && len(c.keys)+len(keys) > mostKeys && !c.ended {
		c.typed.Wait()
	}
	c.keys = append(c.keys, keys...)
	if its != nil {
		c.size = its
	}
	c.typed.Broadcast()
}

func (c *consoled) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.typed.Broadcast()
}

// pass passes on what the page does, at the pace of the guest, until the end of it.
func (c *consoled) pass(seat *attach.Seat) {
	for {
		c.mu.Lock()
		for len(c.keys) == 0 && c.size == nil && !c.ended {
			c.typed.Wait()
		}
		keys, its, ended := c.keys, c.size, c.ended
		c.keys, c.size = nil, nil
		c.typed.Broadcast()
		c.mu.Unlock()
		if its != nil {
			seat.Resize(its.Columns, its.Rows)
		}
		if len(keys) > 0 {
			seat.Keys(keys) // a seat that is lost ends show
		}
		if ended {
			return
		}
	}
}
