package replay

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/handin"
)

// A copyist knows what the student saw and what the ghost sees, so that what was copied from
// there can be copied from here.
type copyist struct {
	then []seen // sorted by time
	here func() string

	mu   sync.Mutex
	told []string // the texts of this run's dialogue
}

// seen is a line that the student saw at some time.
type seen struct {
	time time.Time
	line string
}

// A value is what two runs may differ in: a number, or an address.
var value = regexp.MustCompile(`[0-9A-Fa-f]+(?:[:.][0-9A-Fa-f]+)+|\d+`)

var escapes = regexp.MustCompile(`\x1b(\[[0-9;?]*[ -/]*[@-~]|[()][0-9A-B]|[=>78cDEHM])|\r`)

// newCopyist reads what the student saw in a run.
func newCopyist(s *handin.Submission, run int, records []event.Record) (*copyist, error) {
	c := &copyist{}
	for _, r := range records {
		for _, text := range textsOf(r.Event) {
			c.saw(r.Time, text)
		}
	}
	for _, name := range s.Consoles(run) {
		file, err := s.Console(run, name)
		if err != nil {
			return nil, err
		}
		err = c.read(file)
		file.Close()
		if err != nil {
			return nil, s.Refuse(handin.Damaged, "what %s has shown in run %d is damaged: %v", name, run, err)
		}
	}
	slices.SortStableFunc(c.then, func(a, b seen) int { return a.time.Compare(b.time) })
	return c, nil
}

// textsOf are the texts of an event that a student may copy from.
func textsOf(e event.Event) []string {
	switch e := e.(type) {
	case event.Told:
		return []string{e.Text}
	case event.Said:
		return []string{e.Text}
	case event.Hinted:
		return []string{e.Text}
	case event.Instructed:
		return []string{e.Text, e.Say, e.Block}
	}
	return nil
}

func (c *copyist) saw(at time.Time, text string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); value.MatchString(line) && len(line) < 1000 {
			c.then = append(c.then, seen{at, line})
		}
	}
}

// read reads an asciicast. A line was seen when its end was printed.
func (c *copyist) read(file interface{ Read([]byte) (int, error) }) error {
	lines := bufio.NewReader(file)
	head, err := lines.ReadBytes('\n')
	if err != nil {
		return nil // empty
	}
	var header struct {
		Started   time.Time
		Timestamp int64
	}
	if err := json.Unmarshal(head, &header); err != nil {
		return err
	}
	if header.Started.IsZero() {
		header.Started = time.Unix(header.Timestamp, 0)
	}
	begun := ""
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var of []any
			if err := json.Unmarshal(line, &of); err != nil || len(of) != 3 {
				return err
			}
			seconds, _ := of[0].(float64)
			text, _ := of[2].(string)
			if kind, _ := of[1].(string); kind == "o" {
				begun += text
				if end := strings.LastIndexByte(begun, '\n'); end >= 0 {
					c.saw(header.Started.Add(time.Duration(seconds*float64(time.Second))), escapes.ReplaceAllString(begun[:end], ""))
					begun = begun[end+1:]
				}
				if len(begun) > 64<<10 {
					begun = ""
				}
			}
		}
		if err != nil {
			return nil
		}
	}
}

// hear takes in what is told in this run.
func (c *copyist) hear(e event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, textsOf(e)...)
}

// keys are what is typed here for what was typed then: each value in them that the student had
// seen is the one that stands here where that one stood. One that stands here as well, where the
// student had seen it, is typed as it was; and a single digit always is, since everybody has seen
// each somewhere, and types it for reasons of their own.
func (c *copyist) keys(then event.Keyed, at time.Time) string {
	if !value.MatchString(then.Keys) {
		return then.Keys
	}
	c.mu.Lock()
	now := strings.Split(escapes.ReplaceAllString(strings.Join(c.told, "\n")+"\n"+c.here(), ""), "\n")
	c.mu.Unlock()
	return value.ReplaceAllStringFunc(then.Keys, func(typed string) string {
		if len(typed) == 1 {
			return typed
		}
		here := ""
		for _, s := range slices.Backward(c.then) {
			if s.time.After(at) {
				continue
			}
			switch found, ok := counterpart(s.line, typed, now); {
			case ok && found == typed:
				return typed
			case ok && here == "":
				here = found
			}
		}
		return cmp.Or(here, typed)
	})
}

// counterpart finds the value that stands in one of the lines, the latest that is like line,
// where typed stands in that; typed itself, if one of these has it. Lines are alike that differ
// in this value alone, or else in nothing but values.
func counterpart(line, typed string, now []string) (found string, ok bool) {
	at := slices.IndexFunc(value.FindAllStringIndex(line, -1), func(of []int) bool { return line[of[0]:of[1]] == typed })
	if at < 0 {
		return "", false
	}
	for _, strict := range []bool{true, false} {
		like := pattern(line, at, strict)
		for _, other := range slices.Backward(now) {
			switch m := like.FindStringSubmatch(strings.TrimSpace(other)); {
			case m == nil:
			case m[1] == typed:
				return typed, true
			case !ok:
				found, ok = m[1], true
			}
		}
		if ok {
			break
		}
	}
	return found, ok
}

// pattern matches lines like one, and captures the value at a place among its values. A strict
// one has the other values as they are.
func pattern(line string, place int, strict bool) *regexp.Regexp {
	var p strings.Builder
	p.WriteString("^")
	end := 0
	quote := func(text string) {
		for i, word := range strings.Fields(text) {
			if i > 0 || strings.TrimLeft(text, " \t") != text {
				p.WriteString(`\s*`)
			}
			p.WriteString(regexp.QuoteMeta(word))
		}
		if strings.TrimRight(text, " \t") != text {
			p.WriteString(`\s*`)
		}
	}
	for i, of := range value.FindAllStringIndex(line, -1) {
		quote(line[end:of[0]])
		switch {
		case i == place:
			p.WriteString("(" + value.String() + ")")
		case strict:
			p.WriteString(regexp.QuoteMeta(line[of[0]:of[1]]))
		default:
			p.WriteString("(?:" + value.String() + ")")
		}
		end = of[1]
	}
	quote(line[end:])
	p.WriteString("$")
	return regexp.MustCompile(p.String())
}
