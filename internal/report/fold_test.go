package report

import (
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/event"
)

func TestFold(t *testing.T) {
	const path = "/home/nini/.local/state/labrun/report.html"
	for _, test := range []struct {
		name         string
		width        int
		indent, text string
		want         string
	}{
		{"not on a terminal", 0, "  ", strings.Repeat("long ", 60) + "end\n", "  " + strings.Repeat("long ", 60) + "end"},
		{"it fits", 30, "  ", "one\n\n  two", "  one\n  \n    two"},
		{"between words", 30, "  ", "one two three four five six seven eight", "  one two three four five six\n  seven eight"},
		{"a path stays whole", 30, "", "report: " + path + ", with the run's other records beside it", "report:\n" + path + ",\nwith the run's other records\nbeside it"},
		{"a path alone", 30, "", path, path},
		{"Chinese", 24, "  ", "他是一隻菜鳥也就是初學者的意思", "  他是一隻菜鳥也就是初學\n  者的意思"},
		{"control characters", 0, "", "a\x1b[2Jb\x07\u202ec\r\nd", "a[2Jbc\nd"},
	} {
		if got := (Style{Width: test.width}).Fold(test.indent, test.text); got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}

// Whatever an author or a guest puts into a text, it does nothing to a terminal.
func TestTerminalIsNotDriven(t *testing.T) {
	const bad = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e"
	out, progress := play(Style{}, false, false,
		event.RunStarted{Mission: "lab.star", Title: "L" + bad, Steps: 1}, event.Notice{Text: bad}, event.Progress{Subject: bad, Phase: bad, Note: bad},
		event.StepStarted{Index: 1, Total: 1, Title: bad}, event.Said{Text: bad}, event.Asked{Question: bad, Choices: []string{bad}, Answer: bad}, event.Answered{Question: bad, Answer: bad, Verdict: bad},
		event.Instructed{Console: bad, Verb: bad, Text: bad, Words: bad}, event.Hinted{Text: bad}, event.Helped{Word: bad, With: bad}, event.Machine{Name: bad, State: "ready", Detail: bad},
		event.StepEnded{Index: 1, Total: 1, Title: bad, Error: bad}, event.RunEnded{Failed: bad})
	for _, text := range []string{out, progress} {
		if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == '\u202e' }); i >= 0 {
			t.Errorf("it writes %q", text[i:])
		}
	}
}

// The label of a title that is too long for its line stands alone.
func TestLongTitles(t *testing.T) {
	title := strings.TrimSpace(strings.Repeat("word ", 12))
	out, _ := play(Style{Width: 40}, false, false, event.StepStarted{Index: 1, Total: 2, Title: title}, event.StepEnded{Index: 1, Total: 2, Title: title, Passed: true}, event.RunEnded{})
	for _, want := range []string{"1/2  word word word word word word word\n     word word word word word\n", "passed  1/2       0.0 s  word word word word\n                         word word word word\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("it lacks\n%s\nin\n%s", want, out)
		}
	}
}
