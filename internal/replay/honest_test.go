//go:build measure

package replay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
)

// honest is a student who sits at the consoles of a mission that they are led through, and types what is asked for key by
// key, as people do: they mistype, try something else first, look around, wait too little.
type honest struct {
	*pupil
	chance *rand.Rand
	knows  map[string]string // the lines that reach a task's goal, which they have read in its last hint
	pace   time.Duration     // between two keys, in the middle

	errant  int            // of 100 instructions at a shell they do something else first at so many
	strayed map[int]bool   // the instructions at which they did
	gone    map[string]int // the detours, how often
	erred   bool           // what was asked last was not done, but something else
	lines   int            // that were typed
}

// elsewhere are the tasks that are solved at more than one console, or by a key: a line is CONSOLE: KEYS.
var elsewhere = map[string]string{
	"Go back to the first console": "debian: \x1b[1;3P",
	"choir": "debian/nini: sudo usermod -aG choir niko\r\n" +
		"debian/niko: exit\r",
}

// work does what is asked until the mission is over, or until enough holds, which is looked at before each instruction.
func (h *honest) work(enough func() bool) {
	last, acted := 0, time.Time{}
	for h.ctx.Err() == nil && !enough() {
		asked := h.d.Snapshot().Asked
		switch {
		case asked == nil, asked.Number == last && time.Since(acted) < 12*time.Second:
			h.pause(20 * time.Millisecond)
			continue
		case asked.Verb == "stay":
			return
		}
		if asked.Known || asked.Verb == "wait_prompt" || asked.Verb == "wait_for" || asked.Verb == "check" {
			// Perhaps it comes by itself.
			if h.within(3*time.Second, func() bool { return h.over(asked.Number) }) {
				continue
			}
		}
		last = asked.Number
		if *aloud {
			fmt.Fprintf(os.Stderr, "%s %d %s %s %.50q at %.60q\n", time.Now().Format("15:04:05"), asked.Number, asked.Verb, asked.Console, asked.Text, h.at(asked.Console))
		}
		h.thinks()
		h.does(*asked)
		if acted = time.Now(); h.erred {
			last, h.erred = 0, false
		}
	}
}

// over reports whether something else is asked by now than the instruction of a number, or nothing.
func (h *honest) over(number int) bool {
	asked := h.d.Snapshot().Asked
	return h.ctx.Err() != nil || asked == nil || asked.Number != number
}

func (h *honest) within(limit time.Duration, holds func() bool) bool {
	for over := time.Now().Add(limit); time.Now().Before(over); h.pause(20 * time.Millisecond) {
		if holds() {
			return true
		}
	}
	return false
}

func (h *honest) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-h.ctx.Done():
	}
}

// thinks is what a student does most of the time, though these are in a hurry.
func (h *honest) thinks() {
	h.pause(time.Duration(h.chance.ExpFloat64() * float64(10*h.pace)))
}

// often reports whether something happens that does so many times of 100.
func (h *honest) often(percent int) bool { return h.chance.IntN(100) < percent }

// does what is asked, or at least something.
func (h *honest) does(asked event.Instructed) {
	switch {
	case asked.Verb == "boot":
		h.types(asked.Console, "\r")
	case asked.Verb == "board":
		h.chooses()
	case asked.Verb == "sure":
		h.says("yes", "")
	case asked.Verb == "trouble":
		h.t.Errorf("the student has trouble: %s", asked.Say)
		h.says("check", "")
	case asked.Question:
		h.answers(asked)
	case asked.Verb == "login":
		h.logsIn(asked)
	case asked.Press != "":
		h.types(asked.Console, asked.Press)
	case asked.Verb == "task":
		h.solves(asked)
	case asked.Verb == "wait_prompt":
		h.types(asked.Console, "\r")
	case asked.Text != "" && asked.Console != "" && asked.Verb != "check":
		if !h.strays(asked) {
			h.line(asked.Console, asked.Text)
		}
	case slices.Contains(asked.May, "check"):
		h.says("check", "")
	case asked.Block != "": // something else was typed before, and it goes back to this
		for line := range strings.Lines(asked.Block) {
			h.line(asked.Console, strings.TrimSpace(line))
		}
	}
}

// chooses goes to a challenge that is not solved.
func (h *honest) chooses() {
	var left []int
	first := -1
	for i, s := range h.d.Snapshot().Steps {
		if s.Challenge && first < 0 {
			first = i
		}
		if s.Challenge && s.State != guide.Done && s.State != guide.Skipped {
			left = append(left, i-first+1)
		}
	}
	if len(left) == 0 {
		h.says("next", "")
		return
	}
	h.says("goto", strconv.Itoa(left[h.chance.IntN(len(left))]))
}

