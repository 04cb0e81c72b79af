package analysis

import (
	"slices"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
)

// variants finds names in braces in what the reader sees that are much like a variant's, so
// that a value was probably meant. Braces have other uses: what is like none is left alone.
func (n *linter) variants() {
	var names []string
	for _, s := range n.sources {
		names = append(names, n.drawn(s)...)
	}
	if len(names) == 0 {
		return
	}
	for _, step := range n.steps {
		if _, lit := docstring(step.def); lit != nil {
			n.placeholders(step.home, lit, names)
		}
	}
	for _, s := range n.sources {
		callsIn(s, func(call *syntax.CallExpr) {
			for _, x := range readable(n.builtins, call) {
				n.placeholders(s, leading(x), names)
			}
		})
	}
}

// drawn are the names of the variants that a file draws, as far as that can be seen.
func (snap *snapshot) drawn(s *sourceFile) (names []string) {
	callsIn(s, func(call *syntax.CallExpr) {
		e, _ := snap.builtin(call.Fn)
		if e.Name != "variant" && e.Name != "secret" {
			return
		}
		if name, ok := snap.value(s, argument(call, e, "name")).(starlark.String); ok {
			names = append(names, string(name))
		}
	})
	return names
}

// callsIn calls a function for every call in a file.
func callsIn(s *sourceFile, each func(*syntax.CallExpr)) {
	if s.tree == nil {
		return
	}
	syntax.Walk(s.tree, func(node syntax.Node) bool {
		if call, ok := node.(*syntax.CallExpr); ok {
			each(call)
		}
		return true
	})
}

// placeholders looks at the names in braces in a literal.
func (n *linter) placeholders(s *sourceFile, lit *syntax.Literal, names []string) {
	begin := s.lines.offset(placeOf(lit.TokenPos))
	found, at := builtins.Placeholders(lit.Raw)
	for i, name := range found {
		if meant := nearVariant(name, names); meant != "" {
			span := s.lines.span(begin+at[i][0], begin+at[i][1])
			n.report(s, span, SeverityWarning, "{"+name+"} is no variant"+meant, meantVariant)
		}
	}
}

// meantVariant is how a misspelt variant is mended.
const meantVariant = "write the name as it is drawn; what is not drawn stays as it is"

// nearVariant says which variant may be meant by a name that is none; empty: none.
func nearVariant(name string, names []string) string {
	if slices.Contains(names, name) {
		return ""
	}
	return builtins.Suggest(name, names)
}
