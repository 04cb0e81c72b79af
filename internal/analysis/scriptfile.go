package analysis

import (
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/script"
)

// scriptFile is one file of a mission as text: parsed and resolved, never run.
type sourceFile struct {
	name     string // in the mission's folder
	shown    string // what messages call it
	lines    lineIndex
	tokens   []script.Token
	tree     *syntax.File // nil if it does not parse
	findings []Finding    // what the parser and the resolver refuse

	variables map[*syntax.Ident]*variable // by the place where each is first given a value
	globals   map[string]*variable        // those of the file, loaded names included
}

// variable is what a name stands for.
type variable struct {
	name        *syntax.Ident
	home        *sourceFile
	value       syntax.Expr      // what it is given, if that happens once and plainly
	def         *syntax.DefStmt  // the function that it names
	load        *syntax.LoadStmt // the statement that takes it from another file
	remoteName  *syntax.Ident    // its name there
	assignments int              // how often it is given a value
	reads       int
	mutated     bool // its value is a list that is changed in place

	known  starlark.Value // what is known of its value; nil: not asked yet
	result starlark.Value // of a function: what is known of what it returns; nil: not asked yet
}

// library is the files of a mission's folder, each read and parsed once.
type snapshot struct {
	folder   fs.FS
	main     string // the script's name in the folder
	shown    string // what messages call it
	images   []string
	builtins map[string]builtins.Entry
	files    map[string]*sourceFile
}

func newSnapshot(folder fs.FS, name, shown string, images []string) *snapshot {
	l := &snapshot{folder: script.Overlay{FS: folder}, main: name, shown: shown, images: images, builtins: map[string]builtins.Entry{}, files: map[string]*sourceFile{}}
	for _, e := range builtins.Table() {
		l.builtins[e.Name] = e
	}
	return l
}

// open returns a file of the folder, or what is wrong with it.
func (l *snapshot) open(name string) (*sourceFile, error) {
	if known, ok := l.files[name]; ok {
		return known, nil
	}
	data, err := script.ReadFile(l.folder, name)
	if err != nil {
		return nil, err
	}
	return l.add(name, script.ShownAs(l.main, filepath.ToSlash(l.shown), name), data), nil
}

// add parses a file and keeps it.
func (l *snapshot) add(name, shown string, data []byte) *sourceFile {
	l.files[name] = l.parse(name, shown, data)
	return l.files[name]
}

