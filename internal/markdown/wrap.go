package markdown

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// narrowest is the least width that text is wrapped to, in columns.
const narrowest = 20

// Wrap wraps plain text to a width in columns, at least 20. Its lines stay lines,
// and what a line is indented by, its continuations are too. Control characters
// are removed, tabs become spaces.
func Wrap(text string, width int) string {
	width = max(width, narrowest)
	var b strings.Builder
	for i, line := range strings.Split(Clean(text), "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		line = untab(line)
		body := strings.TrimLeft(line, " ")
		if body == "" {
			continue
		}
		indent := line[:min(len(line)-len(body), width/2)]
		var p passage
		p.add(body, plain)
		for j, part := range p.lines(width - len(indent)) {
			if j > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(indent)
			write(&b, part)
		}
	}
	return b.String()
}

// untab replaces tabs by spaces, to the next fourth column.
func untab(line string) string {
	for {
		before, after, found := strings.Cut(line, "\t")
		if !found {
			return line
		}
		line = before + strings.Repeat(" ", 4-uniseg.StringWidth(before)%4) + after
	}
}

// style is what text looks like on a terminal with colours.
type style uint8

const (
	bold style = 1 << iota
	underline
	cyan
	plain style = 0
)

// passage is text that is wrapped as one, with its styles and marks.
type passage struct {
	text   strings.Builder
	styles []styled
	marks  []mark
}

// styled says that the text up to an offset, from the end of the one before, has
// a style.
type styled struct {
	end   int
	style style
}

// mark is what stands at the side of text to tell its emphasis. It is never
// parted from the character that it opens or closes, and lines break as if it
// were not there.
type mark struct {
	at      int // offset in the text
	text    string
	closing bool
}

func (p *passage) add(text string, s style) {
	p.text.WriteString(text)
	p.styles = append(p.styles, styled{p.text.Len(), s})
}

func (p *passage) mark(text string, closing bool) {
	if text != "" {
		p.marks = append(p.marks, mark{p.text.Len(), text, closing})
	}
}

// glyph is what must not be taken apart: a user-perceived character with the
// marks at its sides.
type glyph struct {
	text     string
	width    int // in columns
	style    style
	canBreak bool // a line may end after it
}

func (p *passage) glyphs() []glyph {
	var all []glyph
	styles, marks := p.styles, p.marks
	state, end := -1, 0
	for rest := p.text.String(); rest != ""; {
		var cluster string
		var boundary int
		cluster, rest, boundary, state = uniseg.StepString(rest, state)
		for styles[0].end <= end {
			styles = styles[1:]
		}
		end += len(cluster)
		g := glyph{text: cluster, width: boundary >> uniseg.ShiftWidth, style: styles[0].style}
		for len(marks) > 0 && (marks[0].at < end || marks[0].closing && marks[0].at == end) {
			if marks[0].closing {
				g.text += marks[0].text
			} else {
				g.text = marks[0].text + g.text
			}
			g.width += len(marks[0].text)
			marks = marks[1:]
		}
		g.canBreak = canBreak(cluster, rest, boundary&uniseg.MaskLine != uniseg.LineDontBreak)
		all = append(all, g)
	}
	return all
}

// canBreak reports whether a line may end between a cluster and what follows.
// Unicode's rules (UAX 14) know what may not stand at either end of a line; but
// they also break inside paths, options and addresses, which are to be typed as
// they are.
func canBreak(cluster, rest string, unicodeBreak bool) bool {
	if cluster == " " {
		return !closes(rest)
	}
	last, _ := utf8.DecodeLastRuneInString(cluster)
	next, _ := utf8.DecodeRuneInString(rest)
	return unicodeBreak && (isCJK(last) || isCJK(next))
}

// closes reports whether text begins with what should not begin a line.
func closes(text string) bool {
	r, _ := utf8.DecodeRuneInString(text)
	return unicode.In(r, unicode.Pe, unicode.Pf) || strings.ContainsRune("，。、；：！？…,;!?", r)
}

// lines wraps the passage to a width. What has no place to break is cut. Spaces
// at the ends of lines are dropped.
func (p *passage) lines(width int) [][]glyph {
	var lines [][]glyph
	rest := p.glyphs()
	for {
		for len(rest) > 0 && rest[0].text == " " {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return lines
		}
		end := fit(rest, width)
		line := rest[:end]
		for line[len(line)-1].text == " " {
			line = line[:len(line)-1]
		}
		lines = append(lines, line)
		rest = rest[end:]
	}
}

// fit returns how many glyphs the first line takes: at least one.
func fit(rest []glyph, width int) int {
	used, end := 0, 0
	for i, g := range rest {
		used += g.width
		if used > width && g.text != " " {
			if end > 0 {
				return end
			}
			return tear(rest, i)
		}
		if g.canBreak {
			end = i + 1
		}
	}
	return len(rest)
}

// tear returns where to cut what has no place to break and fits up to a glyph: there
// or a little before, so that no comma begins the next line.
func tear(rest []glyph, fits int) int {
	for end := fits; end > max(fits-3, 1); end-- {
		if !closes(rest[end].text) {
			return end
		}
	}
	return max(fits, 1)
}

// cut cuts a line of code, which is not wrapped, where the width ends.
func (p *passage) cut(width int) [][]glyph {
	var lines [][]glyph
	used, start := 0, 0
	all := p.glyphs()
	for i, g := range all {
		if used+g.width > width && i > start {
			lines = append(lines, all[start:i])
			used, start = 0, i
		}
		used += g.width
	}
	return append(lines, all[start:])
}

// write writes glyphs, with escape sequences only where there are styles.
func write(b *strings.Builder, line []glyph) {
	now := plain
	change := func(to style) {
		if now == to {
			return
		}
		if now != plain {
			b.WriteString("\x1b[0m")
		}
		for _, s := range []struct {
			style style
			code  string
		}{{bold, "\x1b[1m"}, {underline, "\x1b[4m"}, {cyan, "\x1b[36m"}} {
			if to&s.style != 0 {
				b.WriteString(s.code)
			}
		}
		now = to
	}
	for _, g := range line {
		change(g.style)
		b.WriteString(g.text)
	}
	change(plain)
}
