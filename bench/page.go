package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

func beginMark(part string) string { return "<!-- bench " + part + " -->" }
func endMark(part string) string   { return "<!-- end of " + part + " -->" }

// write puts a part's text between its marks in a file and leaves the rest; a file without them gets them at its end.
func write(path, part, text string) error {
	old, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		old = []byte("# Performance\n")
	} else if err != nil {
		return err
	}
	return renameio.WriteFile(path, []byte(between(string(old), part, text)), 0o644)
}

func between(old, part, text string) string {
	whole := beginMark(part) + "\n" + text + endMark(part)
	before, rest, begun := strings.Cut(old, beginMark(part))
	_, after, ended := strings.Cut(rest, endMark(part))
	if !begun || !ended {
		return strings.TrimRight(old, "\n") + "\n\n" + whole + "\n"
	}
	return before + whole + after
}

// median is NaN, «not measured», when there is none; so is what is worked out from it.
func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// table is Markdown with the first column to the left and the others to the right.
func table(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	b.WriteString("|---|" + strings.Repeat("---:|", len(head)-1) + "\n")
	for _, r := range rows {
		line(r)
	}
	return b.String()
}

// demand says whether what is asked of labrun is met by what was measured.
func demand(what string, measured, limit float64, atMost bool) string {
	verdict, than := "not met", "at least"
	if atMost {
		than = "at most"
	}
	switch {
	case math.IsNaN(measured):
		return fmt.Sprintf("- %s: not measured\n", what)
	case atMost && measured <= limit, !atMost && measured >= limit:
		verdict = "met"
	}
	return fmt.Sprintf("- %s: **%s** (%.3f; %s %.3f was asked)\n", what, verdict, measured, than, limit)
}

func number(format string, v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf(format, v)
}
