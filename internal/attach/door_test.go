package attach

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/event"
)

// follow follows the events of the bench, and returns how it ended, and the texts of the
// notices that were told until then.
func (b *bench) follow(ctx context.Context, told func(text string)) error {
	return Events(ctx, b.folder, func(line []byte) error {
		var e struct{ Event, Text string }
		if err := json.Unmarshal(line, &e); err != nil || e.Event != "notice" {
			return fmt.Errorf("%w in %.80s", err, line)
		}
		told(e.Text)
		return nil
	})
}

// Who follows a run gets what has happened, then what happens, and is told of the end.
// That comes after the consoles are gone.
func TestEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	long := strings.Repeat("<long>", 200_000) // a line of several frames
	b.events.Emit(event.Notice{Text: "before"})
	b.events.Emit(event.Notice{Text: long})
	told := make(chan string, 10)
	ended := make(chan error, 1)
	go func() { ended <- b.follow(t.Context(), func(text string) { told <- text }) }()
	wants := func(want string) {
		t.Helper()
		if got := <-told; got != want {
			t.Errorf("told %.80q, want %.80q", got, want)
		}
	}
	wants("before")
	wants(long)
	s := b.sit("en")
	s.sees("debian is off")
	b.server.Dismiss()
	s.sees("the lab has ended")
	err := View(t.Context(), b.folder, "debian", Terminal{In: strings.NewReader(""), Out: io.Discard})
	if !errors.Is(err, ErrOver) {
		t.Errorf("who comes later gets %v", err)
	}
	b.events.Emit(event.Notice{Text: "after"})
	wants("after")
	b.events.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	var all []string
	err = b.follow(t.Context(), func(text string) { all = append(all, text) })
	if err != nil || !slices.Equal(all, []string{"before", long, "after"}) {
		t.Errorf("told %d events, %v", len(all), err)
	}
}

// Following ends with its context, and with an error of who follows.
func TestEventsCanBeLeft(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.events.Emit(event.Notice{Text: "one"})
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	if err := b.follow(ctx, func(string) { cancel(enough) }); err != enough {
		t.Errorf("it ended with %v", err)
	}
	if err := Events(t.Context(), b.folder, func([]byte) error { return enough }); err != enough {
		t.Errorf("it ended with %v", err)
	}
	b.server.Close() // which waits for those who follow
}

// Somebody who does not read is sent away after a while, and at the end of the run at
// once. Nobody waits for them, neither who makes events nor who reads them.
func TestSlowReadersAreDropped(t *testing.T) { // not beside others, whose patience it would change
	oldPatience, oldLast := patience, lastPatience
	t.Cleanup(func() { patience, lastPatience = oldPatience, oldLast })
	for _, end := range []bool{false, true} {
		t.Run(fmt.Sprintf("end=%v", end), func(t *testing.T) {
			if patience, lastPatience = time.Millisecond, time.Hour; end {
				patience, lastPatience = time.Hour, time.Millisecond
			}
			dropsSlowReaders(t, end)
		})
	}
}

func dropsSlowReaders(t *testing.T, end bool) {
	b := newBench(t)
	conn, _, err := ask(t.Context(), b.folder, request{Op: "events"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	text := strings.Repeat("x", 1<<20)
	for range 20 { // more than any socket's buffer
		b.events.Emit(event.Notice{Text: text})
	}
	if end {
		b.server.Close()
	}
	waitFor(t, func() bool { // until the server has hung up
		_, err := conn.Write([]byte{0})
		return err != nil
	})
	if err := follow(conn, longestLine, func([]byte) error { return nil }); !errors.Is(err, errBroken) {
		t.Errorf("the slow reader is told: %v", err)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := Command(t.Context(), b.folder, "hint", ""); err == nil || err.Error() != ErrNoStudent.Error() {
		t.Errorf("without a student: %v", err)
	}
	said, waiting, gone := make(chan string, 1), make(chan struct{}), make(chan struct{})
	b.command = func(ctx context.Context, word, text string, number int) error {
		switch word {
		case "ok":
			return errors.New("nothing is to be agreed to")
		case "check":
			if number != 7 {
				return fmt.Errorf("it is about %d", number)
			}
			return nil
		case "do": // nothing is asked now
			close(waiting)
			<-ctx.Done()
			close(gone)
			return context.Cause(ctx)
		}
		said <- word + "|" + text
		return nil
	}
	for _, text := range []string{"", "10.254.0.1", "好的", strings.Repeat("x", longestText)} {
		if err := Command(t.Context(), b.folder, "answer", text); err != nil {
			t.Errorf("%.20q: %v", text, err)
		} else if got := <-said; got != "answer|"+text {
			t.Errorf("the dialogue heard %.40q", got)
		}
	}
	var refused *RefusedError
	err := Command(t.Context(), b.folder, "ok", "")
	if !errors.As(err, &refused) || refused.Reason != "nothing is to be agreed to" {
		t.Errorf("got %v", err)
	}
	for _, bad := range [][2]string{
		{"", "x"}, {"rm -rf", ""}, {"HINT", ""}, {strings.Repeat("x", longestWord+1), ""},
		{"answer", strings.Repeat("x", longestText+1)}, {"answer", "two\nlines"}, {"answer", "\x1b[2J"},
		{"answer", "\u009b2J"},
	} {
		if err := Command(t.Context(), b.folder, bad[0], bad[1]); !errors.As(err, &refused) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	if err := CommandFor(t.Context(), b.folder, 7, "check", ""); err != nil {
		t.Error(err)
	}
	// Who gives up is not waited for, and the dialogue does not hear them later.
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { left <- Command(ctx, b.folder, "do", "") }()
	<-waiting
	cancel()
	<-gone
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up got %v", err)
	}
	// The end of the run ends the waiting.
	waiting, gone = make(chan struct{}), make(chan struct{})
	go func() { left <- Command(t.Context(), b.folder, "do", "") }()
	<-waiting
	b.server.Close()
	if err := <-left; err == nil {
		t.Error("it was accepted after the end")
	}
}

// What is no request, or too large for one, gets no answer, and others still do.
func TestStrangeRequests(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	frame := func(kind byte, size uint32, payload string) string {
		return string(binary.BigEndian.AppendUint32([]byte{kind}, size)) + payload
	}
	for _, sent := range []string{
		"", "GET / HTTP/1.1\r\n\r\n", frame('q', 1<<31, ""), frame('q', longestJSON+1, strings.Repeat(" ", longestJSON+1)),
		frame('q', 5, "[1,2]"), frame('q', 2, "{}"), frame('q', 14, `{"op":"power"}`), frame('z', 0, ""),
		frame('i', longestFrame+1, ""),
	} {
		conn, err := dial(b.folder)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, sent) // it may have hung up before the end
		conn.CloseWrite()
		conn.SetReadDeadline(time.Now().Add(10 * time.Minute))
		if kind, payload, err := readFrame(conn); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%.20q is answered with %c %s, %v", sent, kind, payload, err)
		}
		conn.Close()
	}
	if _, a, err := ask(t.Context(), b.folder, request{Op: "status"}); err != nil || a.Status.Title != "Lab" {
		t.Errorf("%+v, %v", a.Status, err)
	}
}

// A mission's title and name cannot be too long for who lists the labs.
func TestLongTitle(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.title = strings.Repeat("標", 1<<20)
	_, a, err := ask(t.Context(), b.folder, request{Op: "status"})
	if err != nil || !strings.HasPrefix(b.title, strings.TrimSuffix(a.Status.Title, "…")) {
		t.Errorf("%+v, %v", a.Status, err)
	}
}