func (l *snapshot) parse(name, shown string, data []byte) *sourceFile {
	s := &sourceFile{name: name, shown: shown, variables: map[*syntax.Ident]*variable{}, globals: map[string]*variable{}}
	clean, err := script.Clean(data)
	if err != nil {
		s.lines = indexLines("")
		s.findings = append(s.findings, Finding{File: shown, Span: s.lines.span(0, 0), Rule: ruleSyntax, Severity: SeverityError, Message: err.Error()})
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
	isBuiltin := func(name string) bool { _, ok := l.builtins[name]; return ok }
	var names resolve.ErrorList
	if errors.As(resolve.File(tree, isBuiltin, starlark.Universe.Has), &names) {
		for _, n := range names {
			s.refuse(ruleName, n.Pos, n.Msg)
		}
	}
	s.findVariables()
	return s
}

func (s *sourceFile) refuse(rule string, at syntax.Position, message string) {
	from := s.lines.offset(placeOf(at))
	s.findings = append(s.findings, Finding{
		File: s.shown, Span: s.lines.span(from, s.wordEnd(from)), Rule: rule, Severity: SeverityError, Message: script.Advise(message),
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

// spanOf is the piece of a script that a part of the tree was made of.
func (s *sourceFile) spanOf(n syntax.Node) Span {
	from, to := n.Span()
	return Span{placeOf(from), placeOf(to)}
}

// variableOf returns what an identifier stands for; nil if it is no variable.
func (s *sourceFile) variableOf(id *syntax.Ident) *variable {
	if b, ok := id.Binding.(*resolve.Binding); ok && b.First != nil {
		return s.variables[b.First]
	}
	return nil
}

// isBuiltin reports whether an identifier stands for what every script has: a
// builtin of labrun or of Starlark, which it does not hide.
func isBuiltin(id *syntax.Ident) bool {
	b, ok := id.Binding.(*resolve.Binding)
	return ok && (b.Scope == resolve.Predeclared || b.Scope == resolve.Universal)
}

// growing are the methods that change a list or dict in place.
var mutators = regexp.MustCompile(`^(append|clear|extend|insert|pop|remove)$`)

// findVariables looks for every name that is given a value, and for its uses.
func (s *sourceFile) findVariables() {
	given := map[*syntax.Ident]bool{}
	give := func(id *syntax.Ident) *variable {
		given[id] = true
		first := id
		if b, ok := id.Binding.(*resolve.Binding); ok && b.First != nil {
			first = b.First
		}
		v := s.variables[first]
		if v == nil {
			v = &variable{name: first, home: s}
			s.variables[first] = v
		}
		v.assignments++
		return v
	}
	var giveAll func(x syntax.Expr)
	giveAll = func(x syntax.Expr) {
		switch x := x.(type) {
		case *syntax.Ident:
			give(x)
		case *syntax.ParenExpr:
			giveAll(x.X)
		case *syntax.TupleExpr:
			for _, item := range x.List {
				giveAll(item)
			}
		case *syntax.ListExpr:
			for _, item := range x.List {
				giveAll(item)
			}
		}
	}
	params := func(list []syntax.Expr) {
		for _, p := range list {
			switch p := p.(type) {
			case *syntax.Ident:
				give(p)
			case *syntax.BinaryExpr:
				giveAll(p.X)
			case *syntax.UnaryExpr:
				if p.X != nil {
					giveAll(p.X)
				}
			}
		}
	}
	syntax.Walk(s.tree, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.AssignStmt:
			if id, ok := n.LHS.(*syntax.Ident); ok && n.Op == syntax.EQ {
				give(id).value = n.RHS
			} else {
				giveAll(n.LHS)
			}
			if id, ok := n.LHS.(*syntax.Ident); ok && n.Op != syntax.EQ {
				give(id).mutated = true
			}
		case *syntax.DefStmt:
			give(n.Name).def = n
			params(n.Params)
		case *syntax.LambdaExpr:
			params(n.Params)
		case *syntax.ForStmt:
			giveAll(n.Vars)
		case *syntax.ForClause:
			giveAll(n.Vars)
		case *syntax.LoadStmt:
			for i, id := range n.To {
				v := give(id)
				v.load, v.remoteName = n, n.From[i]
				given[n.From[i]] = true
			}
		}
		return true
	})
	for _, v := range s.variables {
		if v.assignments > 1 {
			v.value, v.def, v.load = nil, nil, nil
		}
	}
	syntax.Walk(s.tree, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Ident:
			if v := s.variableOf(n); v != nil && !given[n] {
				v.reads++
			}
		case *syntax.DotExpr:
			if id, ok := n.X.(*syntax.Ident); ok && mutators.MatchString(n.Name.Name) {
				if v := s.variableOf(id); v != nil {
					v.mutated = true
				}
			}
		}
		return true
	})
	if m, ok := s.tree.Module.(*resolve.Module); ok {
		for _, b := range m.Globals {
			s.globals[b.First.Name] = s.variables[b.First]
		}
	}
	for _, stmt := range s.tree.Stmts {
		if load, ok := stmt.(*syntax.LoadStmt); ok {
			for _, id := range load.To {
				if v := s.variableOf(id); v != nil {
					s.globals[id.Name] = v
				}
			}
		}
	}
}

// target returns the file that a load statement names.
func (l *snapshot) target(s *sourceFile, load *syntax.LoadStmt) (*sourceFile, error) {
	name, err := script.Resolve(s.name, load.ModuleName())
	if err != nil {
		return nil, err
	}
	return l.open(name)
}

// follow goes from a loaded name to the variable in the file that has it.
func (l *snapshot) follow(v *variable) *variable {
	for range 16 { // files may load each other in a circle
		if v == nil || v.load == nil {
			return v
		}
		other, err := l.target(v.home, v.load)
		if err != nil {
			return nil
		}
		v = other.globals[v.remoteName.Name]
	}
	return nil
}

// function returns the definition of the function that an expression names.
func (l *snapshot) function(s *sourceFile, x syntax.Expr) (*sourceFile, *syntax.DefStmt) {
	for range 16 {
		id, ok := unparen(x).(*syntax.Ident)
		if !ok {
			return nil, nil
		}
		v := l.follow(s.variableOf(id))
		switch {
		case v == nil:
			return nil, nil
		case v.def != nil:
			return v.home, v.def
		case v.value == nil:
			return nil, nil
		}
		s, x = v.home, v.value
	}
	return nil, nil
}

// builtin returns the builtin that an expression names.
func (l *snapshot) builtin(x syntax.Expr) (builtins.Entry, bool) {
	id, ok := unparen(x).(*syntax.Ident)
	if !ok || !isBuiltin(id) {
		return builtins.Entry{}, false
	}
	e, ok := l.builtins[id.Name]
	return e, ok
}

func unparen(x syntax.Expr) syntax.Expr {
	for {
		p, ok := x.(*syntax.ParenExpr)
		if !ok {
			return x
		}
		x = p.X
	}
}

// docstring returns a function's docstring.
func docstring(def *syntax.DefStmt) (string, *syntax.Literal) { return leadingString(def.Body) }

// leadingString returns the docstring that a function or file begins with.
func leadingString(body []syntax.Stmt) (string, *syntax.Literal) {
	if len(body) == 0 {
		return "", nil
	}
	if stmt, ok := body[0].(*syntax.ExprStmt); ok {
		if lit, ok := stmt.X.(*syntax.Literal); ok && lit.Token == syntax.STRING {
			return strings.TrimSpace(lit.Value.(string)), lit
		}
	}
	return "", nil
}