// answers tries one choice after the other, but for what is open.
func (h *honest) answers(asked event.Instructed) {
	if len(asked.Choices) == 0 {
		h.says("answer", "I think it is by turns.")
		return
	}
	if h.often(15) {
		h.says("hint", "")
	}
	for _, n := range h.chance.Perm(len(asked.Choices)) {
		if h.over(asked.Number) {
			return
		}
		h.thinks()
		h.says("answer", strconv.Itoa(n+1))
		h.within(300*time.Millisecond, func() bool { return h.over(asked.Number) })
	}
}

// logsIn does one thing on the way to a shell.
func (h *honest) logsIn(asked event.Instructed) {
	password := asked.Text
	for h.ctx.Err() == nil && !h.over(asked.Number) {
		h.stands(asked.Console)
		switch at := h.at(asked.Console); {
		case strings.HasSuffix(at, "login: "):
			name := asked.Text
			if !h.strayed[asked.Number] && h.often(20) {
				h.strayed[asked.Number], name = true, "toor"
			}
			h.line(asked.Console, name)
			h.within(10*time.Second, func() bool { return h.at(asked.Console) != at && asksLogin(h.at(asked.Console)) })
		case asksPassword(at):
			word := password
			if !h.strayed[asked.Number] && h.often(20) {
				h.strayed[asked.Number], word = true, "wrong"
			}
			h.pause(300 * time.Millisecond) // BusyBox drops what comes sooner
			h.keys(asked.Console, word+"\r")
			h.within(8*time.Second, func() bool { return h.at(asked.Console) != at })
		default:
			h.types(asked.Console, "\r")
			h.within(5*time.Second, func() bool { return h.over(asked.Number) || h.at(asked.Console) != at })
		}
	}
}

// solves types what reaches a task's goal. Who does not know it asks for all hints: the last one says it.
func (h *honest) solves(asked event.Instructed) {
	if h.strays(asked) {
		return
	}
	goal := asked.Text
	for words, keys := range elsewhere {
		if strings.Contains(goal, words) {
			for _, line := range strings.SplitAfter(keys, "\n") {
				name, keys, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
				h.stands(name)
				h.keys(name, keys)
				h.stands(name)
			}
			return
		}
	}
	if h.knows[goal] == "" {
		for range asked.Hints {
			h.thinks()
			h.says("hint", "")
		}
		hints := h.d.Snapshot().Hints
		if len(hints) == 0 {
			return
		}
		_, lines, _ := strings.Cut(hints[len(hints)-1], "\n\n    ")
		h.knows[goal] = strings.ReplaceAll(lines, "\n    ", "\n")
	} else if h.often(10) {
		h.says("hint", "")
	}
	for _, line := range strings.Split(h.knows[goal], "\n") {
		h.thinks()
		h.line(asked.Console, line)
	}
	h.ready(asked.Console)
}

// console is a console as it is now; nil: the machine is off.
func (h *honest) console(name string) *console.Console {
	station, ok := h.l.Station(name)
	if !ok {
		return nil
	}
	c, err := station.Console()
	if err != nil {
		return nil
	}
	return c
}

func (h *honest) at(name string) string {
	if c := h.console(name); c != nil {
		return c.At()
	}
	return ""
}

// stands waits until a console has stood still for a moment, as a person does who looks whether there is more.
func (h *honest) stands(name string) {
	h.within(longEnough, func() bool {
		c := h.console(name)
		return h.ctx.Err() != nil || c != nil && c.Printed() > 0 && time.Since(c.LastByte()) > 400*time.Millisecond
	})
}

// ready waits until a console asks for something again.
func (h *honest) ready(name string) {
	h.stands(name)
	if c := h.console(name); c != nil {
		ctx, cancel := context.WithTimeout(h.ctx, 40*time.Second)
		defer cancel()
		c.Ready(ctx)
	}
}

// line types a line, when the console waits for one, with a mistake now and then.
func (h *honest) line(name, text string) {
	h.ready(name)
	h.lines++
	if asksPassword(h.at(name)) {
		h.pause(300 * time.Millisecond)
		h.keys(name, text+"\r")
		return
	}
	for _, key := range strings.Split(text, "") {
		if h.shell(name) && h.often(2) {
			wrong := []string{"q", "ls", "-;x"}[h.chance.IntN(3)]
			h.keys(name, wrong)
			h.pause(3 * h.pace)
			h.keys(name, strings.Repeat("\x7f", len(wrong)))
		}
		h.keys(name, key)
	}
	h.keys(name, "\r")
}

