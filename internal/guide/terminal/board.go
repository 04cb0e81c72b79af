package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/markdown"
)

// showBoard shows the challenges of a board and how they stand.
func (v *View) showBoard(e event.Board) {
	d := v.dialogue
	v.board = &e
	v.blank()
	v.markdown("## " + d.Say("board", e.Solved, len(e.Challenges)))
	var lines strings.Builder
	for i, c := range e.Challenges {
		mark, state := " ", ""
		switch {
		case c.Changed:
			mark, state = "!", d.Say("state changed", clock(c.Passed))
		case c.State == string(guide.Skipped):
			mark, state = "✓", d.Say("state solved by labrun", clock(c.Passed))
		case c.State == string(guide.Done):
			mark, state = "✓", d.Say("state solved", clock(c.Passed))
		case c.State == string(guide.Begun):
			mark, state = "…", d.Say("state begun")
		}
		if state != "" {
			state = " (" + state + ")"
		}
		fmt.Fprintf(&lines, "%s %2d. %s%s\n", mark, i+1, markdown.Clean(c.Title), state)
	}
	v.block(lines.String())
}

// clock is a time of today's, or with its day.
func clock(t time.Time) string {
	if t = t.Local(); t.Format(time.DateOnly) == time.Now().Format(time.DateOnly) {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}
