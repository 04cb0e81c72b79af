// Package report owns what the outside sees of a run: its events as terminal
// text, as JSON lines, as a page and as JUnit XML; and how they are read back.
// Terminal text has results on one stream and progress on another; both only ever
// grow, so that a pipe, a log and a screen reader get the same story.
package report

import (
	"io"

	"golang.org/x/term"
)

// Style says what a stream can show.
type Style struct {
	Color bool // ANSI colours
	Live  bool // a terminal, where a progress bar may redraw its own line
	Width int  // of a terminal, in columns; 0: lines are as long as they are
}

// StyleOf looks at a stream and the environment: NO_COLOR (any value but an
// empty one) wins over CLICOLOR_FORCE, which wins over the stream's nature. See
// no-color.org and bixense.com/clicolors.
func StyleOf(w io.Writer, getenv func(string) string) Style {
	f, ok := w.(interface{ Fd() uintptr })
	terminal := ok && term.IsTerminal(int(f.Fd()))
	dumb := getenv("TERM") == "dumb"
	style := Style{Live: terminal && !dumb, Color: terminal && !dumb}
	if terminal {
		style.Width, _, _ = term.GetSize(int(f.Fd())) // one that does not know has none
	}
	if force := getenv("CLICOLOR_FORCE"); force != "" && force != "0" {
		style.Color = true
	}
	if getenv("NO_COLOR") != "" {
		style.Color = false
	}
	return style
}
