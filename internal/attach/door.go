package attach

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/labrun/labrun/internal/event"
)

// What a stranger may say: a word is the name of one, a text what a student would type
// behind it.
const longestWord, longestText = 32, 4 << 10

// longestTitle is what is told of a mission's title, and of its file, in bytes.
const longestTitle = 1 << 10

// patience is how long somebody who follows the events may take to read what is sent to
// them, before they are sent away: they hold nobody up, but a connection costs something,
// too. At the end of the run, for which others wait, they have lastPatience for all the
// rest. Tests have them shorter.
var patience, lastPatience = time.Minute, 2 * time.Second

// there returns a context that ends when the client hangs up, who has nothing more to
// say, and with the door. Release must be called.
func (s *Server) there(conn *net.UnixConn) (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	var listening sync.WaitGroup
	listening.Go(func() {
		io.Copy(io.Discard, conn)
		cancel()
	})
	return ctx, func() {
		conn.SetReadDeadline(time.Unix(1, 0)) // long ago: it reads no more
		listening.Wait()
		cancel()
	}
}

// tell sends what happens in the run, from its beginning, as JSON lines until it is over
// and all was told. A guest sees a student type, and is not told it once more.
func (s *Server) tell(conn *net.UnixConn, guest bool) {
	ctx, release := s.there(conn)
	defer release()
	t := &teller{conn: conn, ended: s.ctx, last: func() time.Time { return s.last }}
	defer context.AfterFunc(s.ctx, t.hurry)()
	for record := range s.lab.Events().Follow(ctx) {
		if _, typed := record.Event.(event.Keyed); typed && guest {
			continue
		}
		if t.line(record) != nil {
			return
		}
	}
	t.over()
}

// teller tells somebody who only listens. It may be used from several goroutines.
type teller struct {
	conn  *net.UnixConn
	ended context.Context  // of what is told
	last  func() time.Time // when nothing is told any more, once that has ended

	writing sync.Mutex
}

// hurry is called when what is told has ended.
func (t *teller) hurry() { t.conn.SetWriteDeadline(t.last()) }

func (t *teller) send(kind byte, payload []byte) error {
	if t.conn.SetWriteDeadline(time.Now().Add(patience)); t.ended.Err() != nil {
		t.hurry()
	}
	return writeFrame(t.conn, kind, payload)
}

// line tells a value as a line of JSON.
func (t *teller) line(value any) error {
	line, err := json.Marshal(value)
	if err != nil {
		return nil // it has nothing that JSON has not
	}
	t.writing.Lock()
	defer t.writing.Unlock()
	for part := range slices.Chunk(append(line, '\n'), longestFrame) { // a mission may say much at once
		if err := t.send(frameEvents, part); err != nil {
			return err
		}
	}
	return nil
}

// over says that this was all.
func (t *teller) over() {
	if over, err := json.Marshal(note{Name: "over"}); err == nil {
		t.send(frameNote, over)
	}
}

// command says a client's word to the dialogue.
func (s *Server) command(conn *net.UnixConn, asked request) answer {
	notLetter := func(r rune) bool { return r < 'a' || r > 'z' }
	switch {
	case asked.Word == "" || len(asked.Word) > longestWord || strings.ContainsFunc(asked.Word, notLetter):
		return answer{Error: "refused", Text: fmt.Sprintf("a word has from 1 to %d lower-case letters", longestWord)}
	case len(asked.Text) > longestText || strings.ContainsFunc(asked.Text, unicode.IsControl):
		return answer{Error: "refused", Text: fmt.Sprintf("a text is one line of at most %d bytes", longestText)}
	}
	ctx, release := s.there(conn)
	defer release()
	err := s.lab.Command(ctx, asked.Word, asked.Text, asked.For)
	switch {
	case err == nil:
		return answer{}
	case ctx.Err() != nil:
		return answer{Error: "over"}
	}
	return answer{Error: "refused", Text: cut(err.Error(), longestText)}
}

// cut bounds a text that comes from a mission, for a frame.
func cut(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// RefusedError says that a word could not be said to the dialogue, and why.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// ErrOver says that the run is over, or as good as over.
var ErrOver = errors.New("the lab has ended")

// Command says a word to the dialogue with the student of the run whose session folder
// is given: hint, do, skip, check, redo, ok, next, answer, restart, language, quit; text is
// the answer, the machine's name, or the language's tag. It returns when that was taken, or
// a *RefusedError. While the dialogue asks for nothing it waits, until ctx ends; a language
// is taken at once.
func Command(ctx context.Context, folder, word, text string) error {
	return CommandFor(ctx, folder, 0, word, text)
}

// CommandFor is Command, about the instruction of that number (event.Instructed): it is
// refused if something else is asked by then, as when a page was slower than its reader.
func CommandFor(ctx context.Context, folder string, number int, word, text string) error {
	conn, _, err := ask(ctx, folder, request{Op: "command", Word: word, Text: text, For: number})
	if err == nil {
		conn.Close()
	}
	return err
}

// longestLine bounds an event's line: a script has 4 MiB, and JSON writes some
// characters with six.
const longestLine = 32 << 20

// Events has each event of the run whose session folder is given told, those that
// happened already first: a JSON object without the end of its line, to be read before it
// returns. It returns when the run is over, or with tell's error. Who reads so slowly that
// the run does not wait is told so by an error.
func Events(ctx context.Context, folder string, tell func(line []byte) error) error {
	return hear(ctx, folder, request{Op: "events"}, func(conn net.Conn) error { return follow(conn, longestLine, tell) })
}

// hear asks for what is told for a while, and has it read.
func hear(ctx context.Context, folder string, r request, read func(conn net.Conn) error) error {
	conn, _, err := ask(ctx, folder, r)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	err = read(conn)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, errBroken):
		return fmt.Errorf("follow the labrun in %s: %w", filepath.Base(folder), err)
	}
	return err
}

// errBroken is an end of the connection that is not the run's.
var errBroken = errors.New("it broke off: it was killed, or what it told was read too slowly")

// frames has what the frames of a kind carry taken, until the door says that this was all.
func frames(conn net.Conn, of byte, take func(payload []byte) error) error {
	for {
		kind, payload, err := readFrame(conn)
		switch {
		case err != nil:
			return fmt.Errorf("%w (%w)", errBroken, err)
		case kind == frameNote:
			return nil
		case kind == of:
			if err := take(payload); err != nil {
				return err
			}
		}
	}
}

// follow has each line told that comes, until the run is over; longer ones are an error.
func follow(conn net.Conn, longest int, tell func(line []byte) error) error {
	var begun []byte // a line
	return frames(conn, frameEvents, func(part []byte) error {
		begun = append(begun, part...)
		for {
			line, rest, whole := bytes.Cut(begun, []byte("\n"))
			if !whole {
				break
			}
			if err := tell(line); err != nil {
				return err
			}
			begun = rest
		}
		if len(begun) > longest {
			return fmt.Errorf("%w (a line is longer than %d bytes)", errBroken, longest)
		}
		return nil
	})
}
