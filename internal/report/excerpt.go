package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/console"
)

// An excerpt is the end of what a console printed while a step was played.
type excerpt struct {
	Console string
	Text    string
	Lines   int
	Cut     bool // there was more before
}

const (
	excerptLines = 40
	excerptWidth = 400 // characters of a line
	excerptBytes = 64 << 10
)

// addExcerpts reads what the consoles printed from the recordings in a run's
// folder, and gives each step its part of it. A machine without a recording has
// printed nothing.
func (o *outline) addExcerpts(dir string) error {
	for _, b := range o.Boots {
		name := b.Name
		if b.Number > 1 {
			name = fmt.Sprintf("%s-%d", name, b.Number) // as package lab names them
		}
		if err := o.addExcerpt(filepath.Join(dir, name+".cast"), b.Label()); err != nil {
			return err
		}
		further, _ := filepath.Glob(filepath.Join(dir, name+".*.cast")) // its only error is that of a bad pattern
		for _, file := range further {
			console := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), name+"."), ".cast")
			if err := o.addExcerpt(file, b.console(console)); err != nil {
				return err
			}
		}
	}
	return nil
}

// addExcerpt adds what is in one recording, of the console with that label.
func (o *outline) addExcerpt(path, label string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if err := o.readCast(file, label); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readCast reads a recording and gives each step an excerpt. A line that is
// damaged is left out: the recording of a run that was killed ends anywhere.
func (o *outline) readCast(r io.Reader, label string) error {
	in := bufio.NewReader(r)
	line, err := in.ReadBytes('\n')
	var header struct {
		Timestamp int64            `json:"timestamp"`
		Started   time.Time        `json:"started"` // labrun's own, to the nanosecond
		Noise     []*regexp.Regexp `json:"noise"`   // labrun's own: how daemons' log lines begin
	}
	if json.Unmarshal(line, &header) != nil {
		return nil
	}
	start := header.Started
	if start.IsZero() {
		start = time.Unix(header.Timestamp, 0)
	}
	tails := make([]tail, len(o.Steps))
	var unfinished [][]byte // the events of the last line
	for err == nil {
		line, err = in.ReadBytes('\n')
		offset, rest, ok := bytes.Cut(bytes.TrimPrefix(line, []byte("[")), []byte(","))
		seconds, wrong := strconv.ParseFloat(string(offset), 64)
		if !ok || wrong != nil || !bytes.HasPrefix(rest, []byte(` "o",`)) { // the others were typed
			continue
		}
		at := start.Add(time.Duration(seconds * float64(time.Second)))
		for i, s := range o.Steps {
			if s.during(at) {
				if tails[i].events == nil {
					tails[i].before = unfinished
				}
				tails[i].add(rest)
				break
			}
		}
		if bytes.Contains(rest, []byte(`\n`)) {
			unfinished = nil
		}
		if len(unfinished) < excerptWidth {
			unfinished = append(unfinished, rest)
		}
	}
	for i, t := range tails {
		if e := t.excerpt(header.Noise); e.Text != "" {
			e.Console = label
			o.Steps[i].Consoles = append(o.Steps[i].Consoles, e)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// during reports whether the step was played at a time.
func (s *step) during(at time.Time) bool {
	for _, span := range s.spans {
		if !at.Before(span.from) && (span.to.IsZero() || at.Before(span.to)) {
			return true
		}
	}
	return false
}

// tail keeps the end of a recording's events, without the time: «"o", "text"]».
type tail struct {
	before [][]byte // those of the line before: a prompt that waited is part of the first line
	events [][]byte
	size   int
	cut    bool
}

func (t *tail) add(event []byte) {
	t.events = append(t.events, event)
	t.size += len(event)
	for t.size > excerptBytes && len(t.events) > 1 {
		t.size -= len(t.events[0])
		t.events = t.events[1:]
		t.cut = true
	}
}

// printed is what events of a recording printed.
func printed(events [][]byte) (output []byte) {
	for _, event := range events {
		var fields [2]string
		if json.Unmarshal(append([]byte("["), event...), &fields) == nil {
			output = append(output, fields[1]...)
		}
	}
	return output
}

// excerpt leaves out what daemons say, unless nobody else says anything. (The kernel's
// lines stay: they may be why a step failed.)
func (t *tail) excerpt(noise []*regexp.Regexp) excerpt {
	text := console.Plain(printed(t.events))
	if strings.TrimSpace(text) == "" {
		return excerpt{}
	}
	if !t.cut {
		before := console.Plain(printed(t.before))
		text = before[strings.LastIndexByte(before, '\n')+1:] + text
	}
	quiet := text
	for _, begins := range noise {
		if begins == nil {
			continue // a recording is data that somebody may have changed
		}
		if whole, err := regexp.Compile("(?:" + begins.String() + `)[^\n]*\n?`); err == nil {
			quiet = whole.ReplaceAllString(quiet, "")
		}
	}
	if strings.TrimSpace(quiet) != "" {
		text = quiet
	}
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	cut := t.cut || len(lines) > excerptLines
	lines = lines[max(0, len(lines)-excerptLines):]
	for i, line := range lines {
		line = strings.TrimRight(line, " \t")
		if runes := []rune(line); len(runes) > excerptWidth {
			line = string(runes[:excerptWidth]) + "…"
		}
		lines[i] = line
	}
	return excerpt{Text: strings.Join(lines, "\n"), Lines: len(lines), Cut: cut}
}
