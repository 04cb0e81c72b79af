package mission

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"

	"go.starlark.net/syntax"
)

// before names all of the scripts that decides how a lab is at the beginning of a step,
// counted from 0: what is at the top level, the steps before it, and the functions that
// these name. An author who works on that step, or on a later one, does not change it.
func (m *Mission) before(step int) string {
	type function struct {
		lines string
		body  *syntax.DefStmt
	}
	later := map[string]bool{} // where the step and those after it are declared
	for _, s := range m.Declared().Steps[step:] {
		later[lineOf(s.Position)] = true
	}
	functions := map[string][]function{} // by name, which files may share
	sum := sha256.New()
	var follow func(syntax.Node)
	follow = func(n syntax.Node) {
		syntax.Walk(n, func(n syntax.Node) bool {
			if id, ok := n.(*syntax.Ident); ok {
				named := functions[id.Name]
				delete(functions, id.Name) // once is enough
				for _, f := range named {
					fmt.Fprintf(sum, "%d %s\n", len(f.lines), f.lines)
					follow(f.body)
				}
			}
			return true
		})
	}
	var rest []syntax.Stmt
	for _, s := range m.Sources {
		fmt.Fprintf(sum, "%s\n", filepath.Base(s.Shown))
		file, err := (&syntax.FileOptions{}).Parse(s.Shown, s.Text, 0)
		if err != nil {
			fmt.Fprintf(sum, "%s\n", s.Text) // it was loaded: this does not happen
			continue
		}
		lines := strings.Split(string(s.Text), "\n")
		for _, stmt := range file.Stmts {
			from, to := stmt.Span()
			text := strings.Join(lines[from.Line-1:min(int(to.Line), len(lines))], "\n")
			if def, ok := stmt.(*syntax.DefStmt); ok {
				functions[def.Name.Name] = append(functions[def.Name.Name], function{text, def})
				continue
			}
			if call, ok := declaration(stmt); ok && later[lineOf(call.Lparen)] {
				continue
			}
			fmt.Fprintf(sum, "%d %s\n", len(text), text)
			rest = append(rest, stmt)
		}
	}
	for _, stmt := range rest {
		follow(stmt)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8])
}

// declaration returns the call of a statement that is nothing but step(function).
func declaration(stmt syntax.Stmt) (*syntax.CallExpr, bool) {
	x, ok := stmt.(*syntax.ExprStmt)
	if !ok {
		return nil, false
	}
	call, ok := x.X.(*syntax.CallExpr)
	if !ok || len(call.Args) != 1 {
		return nil, false
	}
	name, ok := call.Fn.(*syntax.Ident)
	return call, ok && name.Name == "step"
}

func lineOf(at syntax.Position) string { return fmt.Sprintf("%s:%d", at.Filename(), at.Line) }
