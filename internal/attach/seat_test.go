package attach

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// takeSeat sits down at the bench's machine.
func (b *bench) takeSeat(o SeatOptions) *Seat {
	b.t.Helper()
	s, err := Sit(b.t.Context(), b.folder, "debian", o)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { s.Close() })
	return s
}

// hears reads until the seat has been told so many bytes more, and returns them and the last
// piece.
func (b *bench) hears(s *Seat, bytes int) (text string, last Said) {
	b.t.Helper()
	for len(text) < bytes {
		said, err := s.Next()
		if err != nil {
			b.t.Fatalf("after %q: %v", text, err)
		}
		if said.Note != "" {
			b.t.Fatalf("after %q the note %q: %s", text, said.Note, said.Text)
		}
		text, last = text+string(said.Output), said
	}
	return text, last
}

// notes reads a note.
func (b *bench) notes(s *Seat, name, text string) {
	b.t.Helper()
	if said, err := s.Next(); err != nil || said.Note != name || !strings.Contains(said.Text, text) {
		b.t.Errorf("told %+v, %v, not of %q with %q", said, err, name, text)
	}
}

// Whoever comes back where they were is told what follows, wherever that was, and nothing
// twice; a question that was cut in two there is not passed on either.
func TestSeatGoesOn(t *testing.T) {
	b := newBench(t)
	b.on()
	const printed, shown = "one\x1b[6ntwo\x1b[1;31mthree\x1b[0c\x1bM四", "onetwo\x1b[1;31mthree\x1bM四"
	var at Said
	text := ""
	for i := range len(printed) { // a byte each, and whoever looks comes back after each
		b.print(printed[i : i+1])
		waitFor(t, func() bool { return b.console.Printed() == int64(i+1) })
		s := b.takeSeat(SeatOptions{Boot: at.Boot, From: at.Position})
		var f filter
		if whole := string(f.pass([]byte(printed[:i+1]))); len(whole) > len(text) {
			more, last := b.hears(s, len(whole)-len(text))
			text, at = text+more, last
		}
		if !strings.HasPrefix(shown, text) {
			t.Fatalf("after %q it has seen %q", printed[:i+1], text)
		}
		s.Close()
	}
	if text != shown || at.Position != int64(len(printed)) {
		t.Errorf("it has seen %q, up to %d", text, at.Position)
	}
	b.print("!")
	for _, o := range []SeatOptions{
		{}, {Boot: at.Boot, From: 1000}, {Boot: at.Boot, From: -1}, {From: at.Position},
	} {
		if text, last := b.hears(b.takeSeat(o), len(shown)+1); text != shown+"!" || last.Boot != at.Boot {
			t.Errorf("from %+v: %q of boot %d", o, text, last.Boot)
		}
	}
}

// A machine that is started anew has a console of another number, which is shown from its
// beginning.
func TestSeatAtNextBoot(t *testing.T) {
	b := newBench(t)
	b.on()
	b.print("old console")
	s := b.takeSeat(SeatOptions{Language: "en"})
	_, old := b.hears(s, len("old console"))
	b.off()
	b.on()
	b.print("new one")
	b.notes(s, "anew", "debian was started anew")
	text, last := b.hears(s, len("new one"))
	if text != "new one" || last.Boot == old.Boot || last.Boot <= 0 || last.Position != int64(len(text)) {
		t.Errorf("told %q, %+v after %+v", text, last, old)
	}
	late := b.takeSeat(SeatOptions{Boot: old.Boot, From: 4})
	b.notes(late, "anew", "")
	if text, _ := b.hears(late, len("new one")); text != "new one" {
		t.Errorf("who was away is told %q", text)
	}
	b.off()
	b.notes(late, "went off", "")
	b.notes(b.takeSeat(SeatOptions{}), "off", "Enter switches it on")
	b.notes(b.takeSeat(SeatOptions{Boot: last.Boot, From: last.Position}), "went off", "")
}

// Whoever comes back too late is told how much is lost.
func TestSeatMissed(t *testing.T) {
	b := newBench(t)
	b.on()
	b.print("begin\x1b[")
	s := b.takeSeat(SeatOptions{})
	_, at := b.hears(s, len("begin"))
	s.Close()
	const flood = 4 << 20
	b.print(strings.Repeat("x", flood))
	waitFor(t, func() bool { return b.console.Printed() == int64(flood+len("begin\x1b[")) })
	s = b.takeSeat(SeatOptions{Boot: at.Boot, From: at.Position, Language: "en"})
	said, err := s.Next()
	if err != nil || said.Note != "missed" || !strings.Contains(said.Text, "bytes were printed too fast") {
		t.Fatalf("told %+v, %v", said, err)
	}
	kept := 0
	for said.Position < b.console.Printed() {
		if said, err = s.Next(); err != nil {
			t.Fatal(err)
		}
		kept += len(said.Output)
	}
	if kept == 0 || int64(kept) >= flood {
		t.Errorf("%d bytes were kept", kept)
	}
}

