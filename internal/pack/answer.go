package pack

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/labrun/labrun/internal/markdown"
)

// at is a comment of an answer that says at whose console the lines below it are typed.
var atConsole = regexp.MustCompile(`^#\s*(?:as|at)\s+([A-Za-z][\w-]*)\s*:?\s*$`)

// answer reads a file with an answer: what a person would type. One that cannot be typed,
// because it reads the pack's own files, or is no shell script, is run as it is.
func (r *reader) answer(name string, carried []file) *Answer {
	text, ok := r.read(name)
	if !ok {
		return nil
	}
	a := &Answer{Name: r.name(name)}
	switch path.Ext(name) {
	case ".md", ".markdown":
		for _, line := range markdown.Code(text) {
			a.Lines = append(a.Lines, Line{Text: line, Number: 1 + strings.Count(text[:max(0, strings.Index(text, line))], "\n")})
		}
		if len(a.Lines) == 0 {
			r.fault(Place{File: a.Name}, "it shows nothing to type: put the commands into a block of code")
		}
		return a
	}
	tree := r.parse(name, text)
	if tree == nil {
		if len(r.faults) == 0 {
			a.Run = r.script(name, carried)
		}
		return a
	}
	if line := readsOwnFiles(tree); line > 0 {
		r.note(Place{a.Name, line}, "it reads a file of the pack, so labrun runs it as root instead of typing it")
		a.Run = r.script(name, carried)
		return a
	}
	a.Lines = typed(text, tree)
	if len(a.Lines) == 0 {
		r.fault(Place{File: a.Name}, "there is no command in it")
	}
	return a
}

// LastHintSolves reports whether the last hint shows commands that are meant to solve the
// challenge: all programs of the answer are in its code, and none of that is a mere word.
func (c *Challenge) LastHintSolves() bool {
	if len(c.Hints) == 0 || c.Answer == nil {
		return false
	}
	program := func(line string) string {
		words := strings.Fields(line)
		for len(words) > 1 && words[0] == "sudo" {
			words = words[1:]
		}
		return strings.Join(words[:min(1, len(words))], "")
	}
	var shown []string
	for _, code := range markdown.Code(c.Hints[len(c.Hints)-1]) {
		if len(strings.Fields(code)) < 2 {
			return false
		}
		shown = append(shown, program(code))
	}
	for _, line := range c.Answer.Lines {
		if !slices.Contains(shown, program(line.Text)) {
			return false
		}
	}
	return len(shown) > 0 && len(c.Answer.Lines) > 0
}

// readsOwnFiles returns the line where a script needs to be where it lies; 0: nowhere.
func readsOwnFiles(tree *syntax.File) (line int) {
	calls(tree, func(at int, words []string) {
		if (words[0] == "." || words[0] == "source") && len(words) > 1 && words[1] != "" && !strings.HasPrefix(words[1], "/") && !strings.HasPrefix(words[1], "~") && !strings.HasPrefix(words[1], ".bash") && !strings.HasPrefix(words[1], ".profile") {
			line = at
		}
	})
	syntax.Walk(tree, func(n syntax.Node) bool {
		if p, ok := n.(*syntax.ParamExp); ok && p.Param != nil && line == 0 && (p.Param.Value == "BASH_SOURCE" || p.Param.Value == "0") {
			line = int(p.Pos().Line())
		}
		return true
	})
	return line
}

// typed returns the lines of a script as somebody at a prompt types them: without its
// comments, and without what only a script says (set -e, exit 0 at its end), which would
// end a person's shell.
func typed(text string, tree *syntax.File) []Line {
	source := strings.Split(text, "\n")
	console := ""
	var lines []Line
	for at := 1; at <= len(source); at++ {
		statements := statementsFrom(tree, at)
		if len(statements) == 0 {
			if m := atConsole.FindStringSubmatch(strings.TrimSpace(source[at-1])); m != nil {
				console = m[1]
			}
			continue
		}
		end, document := at, false
		for i := 0; i < len(statements); i++ {
			s := statements[i]
			last := lastLine(s)
			for next := end + 1; next <= last; next++ { // others that begin before it ends
				statements = append(statements, statementsFrom(tree, next)...)
			}
			end, document = max(end, last), document || hasDocument(s)
		}
		final := end >= lastLine(tree.Stmts[len(tree.Stmts)-1])
		if len(statements) == 1 && onlyForScripts(statements[0], final && console == "") {
			at = end
			continue
		}
		piece := source[at-1 : min(end, len(source))]
		number := at
		at = end
		if document && strings.Contains(strings.Join(piece, "\n"), "\t") {
			// A tab at a prompt asks the shell to complete a word.
			if quoted, err := syntax.Quote(strings.Join(piece, "\n"), syntax.LangBash); err == nil {
				lines = append(lines, Line{"eval " + quoted, console, number})
				continue
			}
		}
		for i, line := range piece {
			if !document {
				line = withoutComment(tree, number+i, line)
				if line = strings.TrimSpace(line); line == "" {
					continue
				}
			}
			lines = append(lines, Line{strings.TrimRight(line, " \t"), console, number + i})
		}
	}
	return lines
}

