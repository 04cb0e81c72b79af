package lab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/screen"
)

const (
	// The pauses between two looks at a screen: short after a key or a change, and ever
	// longer while it stands still, since a look costs QEMU and labrun some milliseconds.
	lookSoon = 20 * time.Millisecond
	lookSlow = 500 * time.Millisecond

	// The font is in the ROM of the graphics card, which the BIOS has copied there.
	fontROM  = 0xc0000
	fontSize = 64 << 10
	// findAgain is how long a font that lacks what is on the screen is used before another
	// is looked for: a guest may have drawn its own.
	findAgain = time.Second

	// repaintEvery is after how many bytes the whole screen is painted once more, so that
	// whoever sits down at the console later sees it whole: what the console has kept of
	// earlier bytes begins anywhere.
	repaintEvery = 32 << 10
)

// device is the machine behind a screen.
type device interface {
	Screenshot(ctx context.Context) ([]byte, error)
	PressKeys(ctx context.Context, strokes [][]string) error
	ReadMemory(ctx context.Context, at uint64, size int) ([]byte, error)
}

// errOnlyScreen is why nothing can be asked of a machine behind the student's back.
var errOnlyScreen = errors.New("labrun has no control channel to it, and its console is a screen: " +
	"type a command with send, and look at what it prints with output or screen")

// A Sight is what was on a screen at one moment.
type Sight struct {
	Picture *screen.Picture
	Text    *screen.Text // nil: it is no text that can be read, but graphics
}

// A screenPort is the console of a machine with a screen and without a serial port. Nothing
// comes from there by itself: the screen is looked at, and what has changed since the last
// look is read as the bytes that a terminal would have to be sent. Bytes that are written are
// typed on the keyboard (keyboard.go).
type screenPort struct {
	device device
	replay replay
	keys   keyboard
	failed <-chan struct{} // closed when the consoles know why the machine ended

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	soon    chan struct{} // has a token when the watcher is to look at once
	watched chan struct{} // closed when the watcher has ended

	looking sync.Mutex // guards the next ones; one look at a time
	last    []byte     // the last screendump
	font    *screen.Font
	found   time.Time // when the font was looked for
	stream  screen.Stream
	painted int  // bytes since the whole screen was painted
	resumed bool // the console knows from the recording what is on the screen

	mu        sync.Mutex // guards all below
	sight     Sight
	changes   int           // of the screen
	unsettled bool          // what was seen last may be half of a change
	changed   chan struct{} // closed with the next change
	unread    []byte
	idle      bool // who reads has taken everything in, and waits
	recording bool
	seen      []byte
}

// newScreenPort begins to look at a machine's screen.
func newScreenPort(d device, failed <-chan struct{}, before replay, recording bool, seen []byte) *screenPort {
	s := &screenPort{
		device: d, replay: before, failed: failed, recording: recording, seen: seen, resumed: len(before.recorded) > 0,
		soon: make(chan struct{}, 1), watched: make(chan struct{}), changed: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	go s.watch()
	return s
}

// watch looks at the screen until the port is closed or the machine has ended.
func (s *screenPort) watch() {
	defer close(s.watched)
	pause, changes := lookSoon, 0
	for {
		if _, err := s.look(s.ctx); err != nil && s.ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		if s.changes != changes || s.unsettled {
			pause = lookSoon
		} else {
			pause = min(pause+pause/2, lookSlow)
		}
		changes = s.changes
		s.mu.Unlock()
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-s.soon:
			pause = lookSoon
		case <-s.failed:
			timer.Stop()
			return
		case <-s.ctx.Done():
		}
		timer.Stop()
	}
}

// hurry has the watcher look at once, and often.
func (s *screenPort) hurry() {
	select {
	case s.soon <- struct{}{}:
	default: // it is about to
	}
}

// look looks at the screen once, has what is new of it read, and returns it.
func (s *screenPort) look(ctx context.Context) (Sight, error) {
	s.looking.Lock()
	defer s.looking.Unlock()
	shot, err := s.device.Screenshot(ctx)
	if err != nil {
		return Sight{}, err
	}
	if bytes.Equal(shot, s.last) && !s.stream.Unsettled() {
		return s.sight, nil // only a look changes it
	}
	s.last = shot
	var now Sight
	if now.Picture, err = screen.DecodePPM(shot); err != nil {
		return Sight{}, err
	}
	var news []byte
	if now.Text = s.read(ctx, now.Picture); now.Text != nil {
		news = s.stream.Next(now.Text)
	} else {
		news = s.stream.Graphics(now.Picture)
	}
	moved := len(news) > 0 || now.Text == nil
	s.painted += len(news)
	switch {
	case s.resumed && now.Text != nil: // it is all known, but a terminal need not be as the recording leaves it
		s.resumed = false
		news = console.Repaint(s.stream.Repaint(now.Text))
	case s.painted > repaintEvery && now.Text != nil:
		s.painted = 0
		news = append(news, console.Repaint(s.stream.Repaint(now.Text))...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sight, s.unsettled = now, s.stream.Unsettled()
	s.unread = append(s.unread, news...)
	if s.recording {
		s.seen = append(s.seen, news...)
	}
	if moved {
		s.changes++
		close(s.changed)
		s.changed = make(chan struct{})
	}
	return now, nil
}

// read returns the text in a picture; nil if there is none. The caller holds looking.
func (s *screenPort) read(ctx context.Context, p *screen.Picture) *screen.Text {
	var text *screen.Text
	if s.font != nil {
		var err error
		if text, err = s.font.Read(p); errors.Is(err, screen.ErrGraphics) || text != nil && text.Unknown == 0 {
			return text
		}
	}
	if now := time.Now(); s.font == nil || now.Sub(s.found) >= findAgain {
		s.found = now
		if rom, err := s.device.ReadMemory(ctx, fontROM, fontSize); err == nil {
			if font, err := screen.FindFont(rom); err == nil {
				s.font = font
				text, _ = font.Read(p)
			}
		}
	}
	return text
}

// present returns the last sight, how often the screen has changed by then, and what is
// closed with the next change.
func (s *screenPort) present() (Sight, int, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sight, s.changes, s.changed
}

// Read returns what a terminal is to be sent next.
func (s *screenPort) Read(p []byte) (int, error) {
	if n := s.replay.read(p); n > 0 {
		return n, nil
	}
	for {
		s.mu.Lock()
		n := copy(p, s.unread)
		s.unread = s.unread[n:]
		s.idle = n == 0
		changed := s.changed
		s.mu.Unlock()
		if n > 0 {
			return n, nil
		}
		select {
		case <-changed:
		case <-s.failed:
			return 0, io.EOF
		case <-s.ctx.Done():
			<-s.failed // as a serial port's end, it is not told before its reason
			return 0, io.EOF
		}
	}
}

// Close ends the looking, and a Read or Write that is under way.
func (s *screenPort) Close() error {
	s.cancel()
	<-s.watched
	return nil
}

// settle has all that is on the screen of a stopped machine read and taken in.
func (s *screenPort) settle(ctx context.Context) error {
	for {
		if _, err := s.look(ctx); err != nil {
			return err
		}
		s.mu.Lock()
		done := s.idle && len(s.unread) == 0 && !s.unsettled
		s.mu.Unlock()
		if done {
			return nil
		}
		if err := host.Sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

func (s *screenPort) said(ctx context.Context) ([]byte, error) {
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.seen), nil
}

func (s *screenPort) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen, s.recording = nil, false
}
