package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// A chart is horizontal bars, each with its figure, longest scaled to the width. It is written by hand because it
// is the
// one picture there is, and the same figures must give the same file.
type chart struct {
	title string
	unit  string
	bars  []bar
}

type bar struct {
	label string
	value float64
	own   bool // labrun's, drawn in another colour
}

func (c chart) svg() string {
	const (
		width, left, right = 760, 260, 90
		step, thick        = 28, 18
	)
	bars := slices.DeleteFunc(slices.Clone(c.bars), func(b bar) bool { return math.IsNaN(b.value) })
	most := 0.0
	for _, b := range bars {
		most = max(most, b.value)
	}
	height := 44 + step*len(bars)
	var s strings.Builder
	fmt.Fprintf(&s,
		`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(c.title))
	// The page behind may be light or dark.
	s.WriteString("<style>text{font:13px sans-serif;fill:#1f2328}.peer{fill:#8c959f}.own{fill:#0969da}" +
		"@media(prefers-color-scheme:dark){text{fill:#e6edf3}.own{fill:#58a6ff}}</style>\n")
	fmt.Fprintf(&s, `<text x="8" y="20" font-weight="bold">%s</text>`+"\n", html.EscapeString(c.title))
	for i, b := range bars {
		y := 36 + step*i
		kind := "peer"
		if b.own {
			kind = "own"
		}
		long := 0.0
		if most > 0 {
			long = b.value / most * (width - left - right)
		}
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="end">%s</text>`, left-8, y+14, html.EscapeString(b.label))
		fmt.Fprintf(&s, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d"/>`, kind, left, y, max(long, 1), thick)
		fmt.Fprintf(
			&s, `<text x="%.1f" y="%d">%s %s</text>`+"\n", left+max(long, 1)+6, y+14, figure(b.value),
			html.EscapeString(c.unit),
		)
	}
	s.WriteString("</svg>\n")
	return s.String()
}

// figure has three digits that count.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
