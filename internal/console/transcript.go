package console

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// flushAfter is how long at most a transcript keeps what it was given to itself.
const flushAfter = time.Second

// A Transcript keeps all that a console prints in two files: NAME.log, the raw
// bytes, and NAME.cast, with times and with what was typed, in asciicast
// version 2. It never fails its writers; what went wrong, Close tells. Safe for
// concurrent use.
type Transcript struct {
	mu       sync.Mutex
	logFile  *os.File
	castFile *os.File
	log      *bufio.Writer // these keep their first error and drop what follows
	cast     *bufio.Writer
	start    time.Time
	parts    map[byte][]byte // per kind of event, a character that is not complete
	timer    *time.Timer     // set while something is not flushed
	closed   bool
}

// NewTranscript creates the files of a transcript in a folder that exists. The
// size is that of the terminal the guest believes in, in characters. The console's noise
// is noted, so that whoever shows a part of the transcript can leave it out.
func NewTranscript(dir, name string, width, height int, noise []*regexp.Regexp) (*Transcript, error) {
	logFile, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, fmt.Errorf("transcript of %s: %w", name, err)
	}
	castFile, err := os.Create(filepath.Join(dir, name+".cast"))
	if err != nil {
		logFile.Close()
		return nil, fmt.Errorf("transcript of %s: %w", name, err)
	}
	t := &Transcript{
		logFile:  logFile,
		castFile: castFile,
		log:      bufio.NewWriterSize(logFile, 64<<10),
		cast:     bufio.NewWriterSize(castFile, 64<<10),
		start:    time.Now(),
		parts:    make(map[byte][]byte),
	}
	// The format has whole seconds only; started and noise are ours, and players ignore
	// them.
	header, err := json.Marshal(struct {
		Version   int              `json:"version"`
		Width     int              `json:"width"`
		Height    int              `json:"height"`
		Timestamp int64            `json:"timestamp"`
		Title     string           `json:"title"`
		Started   time.Time        `json:"started"`
		Noise     []*regexp.Regexp `json:"noise,omitempty"`
	}{2, width, height, t.start.Unix(), name, t.start.UTC(), noise})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("transcript of %s: %w", name, err), t.Close())
	}
	t.cast.Write(append(header, '\n'))
	return t, nil
}

// Write records what was printed. It never returns an error.
func (t *Transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.log.Write(b)
	}
	t.event('o', b)
	return len(b), nil
}

// Input records what was typed; it goes to the cast only.
func (t *Transcript) Input(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.event('i', b)
}

// Mark puts a marker into the cast, for people and players.
func (t *Transcript) Mark(label string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.event('m', []byte(label))
}

func (t *Transcript) event(kind byte, b []byte) {
	if t.closed {
		return
	}
	b = append(t.parts[kind], b...)
	whole := len(b)
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if tail := b[len(b)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				whole -= i
			}
			break
		}
	}
	t.parts[kind] = append([]byte(nil), b[whole:]...)
	t.line(kind, b[:whole])
	if t.timer == nil {
		t.timer = time.AfterFunc(flushAfter, t.flush)
	}
}

func (t *Transcript) line(kind byte, b []byte) {
	if len(b) == 0 {
		return
	}
	text, _ := json.Marshal(strings.ToValidUTF8(string(b), "\uFFFD")) // a string always has a JSON form
	line := strconv.AppendFloat([]byte{'['}, time.Since(t.start).Seconds(), 'f', 6, 64)
	line = append(line, ',', ' ', '"', kind, '"', ',', ' ')
	line = append(line, text...)
	t.cast.Write(append(line, ']', '\n'))
}

func (t *Transcript) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = nil
	if !t.closed {
		t.log.Flush()
		t.cast.Flush()
	}
}

// Close flushes and closes the files, and returns what went wrong since
// NewTranscript. What is written afterwards is dropped.
func (t *Transcript) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	for _, kind := range []byte("oi") {
		t.line(kind, t.parts[kind])
	}
	t.closed = true
	if t.timer != nil {
		t.timer.Stop()
	}
	return errors.Join(t.log.Flush(), t.cast.Flush(), t.logFile.Close(), t.castFile.Close())
}