// Whoever only watches types nothing, switches nothing on and makes no terminal small.
func TestSeatThatWatches(t *testing.T) {
	b := newBench(t)
	b.permit = true
	watcher := b.takeSeat(SeatOptions{Watch: true, Columns: 20, Rows: 5})
	b.notes(watcher, "off", "")
	if watcher.Typing() {
		t.Error("it is told that it may type")
	}
	for range 3 {
		if err := errors.Join(watcher.Keys([]byte("\r")), watcher.Resize(10, 4)); err != nil {
			t.Fatal(err)
		}
	}
	student := b.takeSeat(SeatOptions{Columns: 100, Rows: 30})
	b.notes(student, "off", "")
	if !student.Typing() {
		t.Error("the student may not type")
	}
	if err := student.Keys([]byte("\r")); err != nil {
		t.Fatal(err)
	}
	b.notes(student, "on", "")
	b.notes(watcher, "on", "")
	if err := errors.Join(watcher.Keys([]byte("w")), student.Keys([]byte("s"))); err != nil {
		t.Fatal(err)
	}
	watcher.Close() // returns when its keys were taken
	if got := b.typed(1); got != "s" {
		t.Errorf("the guest got %q", got)
	}
	waitFor(t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return slices.Contains(b.sizes, size{100, 30})
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.ContainsFunc(b.sizes, func(its size) bool { return its != size{100, 30} }) {
		t.Errorf("the terminal got the sizes %v", b.sizes)
	}
}

// A seat says why it ended.
func TestSeatEnds(t *testing.T) {
	b := newBench(t)
	b.on()
	ended := func(s *Seat) <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := s.Next()
			done <- err
		}()
		return done
	}
	s := b.takeSeat(SeatOptions{})
	done := ended(s)
	s.Close()
	if err := <-done; err != net.ErrClosed {
		t.Errorf("one that was closed: %v", err)
	}
	if err := s.Keys([]byte("x")); err != net.ErrClosed {
		t.Errorf("typing at one that was closed: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	s, err := Sit(ctx, b.folder, "debian", SeatOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	done = ended(s)
	enough := errors.New("enough")
	cancel(enough)
	if err := <-done; err != enough {
		t.Errorf("one whose context ended: %v", err)
	}
	done = ended(b.takeSeat(SeatOptions{}))
	b.server.Dismiss()
	if err := <-done; err != ErrOver {
		t.Errorf("at the end of the run: %v", err)
	}
}

// A guest that floods is held up by no seat, neither by one that reads slowly nor by one that
// does not read at all, and what a slow one reads has no holes but those it is told of.
func TestFlood(t *testing.T) {
	flood := int64(100 << 20)
	if testing.Short() {
		flood = 8 << 20
	}
	b := newBench(t)
	b.on()
	b.takeSeat(SeatOptions{}) // never reads
	fast, slow := b.takeSeat(SeatOptions{}), b.takeSeat(SeatOptions{})
	waitFor(t, func() bool { return b.server.Viewers("debian") == 3 })
	var reached atomic.Int64 // by the fast one
	go func() {
		for {
			said, err := fast.Next()
			if err != nil {
				return
			}
			if said.Note == "" {
				reached.Store(said.Position)
			}
		}
	}()
	line := []byte(strings.Repeat("x", 1022) + "\r\n")
	var at Said
	holes := 0
	take := func() {
		said, err := slow.Next()
		switch {
		case err != nil:
			t.Fatal(err)
		case said.Note == "missed":
			holes++
			at = Said{}
		case at.Boot != 0 && said.Position != at.Position+int64(len(said.Output)):
			t.Fatalf("%d bytes up to %d follow %d", len(said.Output), said.Position, at.Position)
		default:
			at = said
		}
	}
	for printed := int64(0); printed < flood; printed += 1 << 20 {
		if _, err := io.Copy(b.guest, bytes.NewReader(bytes.Repeat(line, 1<<10))); err != nil {
			t.Fatal(err)
		}
		take() // one piece in a MiB
	}
	waitFor(t, func() bool { return reached.Load() == flood })
	for at.Position < flood {
		take()
	}
	if holes == 0 {
		t.Error("the slow one read everything")
	}
}
