package analysis

import (
	"errors"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/internal/script"
)

// sourceFile is one file of a mission as text: parsed and resolved, never run.
type sourceFile struct {
	name   string // in the mission's folder
	shown  string // what messages call it
	lines  lineIndex
	tokens []script.Token
	tree   *syntax.File // nil if it does not parse

	findings []Finding // what the parser and the resolver refuse, and load statements that fail

	variables map[*syntax.Ident]*variable // by the place where each is first given a value
	globals   map[string]*variable        // those at the top level, loaded names included
}

// parse makes a source file of a text. One that does not parse has findings that say why,
// and no tree.
func (snap *snapshot) parse(name, shown string, data []byte) *sourceFile {
	s := &sourceFile{
		name: name, shown: shown,
		variables: map[*syntax.Ident]*variable{}, globals: map[string]*variable{},
	}
	clean, err := script.Clean(data)
	if err != nil {
		s.lines = indexLines("")
		s.findings = append(s.findings, Finding{
			File: shown, Span: s.lines.span(0, 0), Rule: ruleSyntax, Severity: SeverityError, Message: err.Error(),
		})
		return s
	}
	s.lines = indexLines(string(clean))
	s.tokens = script.Scan(s.lines.text)
	tree, err := (&syntax.FileOptions{}).Parse(shown, clean, 0)
	if err != nil {
		wrong := syntax.Error{Pos: syntax.MakePosition(&s.shown, 1, 1), Msg: err.Error()}
		errors.As(err, &wrong)
		s.refuse(ruleSyntax, wrong.Pos, wrong.Msg)
		return s
	}
	s.tree = tree
	isPredeclared := func(name string) bool { _, ok := snap.builtins[name]; return ok }
	var names resolve.ErrorList
	if errors.As(resolve.File(tree, isPredeclared, starlark.Universe.Has), &names) {
		for _, n := range names {
			s.refuse(ruleName, n.Pos, n.Msg)
		}
	}
	s.findVariables()
	return s
}

// refuse notes what the parser or the resolver says about a place.
func (s *sourceFile) refuse(rule string, at syntax.Position, message string) {
	from := s.lines.offset(placeOf(at))
	s.findings = append(s.findings, Finding{
		File: s.shown, Span: s.lines.span(from, s.wordEnd(from)),
		Rule: rule, Severity: SeverityError, Message: script.Advise(message),
	})
}

func placeOf(at syntax.Position) Place { return Place{int(at.Line), int(at.Col)} }

// wordEnd returns the end of the token that is at an offset, or comes next.
func (s *sourceFile) wordEnd(offset int) int {
	for _, t := range s.tokens {
		if t.To > offset {
			if t.Kind == script.LineToken {
				break
			}
			return t.To
		}
	}
	return offset
}

// spanOf returns the piece of the text that a node of the tree was made of.
func (s *sourceFile) spanOf(n syntax.Node) Span {
	from, to := n.Span()
	return Span{placeOf(from), placeOf(to)}
}

// unparen returns what is inside of an expression's parentheses.
func unparen(x syntax.Expr) syntax.Expr {
	for {
		p, ok := x.(*syntax.ParenExpr)
		if !ok {
			return x
		}
		x = p.X
	}
}