func statementsFrom(tree *syntax.File, line int) (all []*syntax.Stmt) {
	for _, s := range tree.Stmts {
		if int(s.Position.Line()) == line {
			all = append(all, s)
		}
	}
	return all
}

// lastLine is where a statement ends, the text that is put into a command included.
func lastLine(s *syntax.Stmt) int {
	last := int(s.End().Line())
	syntax.Walk(s, func(n syntax.Node) bool {
		if d, ok := n.(*syntax.Redirect); ok && d.Hdoc != nil {
			end := int(d.Hdoc.End().Line())
			if d.Hdoc.End().Col() > 1 {
				end++
			}
			last = max(last, end)
		}
		return true
	})
	return last
}

func hasDocument(s *syntax.Stmt) (has bool) {
	syntax.Walk(s, func(n syntax.Node) bool {
		d, ok := n.(*syntax.Redirect)
		has = has || ok && d.Hdoc != nil
		return true
	})
	return has
}

func onlyForScripts(s *syntax.Stmt, final bool) bool {
	call, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 {
		return false
	}
	var words []string
	for _, a := range call.Args {
		words = append(words, literal(a))
	}
	switch words[0] {
	case "set":
		return len(words) > 1 && slices.ContainsFunc(words[1:], func(w string) bool {
			return regexp.MustCompile(`^-[euxo]+$|^(pipefail|errexit|nounset)$`).MatchString(w)
		})
	case "exit":
		return final && (len(words) == 1 || words[1] == "0")
	}
	return false
}

// withoutComment cuts off a comment at the end of a line.
func withoutComment(tree *syntax.File, number int, line string) string {
	cut := line
	syntax.Walk(tree, func(n syntax.Node) bool {
		if c, ok := n.(*syntax.Comment); ok && int(c.Pos().Line()) == number {
			if at := int(c.Pos().Col()) - 1; at < len(line) {
				cut = line[:at]
			}
		}
		return true
	})
	return cut
}

var (
	why     = regexp.MustCompile(`(?i)^(?:why|reason|because|fails?(?:\s+because)?|must\s+fail(?:\s+because)?|wrong(?:\s+because)?|expect(?:s|ed)?|refused(?:\s+because)?)\s*[:\-–]\s*`)
	passage = regexp.MustCompile("[\"«“`]([^\"»”`]{4,})[\"»”`]")
)

// wrong reads a file with an answer that must not do. Its first comment says why. That
// text, or what stands in quotation marks in it, is asked for if the check may print it.
func (r *reader) wrong(name, check string) (w Wrong, ok bool) {
	text, read := r.read(name)
	if !read {
		return Wrong{}, false
	}
	a := r.answer(name, nil)
	if a == nil || a.Run != nil {
		if a != nil && len(r.faults) == 0 {
			r.fault(Place{File: a.Name}, "a wrong answer is typed at a console: write the commands into it, without reading other files")
		}
		return Wrong{}, false
	}
	w.Answer = *a
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		comment, is := strings.CutPrefix(line, "#")
		if strings.HasPrefix(line, "#!") || line == "" {
			continue
		}
		if !is {
			break
		}
		if comment = strings.TrimSpace(comment); comment == "" || atConsole.MatchString(line) {
			continue
		}
		reason := strings.TrimSpace(why.ReplaceAllString(comment, ""))
		if w.Why == "" || reason != comment { // a line that says so itself comes before a heading
			w.Why = reason
		}
		if reason != comment {
			break
		}
	}
	if m := passage.FindStringSubmatch(w.Why); m != nil && prints(check, m[1]) {
		w.Why = m[1]
	}
	w.Why = strings.TrimSpace(strings.TrimLeft(w.Why, "✗✘❌✖ "))
	w.Printed = w.Why != "" && prints(check, w.Why)
	return w, true
}

var variable = regexp.MustCompile(`\$\{[^}]*\}|\$\([^()]*\)|\$\w+|%[sd]`)

// prints reports whether a script has a text, whatever it puts into it: "$u cannot read"
// has «niko cannot read».
func prints(script, text string) bool {
	if strings.Contains(script, text) {
		return true
	}
	for line := range strings.Lines(script) {
		for _, quoted := range regexp.MustCompile(`"([^"]{4,})"`).FindAllStringSubmatch(line, -1) {
			pattern, own, at := "", 0, 0
			for _, v := range variable.FindAllStringIndex(quoted[1], -1) {
				pattern += regexp.QuoteMeta(quoted[1][at:v[0]]) + `.+?`
				own += len(strings.TrimSpace(quoted[1][at:v[0]]))
				at = v[1]
			}
			pattern += regexp.QuoteMeta(quoted[1][at:])
			own += len(strings.TrimSpace(quoted[1][at:]))
			if at == 0 || own < 4 {
				continue
			}
			if regexp.MustCompile(`^` + strings.TrimLeft(pattern, "✗✘❌✖ ") + `$`).MatchString(text) {
				return true
			}
		}
	}
	return false
}
