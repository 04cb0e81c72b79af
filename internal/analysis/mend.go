package analysis

import (
	"errors"
	"slices"
	"strings"

	"github.com/labrun/labrun/internal/script"
	"go.starlark.net/syntax"
)

// mostMends bounds how often a broken part of a script is parsed to find out what
// it means.
const maxRepairs = 12

// meaning returns the file as it is if it parses, else with what is broken left
// out; line is where the cursor is, which is most likely to be broken.
func (d *Draft) recovered(line int) *sourceFile {
	if d.file.tree != nil {
		return d.file
	}
	if f := d.recoverWith(line, false, "pass", "", "if True:"); f != nil {
		return f
	}
	return d.file
}

// expression returns a file in which text stands by itself in a line, and the
// parsed text; false if that is not possible.
func (d *Draft) expression(line int, text string) (*sourceFile, syntax.Expr, bool) {
	f := d.recoverWith(line, true, "("+text+")", "("+text+"),", "if ("+text+"):")
	if f == nil {
		return nil, nil, false
	}
	var found syntax.Expr
	syntax.Walk(f.tree, func(n syntax.Node) bool {
		if p, ok := n.(*syntax.ParenExpr); ok && found == nil && int(p.Lparen.Line) == line {
			found = p.X
		}
		return found == nil
	})
	return f, found, found != nil
}

// mended returns the script with what is broken left out. The cursor's line is
// replaced by one of the given texts if it is broken, or if it must be. It is nil
// if that does not help. Every line keeps its number.
func (d *Draft) recoverWith(line int, must bool, instead ...string) *sourceFile {
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(d.file.lines.text), "\n")
	if line < 1 || line > len(lines) {
		return nil
	}
	starts := append(d.file.topLevelStarts(), len(lines))
	for i, from := range starts[:len(starts)-1] {
		part := lines[from:starts[i+1]]
		here := line - 1 - from
		switch {
		case here < 0 || here >= len(part):
			if parseError(part) != 0 {
				clear(part)
			}
		case !must && parseError(part) == 0:
		case !repair(part, here, instead):
			if must {
				return nil
			}
			clear(part)
		}
	}
	f := d.files.parse(d.file.name, d.file.shown, []byte(strings.Join(lines, "\n")))
	if f.tree == nil {
		return nil
	}
	return f
}

// statements returns the lines, counted from 0, in which the statements at the top
// level begin. What is before the first belongs to it.
func (s *sourceFile) topLevelStarts() []int {
	starts := []int{0}
	newLine := true
	for _, t := range s.tokens {
		switch {
		case t.Kind == script.LineToken:
			newLine = true
			continue
		case newLine && t.Kind != script.CommentToken:
			at := s.lines.place(t.From)
			if piece := t.In(s.lines.text); at.Column == 1 && at.Line > 1 && !slices.Contains([]string{")", "]", "}", "else", "elif"}, piece) {
				starts = append(starts, at.Line-1)
			}
		}
		newLine = false
	}
	return slices.Compact(starts)
}

// parseError returns the line, counted from 1, where the parser stops; 0 if it does
// not.
func parseError(lines []string) int {
	_, err := (&syntax.FileOptions{}).Parse("", strings.Join(lines, "\n"), 0)
	var wrong syntax.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &wrong):
		return min(max(int(wrong.Pos.Line), 1), len(lines))
	}
	return 1
}

// mend replaces the line that the cursor is in, and then lines that are broken,
// until the part of a script parses.
func repair(part []string, here int, instead []string) bool {
	margin := func(i int) string { return part[i][:len(part[i])-len(strings.TrimLeft(part[i], " \t"))] }
	indent := margin(here)
	for _, text := range instead {
		part[here] = indent + text
		if parseError(part) == 0 {
			return true
		}
	}
	part[here] = indent + instead[0]
	touched := map[int]int{here: 2}
	for range maxRepairs {
		wrong := parseError(part) - 1
		if wrong < 0 {
			return true
		}
		// The line where the parser stops is left out, or the one above that is not yet.
		for wrong > 0 && touched[wrong] == 2 {
			wrong--
		}
		replacement := ""
		if touched[wrong] == 0 {
			replacement = margin(wrong) + "pass"
			if strings.HasSuffix(strings.TrimRight(part[wrong], " \t"), ":") {
				replacement = margin(wrong) + "if True:"
			}
		}
		part[wrong] = replacement
		touched[wrong] = min(touched[wrong]+1, 2)
	}
	return parseError(part) == 0
}
