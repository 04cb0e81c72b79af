package analysis

import (
	"slices"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// variable is what a name stands for in a file: the resolver tells which identifiers mean
// the same one.
type variable struct {
	name *syntax.Ident // where it is first given a value
	home *sourceFile

	// What it is given, if that happens once and plainly. At most one of the three is set.
	value syntax.Expr
	def   *syntax.DefStmt
	load  *syntax.LoadStmt // the statement that takes it from another file

	remoteName  *syntax.Ident // of a loaded one: its name in the other file
	assignments int
	reads       int
	mutated     bool // its value is a list or a dict that is changed in place

	known  starlark.Value // what was inferred of its value; nil: not asked yet
	result starlark.Value // of a function: what was inferred of what it returns; nil: not asked yet
}

// mutators are the methods that change a list or dict in place.
var mutators = []string{"append", "clear", "extend", "insert", "pop", "remove"}

// isBuiltin reports whether an identifier stands for what every script has: a
// builtin of labrun or of Starlark, which the script does not hide.
func isBuiltin(id *syntax.Ident) bool {
	b, ok := id.Binding.(*resolve.Binding)
	return ok && (b.Scope == resolve.Predeclared || b.Scope == resolve.Universal)
}

// variableOf returns what an identifier stands for; nil if it is no variable.
func (s *sourceFile) variableOf(id *syntax.Ident) *variable {
	if b, ok := id.Binding.(*resolve.Binding); ok && b.First != nil {
		return s.variables[b.First]
	}
	return nil
}

// findVariables looks for every name that is given a value, and for its uses.
func (s *sourceFile) findVariables() {
	b := binder{file: s, bound: map[*syntax.Ident]bool{}}
	syntax.Walk(s.tree, b.bindIn)
	for _, v := range s.variables {
		if v.assignments > 1 { // which one holds depends on the way there
			v.value, v.def, v.load = nil, nil, nil
		}
	}
	syntax.Walk(s.tree, b.useIn)
	b.findGlobals()
}

// binder finds the variables of one file.
type binder struct {
	file  *sourceFile
	bound map[*syntax.Ident]bool // identifiers that are given a value, and so are no use of it
}

// bind notes that an identifier is given a value.
func (b *binder) bind(id *syntax.Ident) *variable {
	b.bound[id] = true
	first := id
	if binding, ok := id.Binding.(*resolve.Binding); ok && binding.First != nil {
		first = binding.First
	}
	v := b.file.variables[first]
	if v == nil {
		v = &variable{name: first, home: b.file}
		b.file.variables[first] = v
	}
	v.assignments++
	return v
}

// bindTargets notes that all names of an assignment's left side are given a value. One
// that is a field or an item of something binds none.
func (b *binder) bindTargets(x syntax.Expr) {
	switch x := x.(type) {
	case *syntax.Ident:
		b.bind(x)
	case *syntax.ParenExpr:
		b.bindTargets(x.X)
	case *syntax.TupleExpr:
		for _, item := range x.List {
			b.bindTargets(item)
		}
	case *syntax.ListExpr:
		for _, item := range x.List {
			b.bindTargets(item)
		}
	}
}

// bindParams notes the parameters of a function.
func (b *binder) bindParams(list []syntax.Expr) {
	for _, p := range paramsOf(list) {
		if p.id != nil {
			b.bind(p.id)
		}
	}
}

// bindIn notes what a node by itself gives a value to. It is for syntax.Walk.
func (b *binder) bindIn(n syntax.Node) bool {
	switch n := n.(type) {
	case *syntax.AssignStmt:
		b.bindAssigned(n)
	case *syntax.DefStmt:
		b.bind(n.Name).def = n
		b.bindParams(n.Params)
	case *syntax.LambdaExpr:
		b.bindParams(n.Params)
	case *syntax.ForStmt:
		b.bindTargets(n.Vars)
	case *syntax.ForClause:
		b.bindTargets(n.Vars)
	case *syntax.LoadStmt:
		for i, id := range n.To {
			v := b.bind(id)
			v.load, v.remoteName = n, n.From[i]
			b.bound[n.From[i]] = true // a name of the other file, and no use of one here
		}
	}
	return true
}

func (b *binder) bindAssigned(n *syntax.AssignStmt) {
	id, plain := n.LHS.(*syntax.Ident)
	switch {
	case !plain:
		b.bindTargets(n.LHS)
	case n.Op == syntax.EQ:
		b.bind(id).value = n.RHS
	default: // += and the like change a list in place
		b.bind(id).mutated = true
	}
}

// useIn notes what a node by itself makes of variables. It is for syntax.Walk.
func (b *binder) useIn(n syntax.Node) bool {
	switch n := n.(type) {
	case *syntax.Ident:
		if v := b.file.variableOf(n); v != nil && !b.bound[n] {
			v.reads++
		}
	case *syntax.DotExpr:
		if id, ok := n.X.(*syntax.Ident); ok && slices.Contains(mutators, n.Name.Name) {
			if v := b.file.variableOf(id); v != nil {
				v.mutated = true
			}
		}
	}
	return true
}

// findGlobals notes the variables at the top level. To the resolver, those that are loaded
// are local to their file.
func (b *binder) findGlobals() {
	if m, ok := b.file.tree.Module.(*resolve.Module); ok {
		for _, global := range m.Globals {
			b.file.globals[global.First.Name] = b.file.variables[global.First]
		}
	}
	for _, stmt := range b.file.tree.Stmts {
		load, ok := stmt.(*syntax.LoadStmt)
		if !ok {
			continue
		}
		for _, id := range load.To {
			if v := b.file.variableOf(id); v != nil {
				b.file.globals[id.Name] = v
			}
		}
	}
}
