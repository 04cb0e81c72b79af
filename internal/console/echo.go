package console

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An echo is what a guest is expected to print of what was typed.
type echo struct {
	want  string // the first line typed, without blanks, up to a control character
	loose bool   // a tab or control character follows: the rest of the line is anything
	enter bool   // a newline ends it
	blank bool   // blanks were typed last
	from  int64  // where in the quiet text it may begin
}

// newEcho tells the echo of typed text, and false if there is nothing to tell it by.
func newEcho(typed string, from int64) (echo, bool) {
	line, _, enter := strings.Cut(typed, "\n")
	e := echo{enter: enter, from: from}
	if i := strings.IndexFunc(line, unicode.IsControl); i >= 0 {
		line, e.loose = line[:i], true
	}
	e.want = strings.Join(strings.Fields(line), "")
	e.blank = strings.TrimRight(line, " \t") != line
	return e, e.want != ""
}

type echoState uint8

const (
	echoNot   echoState = iota // this is no echo
	echoPart                   // so far it is one
	echoChars                  // all but the newline is there
	echoWhole
)

// at compares text with the echo and returns its length. Blanks and newlines
// do not count: a terminal that wraps the line puts " \r" or "\r\n" anywhere.
func (e *echo) at(text []byte) (int, echoState) {
	i := 0
	for _, w := range e.want {
		for i < len(text) && blank(text[i]) {
			i++
		}
		if i == len(text) {
			return i, echoPart
		}
		r, size := utf8.DecodeRune(text[i:])
		if r != w {
			return i, echoNot
		}
		i += size
	}
	if !e.enter {
		return i, echoWhole
	}
	chars := i
	for i < len(text) && text[i] != '\n' && (e.loose || blank(text[i])) {
		i++
	}
	switch {
	case i == len(text):
		return chars, echoChars
	case text[i] == '\n' && i > chars && !e.loose && !e.blank:
		return e.atMargin(text, i+1)
	case text[i] == '\n':
		return i + 1, echoWhole
	}
	return i, echoNot
}

// atMargin is at for a line that ends where the terminal's does, which shows in a blank
// that nobody typed: at Enter, readline goes up again and prints the last character once
// more. End is where the new line begins.
func (e *echo) atMargin(text []byte, end int) (int, echoState) {
	last, _ := utf8.DecodeLastRuneInString(e.want)
	again := string(last) + "\n"
	switch more := string(text[end:min(len(text), end+len(again))]); {
	case more == again:
		return end + len(again), echoWhole
	case strings.HasPrefix(again, more):
		return end, echoChars
	}
	return end, echoWhole
}

func blank(b byte) bool { return b == ' ' || b == '\t' || b == '\n' }

// catchUp finds where the output of the last line begins that was typed while something
// else ran: after the next prompt, and after the line itself where the shell's editor
// prints it once more. What came before is the other one's output.
func (c *Console) catchUp() {
	e := &c.again
	if e.want == "" || len(c.echoes) > 0 {
		return
	}
	quiet := c.texts.quiet
	e.from = max(e.from, c.output, quiet.base)
	for text := quiet.slice(e.from, quiet.end()); ; {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if prompt, end := c.known.find(line); prompt != "" {
			n, state := e.at(text[end:])
			switch {
			case state == echoPart || state == echoChars:
				return // nothing follows yet, or the line is on its way
			case state == echoNot:
				n = 0
			}
			if state == echoWhole || c.known.ahead {
				c.known.learn(prompt)
				c.startOutput(e.from+int64(end-len(prompt)), e.from+int64(end+n))
				return
			}
		}
		if !whole {
			return
		}
		e.from += int64(len(line) + 1)
		text = rest
	}
}

// startOutput has the output of the last line begin at a place in the quiet text; what it
// continues goes up to a prompt before that.
func (c *Console) startOutput(prompt, at int64) {
	if len(c.earlier) > 0 {
		c.earlier = append(c.earlier, span{c.output, prompt})
	}
	c.output, c.again, c.known.ahead = at, echo{}, false
	c.typed, c.asked = max(c.typed, at), max(c.asked, at)
	c.cursor = max(c.cursor, c.texts.toFull(at))
	c.restart()
}

// find looks for the echo in what the console printed since it was typed: at
// once, at the start of a line, or after a prompt that was printed again. After
// two other lines it is not expected any more (echoNot). With echoPart, what is
// returned is how far it has come, or 0.
func (e *echo) find(text []byte, prompts Prompts) (int, echoState) {
	// Lines that never end are no echo either.
	tooFar := len(text) > 4096+4*len(e.want)
	others := 0
	for pos := 0; pos < len(text); {
		if n, state := e.at(text[pos:]); state != echoNot {
			return pos + n, state
		}
		line, _, complete := bytes.Cut(text[pos:], []byte("\n"))
		for i := 1; i < min(len(line), longestPrompt); i++ {
			if n, state := e.at(text[pos+i:]); state != echoNot && !blank(line[i]) && prompts.kind(line[:i]) != NoPrompt {
				return pos + i + n, state
			}
		}
		if !complete && !tooFar {
			return 0, echoPart
		}
		if len(bytes.TrimSpace(line)) > 0 {
			if others++; others == 2 {
				return 0, echoNot
			}
		}
		pos += len(line) + 1
	}
	if tooFar {
		return 0, echoNot
	}
	return 0, echoPart
}
