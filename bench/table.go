package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

const (
	beginMark = "<!-- bench:begin -->"
	endMark   = "<!-- bench:end -->"
)

// result is what one way took; the first of a run's results is what the others are compared with.
type result struct {
	name    string
	rounds  []times
	failure string // the last one's cause
}

func (r result) median(of func(times) float64) float64 {
	var v []float64
	for _, t := range r.rounds {
		v = append(v, of(t))
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// table is Markdown: medians, and their ratios to the first result's.
func table(results []result) string {
	third, complete := func(t times) float64 { return t.ThirdPrompt }, func(t times) float64 { return t.Complete }
	var b strings.Builder
	fmt.Fprintln(&b, "| week 1 | third prompt | of pexpect's | complete | of pexpect's |\n|---|---:|---:|---:|---:|")
	for _, r := range results {
		if len(r.rounds) == 0 {
			fmt.Fprintf(&b, "| %s | failed: %s | | | |\n", r.name, strings.ReplaceAll(r.failure, "|", "\\|"))
			continue
		}
		ratio := func(of func(times) float64) string {
			if len(results[0].rounds) == 0 {
				return "–"
			}
			return fmt.Sprintf("%.3f", r.median(of)/results[0].median(of))
		}
		fmt.Fprintf(&b, "| %s | %.2f s | %s | %.2f s | %s |\n", r.name, r.median(third), ratio(third), r.median(complete), ratio(complete))
	}
	return b.String()
}

// write puts text between the marks of a file and leaves the rest; a file without them gets them at its end.
func write(path, text string) error {
	old, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		old = []byte("# Performance\n\n")
	} else if err != nil {
		return err
	}
	return renameio.WriteFile(path, []byte(between(string(old), text)), 0o644)
}

func between(old, text string) string {
	part := beginMark + "\n" + text + endMark
	before, rest, begun := strings.Cut(old, beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !begun || !ended {
		return strings.TrimRight(old, "\n") + "\n\n" + part + "\n"
	}
	return before + part + after
}

// demands says for what is asked of labrun whether this run shows it. The results are in the order of ways.
func demands(results []result) string {
	third, complete := func(t times) float64 { return t.ThirdPrompt }, func(t times) float64 { return t.Complete }
	var b strings.Builder
	for _, d := range []struct {
		what  string
		way   int
		of    func(times) float64
		limit float64
	}{
		{"warm, the third prompt in at most 1/15 of pexpect's time", 1, third, 1.0 / 15},
		{"warm, the whole mission in at most 1/4", 1, complete, 1.0 / 4},
		{"cold, the third prompt no later than pexpect's", 2, third, 1},
	} {
		verdict := "not measured"
		if len(results[0].rounds) > 0 && len(results[d.way].rounds) > 0 {
			verdict = "not met"
			if results[d.way].median(d.of) <= d.limit*results[0].median(d.of) {
				verdict = "met"
			}
		}
		fmt.Fprintf(&b, "- %s: %s\n", d.what, verdict)
	}
	return b.String()
}
