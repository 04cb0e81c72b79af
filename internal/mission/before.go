package mission

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"path/filepath"
	"strings"

	"go.starlark.net/syntax"

	"github.com/labrun/labrun/internal/script"
)

// digestBefore names all of the scripts that decides how a lab is at the beginning of a
// step, counted from 0: what is at the top level and was drawn there, the steps before it,
// and the functions that these name. An author who works on that step, or on a later one, does not change it,
// and goes on from a checkpoint that was made before.
func (m *Mission) digestBefore(step int) string {
	later := map[string]bool{} // the lines where the step and those after it are declared
	for _, s := range m.Declared().Steps[step:] {
		later[lineOf(s.Position)] = true
	}
	d := digester{sum: sha256.New(), functions: map[string][]function{}}
	for _, v := range m.Declared().Variants {
		d.add(v.Name + "=" + v.Value)
	}
	for _, s := range m.Declared().Steps[:step] {
		d.add(s.Digest)
	}
	var rest []syntax.Stmt
	for _, source := range m.Sources {
		rest = append(rest, d.file(source, later)...)
	}
	for _, stmt := range rest {
		d.follow(stmt)
	}
	return fmt.Sprintf("%x", d.sum.Sum(nil)[:8])
}

// digester makes a digest of statements and of the functions that they name.
type digester struct {
	sum       hash.Hash
	functions map[string][]function // those that are not in the digest yet, by name, which files may share
}

type function struct {
	lines string
	body  *syntax.DefStmt
}

// add puts lines of a script into the digest, so that no others give the same.
func (d *digester) add(lines string) { fmt.Fprintf(d.sum, "%d %s\n", len(lines), lines) }

// file puts what a file has at its top level into the digest, but for the steps that are
// declared in some lines, and returns those statements. Functions are kept for later.
func (d *digester) file(source script.Source, without map[string]bool) (rest []syntax.Stmt) {
	fmt.Fprintf(d.sum, "%s\n", filepath.Base(source.Shown))
	file, err := (&syntax.FileOptions{}).Parse(source.Shown, source.Text, 0)
	if err != nil {
		d.add(string(source.Text)) // it was loaded: this does not happen
		return nil
	}
	lines := strings.Split(string(source.Text), "\n")
	for _, stmt := range file.Stmts {
		from, to := stmt.Span()
		text := strings.Join(lines[from.Line-1:min(int(to.Line), len(lines))], "\n")
		if def, ok := stmt.(*syntax.DefStmt); ok {
			d.functions[def.Name.Name] = append(d.functions[def.Name.Name], function{text, def})
			continue
		}
		if call, ok := stepDeclaration(stmt); ok && without[lineOf(call.Lparen)] {
			continue
		}
		d.add(text)
		rest = append(rest, stmt)
	}
	return rest
}

// follow puts the functions that a node names, and those that they name, into the digest.
func (d *digester) follow(n syntax.Node) {
	syntax.Walk(n, func(n syntax.Node) bool {
		if id, ok := n.(*syntax.Ident); ok {
			named := d.functions[id.Name]
			delete(d.functions, id.Name) // once is enough, and they may name each other
			for _, f := range named {
				d.add(f.lines)
				d.follow(f.body)
			}
		}
		return true
	})
}

// stepDeclaration returns the call of a statement that is nothing but step(function), or a
// challenge's.
func stepDeclaration(stmt syntax.Stmt) (*syntax.CallExpr, bool) {
	x, ok := stmt.(*syntax.ExprStmt)
	if !ok {
		return nil, false
	}
	call, ok := x.X.(*syntax.CallExpr)
	if !ok {
		return nil, false
	}
	name, ok := call.Fn.(*syntax.Ident)
	return call, ok && (name.Name == "step" || name.Name == "challenge")
}

func lineOf(at syntax.Position) string { return fmt.Sprintf("%s:%d", at.Filename(), at.Line) }
