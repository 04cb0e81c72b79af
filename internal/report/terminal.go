package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/fatih/color"

	"github.com/labrun/labrun/internal/event"
)

// Terminal writes a run for people: a line for each step as it begins, what the
// mission says below it, and a summary with times at the end.
type Terminal struct {
	out, progress io.Writer
	style, beside Style // of the two
	quiet         bool
	bold, faint   *color.Color
	good, bad     *color.Color

	ended []event.StepEnded
	bar   bool   // the last line of progress is a bar
	drawn int64  // per cent
	task  string // what the bar or the last note is about
}

// NewTerminal returns a report that writes results to out and progress to progress, each
// in its style. With quiet, only failures and the last line are written.
func NewTerminal(out, progress io.Writer, style, beside Style, quiet bool) *Terminal {
	paint := func(attributes ...color.Attribute) *color.Color {
		c := color.New(attributes...)
		if style.Color {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
		return c
	}
	return &Terminal{
		out: out, progress: progress, style: style, beside: beside, quiet: quiet,
		bold: paint(color.Bold), faint: paint(color.Faint), good: paint(color.FgGreen),
		bad: paint(color.FgRed, color.Bold),
	}
}

// Record is the event sink.
func (t *Terminal) Record(r event.Record) {
	if e, ok := r.Event.(event.Progress); ok {
		t.showProgress(e)
		return
	}
	t.endBar()
	if e, ok := r.Event.(event.RunEnded); ok {
		t.summary(e)
		return
	}
	if e, ok := r.Event.(event.StepEnded); ok && !e.Away {
		t.ended = append(t.ended, e)
	}
	if t.quiet {
		return
	}
	switch e := r.Event.(type) {
	case event.RunStarted:
		fmt.Fprintf(t.out, "%s\n", t.bold.Sprint(t.style.Fold("", e.Title)))
		fmt.Fprintf(t.out, "%s\n", t.faint.Sprint(t.style.Fold("", introduction(e))))
	case event.Notice:
		fmt.Fprintln(t.progress, t.beside.Fold("", "note: "+e.Text))
	case event.StepStarted:
		title := e.Title
		if e.Replayed {
			title += " (replayed)"
		}
		number := fmt.Sprintf("%d/%d", e.Index, e.Total)
		fmt.Fprintf(t.out, "%s%s\n", t.bold.Sprint(number), t.after(number+"  ", title)[len(number):])
	case event.Said:
		t.indented(e.Text)
	case event.Pictured:
		if e.Name != "" {
			t.indented(fmt.Sprintf("Picture of %s: %s", e.Machine, e.File))
		}
	case event.Asked:
		t.indented("Question: " + e.Question)
		for _, choice := range e.Choices {
			t.indented("  - " + choice)
		}
		if e.Answer != "" {
			t.indented("Answer: " + e.Answer)
		}
	case event.Answered:
		text := "Answer: " + e.Answer
		if verdict := verdictText(e); verdict != "" {
			text += " (" + verdict + ")"
		}
		t.indented(text)
	case event.Instructed:
		if !e.Known && !e.Retold {
			t.indented(instruction(e))
		}
	case event.Recalled:
		t.indented(recalledText(&e))
	case event.Hinted:
		if e.Retold {
			return
		}
		t.indented(fmt.Sprintf("Hint %d of %d: %s", e.Level, e.Of, e.Text))
	case event.Helped:
		t.indented("Help: " + helpText(e))
	case event.Machine:
		if e.State == "ready" {
			how := ""
			if e.Detail != "" {
				how = " (" + e.Detail + ")"
			}
			fmt.Fprintln(
				t.progress, t.beside.Fold("     ", fmt.Sprintf("%s is ready after %.1f s%s", e.Name, e.Seconds, how)),
			)
		}
	}
}

func introduction(e event.RunStarted) string {
	parts := []string{e.Mission, Count(e.Steps, "step")}
	if e.Minutes > 0 {
		parts = append(parts, fmt.Sprintf("about %s for a student", Count(e.Minutes, "minute")))
	}
	if who := player(e); who != "" {
		parts = append(parts, who)
	}
	return strings.Join(parts, ", ")
}

// player says whose mission it is that is played; empty: nobody's in particular.
func player(e event.RunStarted) string {
	switch {
	case e.Student != "":
		return "student " + e.Student
	case e.As != "":
		return "as student " + e.As
	}
	return ""
}

// Count returns a number with its noun: «1 step», «3 steps».
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// instruction says what a student was asked to do.
func instruction(e event.Instructed) string {
	words := cmp.Or(e.Words, e.Verb)
	text := "To do: " + words
	if e.Console != "" {
		text = "To do on " + e.Console + ": " + words
	}
	if e.Text != "" {
		text += " " + e.Text
	}
	return text
}

func (t *Terminal) indented(text string) { fmt.Fprintln(t.out, t.style.Fold("     ", text)) }

// after is a text that begins behind another, and goes on below itself.
func (t *Terminal) after(label, text string) string {
	return label + strings.TrimLeft(t.style.Fold(strings.Repeat(" ", len(label)), text), " ")
}

// summary closes the report: each step with its time, then the verdict.
func (t *Terminal) summary(e event.RunEnded) {
	if !t.quiet && len(t.ended) > 0 {
		fmt.Fprintln(t.out)
		for _, s := range t.ended {
			word, paint := "passed", t.good
			switch {
			case !s.Passed && s.Error == "": // left out by a student
				word, paint = "left  ", t.faint
			case !s.Passed && e.ExitCode == exitInterrupted:
				word, paint = "ended ", t.faint
			case !s.Passed:
				word, paint = "FAILED", t.bad
			case s.Skipped: // labrun did it
				word, paint = "helped", t.faint
			}
			label := fmt.Sprintf("%s  %-5s  %6.1f s  ", word, fmt.Sprintf("%d/%d", s.Index, s.Total), s.Seconds)
			fmt.Fprintf(t.out, "%s%s\n", paint.Sprint(word), t.after(label, s.Title)[len(word):])
		}
	}
	if e.Passed {
		fmt.Fprintf(
			t.out, "%s %d of %d steps in %.1f s\n", t.good.Sprint("Mission complete:"), e.Steps, e.Total, e.Seconds,
		)
		return
	}
	fmt.Fprintf(
		t.out, "%s %d of %d steps passed in %.1f s\n", t.bad.Sprint("Mission not complete:"), e.Steps, e.Total,
		e.Seconds,
	)
}

// showProgress gives each piece of work a line, and a bar instead where it has a
// length and there is a terminal to redraw it on.
func (t *Terminal) showProgress(e event.Progress) {
	if t.quiet {
		return
	}
	task := e.Subject + ": " + e.Phase
	if e.Note != "" {
		task = e.Subject + ": " + e.Note
		if e.Total > 0 {
			task = e.Subject + ": " + e.Phase + " " + e.Note
		}
	}
	if t.task != task {
		t.endBar()
		t.task = task
		switch {
		case e.Total > 0 && t.beside.Live:
			t.bar, t.drawn = true, -1
		case e.Total > 0:
			fmt.Fprintln(t.progress, t.beside.Fold("", fmt.Sprintf("%s (%.1f MB)", task, float64(e.Total)/1e6)))
		default:
			fmt.Fprintln(t.progress, t.beside.Fold("", task))
		}
	}
	if t.bar && e.Total > 0 {
		t.drawBar(e)
	}
}

// drawBar draws the bar over the one before, where it has changed.
func (t *Terminal) drawBar(e event.Progress) {
	const width = 20
	done := min(e.Done, e.Total) * 100 / e.Total
	if done == t.drawn {
		return
	}
	t.drawn = done
	fmt.Fprintf(t.progress, "\r%s %3d%% [%-*s] %.1f of %.1f MB",
		t.task, done, width, strings.Repeat("#", int(done*width/100)), float64(e.Done)/1e6, float64(e.Total)/1e6)
}

// endBar leaves the bar's last state on a line of its own.
func (t *Terminal) endBar() {
	if t.bar {
		fmt.Fprintln(t.progress)
	}
	t.bar, t.task = false, ""
}
