package report

import (
	"strings"

	"github.com/rivo/uniseg"

	"github.com/labrun/labrun/internal/markdown"
)

// Fold is a text as it is written to a stream: without the control characters that a
// stranger may have put there, each line behind an indent, and on a terminal wrapped to
// its width. What is too long for a line, a path most likely, is not cut but has one
// of its own, so that it can be copied.
func (s Style) Fold(indent, text string) string {
	room := s.Width - uniseg.StringWidth(indent)
	var lines []string
	for line := range strings.SplitSeq(strings.TrimRight(markdown.Clean(text), "\n"), "\n") {
		if s.Width == 0 || uniseg.StringWidth(line) <= room {
			lines = append(lines, line)
			continue
		}
		var short []string // words since the last that is too long
		flush := func() {
			if len(short) > 0 {
				lines = append(lines, strings.Split(markdown.Wrap(strings.Join(short, " "), room), "\n")...)
			}
			short = nil
		}
		for word := range strings.SplitSeq(line, " ") {
			if len(word) > room && strings.ContainsAny(word, "/\\") {
				flush()
				lines = append(lines, word)
				continue
			}
			short = append(short, word)
		}
		flush()
	}
	return indent + strings.Join(lines, "\n"+indent)
}