// strays does something else first, once for each instruction at a shell, and not always. It reports whether it did.
func (h *honest) strays(asked event.Instructed) bool {
	if h.strayed[asked.Number] || asked.Console == "" {
		return false
	}
	h.strayed[asked.Number] = true
	h.ready(asked.Console)
	if !h.shell(asked.Console) || asksLogin(h.at(asked.Console)) || !h.often(h.errant) {
		return false
	}
	var all []detour // those that were gone least often
	for _, d := range detours {
		switch {
		case d.only != "" && !strings.HasPrefix(asked.Console, d.only):
		case len(all) > 0 && h.gone[d.name] > h.gone[all[0].name]:
		case len(all) > 0 && h.gone[d.name] < h.gone[all[0].name]:
			all = []detour{d}
		default:
			all = append(all, d)
		}
	}
	d := all[h.chance.IntN(len(all))]
	h.gone[d.name]++
	h.erred = true
	d.goes(h, asked.Console)
	h.ready(asked.Console)
	return true
}

// A detour is what a student does at a shell's prompt before they do what is asked.
type detour struct {
	name string
	only string // the machine that has it; empty: all do
	goes func(h *honest, name string)
}

var detours = []detour{
	{"a wrong line", "", func(h *honest, name string) { h.line(name, "hostnane") }},
	{"looks around", "", func(h *honest, name string) { h.line(name, "ls /") }},
	{"completes a word", "", func(h *honest, name string) {
		h.keys(name, "ls /et\t")
		h.pause(700 * time.Millisecond)
		h.keys(name, "\r")
	}},
	{"ends a program", "", func(h *honest, name string) {
		h.line(name, "sleep 77")
		h.pause(time.Duration(400+h.chance.IntN(1500)) * time.Millisecond)
		h.keys(name, "\x03")
	}},
	{"gives a line up", "", func(h *honest, name string) {
		h.keys(name, "cat /etc/pas")
		h.pause(h.pace)
		h.keys(name, "\x03")
	}},
	{"clears a line", "", func(h *honest, name string) {
		h.keys(name, "echo never")
		h.keys(name, "\x15")
		h.line(name, "echo instead")
	}},
	{"takes a line again", "", func(h *honest, name string) {
		h.line(name, "echo one")
		h.ready(name)
		h.keys(name, "\x1b[A")
		h.pause(2 * h.pace)
		h.keys(name, "\r")
	}},
	{"mends a line", "", func(h *honest, name string) {
		h.keys(name, "echo thre")
		h.keys(name, "\x1b[D")
		h.keys(name, "\x1b[D")
		h.keys(name, "\x1b[C")
		h.keys(name, "e\r")
	}},
	{"types ahead", "", func(h *honest, name string) {
		h.line(name, "sleep 1; echo slow")
		h.keys(name, "echo ahead\r")
	}},
	{"answers a program", "", func(h *honest, name string) {
		h.line(name, "cat >/tmp/lines")
		h.pause(500 * time.Millisecond)
		h.keys(name, "a line of tezt\x7f\x7fxt\r")
		h.keys(name, "and another\r")
		h.pause(2 * h.pace)
		h.keys(name, "\x04")
	}},
	{"edits with vi", "", func(h *honest, name string) {
		h.line(name, "vi /tmp/note")
		h.stands(name)
		h.keys(name, "ihello")
		h.keys(name, "\x1b")
		h.pause(time.Second) // else the editor takes what follows for one key
		h.keys(name, "xA, Niko\rbye")
		h.keys(name, "\x1b")
		h.pause(time.Second)
		h.keys(name, ":wq\r")
	}},
	{"edits with nano", "debian", func(h *honest, name string) {
		h.line(name, "nano /tmp/other")
		h.stands(name)
		h.keys(name, "hello\rworld")
		h.keys(name, "\x0f")
		h.stands(name)
		h.keys(name, "\r")
		h.stands(name)
		h.keys(name, "\x18")
	}},
	{"reads a page", "debian", func(h *honest, name string) {
		h.line(name, "less /etc/passwd")
		h.stands(name)
		h.keys(name, " ")
		h.pause(4 * h.pace)
		h.keys(name, "q")
	}},
	{"asks", "", func(h *honest, name string) { h.says("hint", "") }},
}

// shell reports whether a console ends in what a shell asks with, with or without something typed there.
func (h *honest) shell(name string) bool {
	return strings.ContainsAny(h.at(name), "#$") && !strings.Contains(h.at(name), "grub")
}

// keys types one key after the other.
func (h *honest) keys(name, keys string) {
	for _, one := range key.FindAllString(keys, -1) {
		h.types(name, one)
		d := time.Duration((0.4 + h.chance.ExpFloat64()) * float64(h.pace))
		if h.often(1) {
			d += 900 * time.Millisecond // in the middle of a word
		}
		h.pause(d)
	}
}
