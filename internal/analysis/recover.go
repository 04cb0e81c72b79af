package analysis

import (
	"errors"
	"slices"
	"strings"

	"go.starlark.net/syntax"

	"github.com/labrun/labrun/internal/script"
)

// A script that is being typed rarely parses, and Starlark's parser stops at the first
// error. So a question about names is asked of the script with what is broken left out:
// statements at the top level that do not parse, and of the one that the cursor is in only
// lines. The lines that stay keep their numbers.

// maxRepairs bounds how often a broken statement is parsed to find out what is wrong.
const maxRepairs = 12

// recovered returns the file as it is if it parses, else with what is broken left
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

// expression returns the file with a line that is nothing but an expression, and the
// expression as it is parsed there, so that its names mean what they mean in that place;
// false if that is not possible.
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

// recoverWith returns the file with what is broken left out. The cursor's line is
// replaced by one of the given texts if it is broken, or if it must be: as a statement, as
// the item of a list, as the head of a block. It is nil if that does not help.
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

// topLevelStarts returns the lines, counted from 0, in which the statements at the top
// level begin. What is before the first belongs to it.
func (s *sourceFile) topLevelStarts() []int {
	continuing := []string{")", "]", "}", "else", "elif"} // what does not begin a statement
	starts := []int{0}
	newLine := true
	for _, t := range s.tokens {
		switch {
		case t.Kind == script.LineToken:
			newLine = true
			continue
		case newLine && t.Kind != script.CommentToken:
			at := s.lines.place(t.From)
			if at.Column == 1 && at.Line > 1 && !slices.Contains(continuing, t.In(s.lines.text)) {
				starts = append(starts, at.Line-1)
			}
		}
		newLine = false
	}
	return slices.Compact(starts)
}

// parseError returns the line, counted from 1, where the parser stops; 0 if the lines
// parse.
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

// repair replaces the line that the cursor is in, and then lines that are broken, until
// the lines of a statement parse. It reports whether they do.
func repair(part []string, here int, instead []string) bool {
	indent := indentOf(part[here])
	for _, text := range instead {
		part[here] = indent + text
		if parseError(part) == 0 {
			return true
		}
	}
	part[here] = indent + instead[0]
	// A broken line is first replaced by one that does nothing, which keeps its block, and
	// left out if that does not help. The cursor's stays as it is.
	const replaced, leftOut = 1, 2
	touched := map[int]int{here: leftOut}
	for range maxRepairs {
		wrong := parseError(part) - 1
		if wrong < 0 {
			return true
		}
		// The parser may stop below the mistake: then the nearest line above is to blame.
		for wrong > 0 && touched[wrong] == leftOut {
			wrong--
		}
		if touched[wrong] >= replaced {
			part[wrong], touched[wrong] = "", leftOut
			continue
		}
		harmless := "pass"
		if strings.HasSuffix(strings.TrimRight(part[wrong], " \t"), ":") {
			harmless = "if True:"
		}
		part[wrong], touched[wrong] = indentOf(part[wrong])+harmless, replaced
	}
	return parseError(part) == 0
}

func indentOf(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t"))] }
