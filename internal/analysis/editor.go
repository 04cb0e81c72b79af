package analysis

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/script"
)

// Draft is a script that is being written, for editors. It may be broken at any
// place. Looking at it runs nothing; Load alone does. It is used by one goroutine
// at a time.
type Draft struct {
	files *snapshot
	file  *sourceFile
}

// NewDraft returns the script called name in folder, whose text is not yet saved
// there; shown is what messages call it. The files that it loads are read from
// folder. Images are the names that its machines may boot from.
func NewDraft(folder fs.FS, name, shown, text string, images Images) *Draft {
	snap := newSnapshot(folder, name, shown, images)
	return &Draft{files: snap, file: snap.add(name, shown, []byte(text))}
}

// Name returns the script's name in its folder.
func (d *Draft) Name() string { return d.file.name }

// IsMission reports whether the script declares a mission, and is no file for
// others to load.
func (d *Draft) IsMission() bool { return d.files.isMission(d.file) }

// Findings returns what Lint finds in this file.
func (d *Draft) Findings() (own []Finding) {
	for _, f := range d.files.lint(d.file) {
		if f.File != d.file.shown {
			continue
		}
		if f.Rule == ruleSyntax {
			f.Span = d.file.refusedToken(f.Span)
		}
		own = append(own, f)
	}
	return own
}

// refusedToken returns the span of the token that the parser refuses, or of the last one of
// the line whose end it refuses. The parser stops behind it.
func (f *sourceFile) refusedToken(stop Span) Span {
	at := f.lines.offset(stop.From)
	for i, t := range f.tokens {
		switch {
		case t.To != at:
		case t.Kind != script.LineToken:
			return f.lines.span(t.From, t.To)
		case i > 0:
			return f.lines.span(f.tokens[i-1].From, f.tokens[i-1].To)
		}
	}
	return stop
}

// Load loads the mission as its folder has it and returns what is wrong with its
// declarations in this file.
func (d *Draft) Load(ctx context.Context) (own []Finding) {
	_, err := script.Load(
		ctx, d.files.folder, d.file.name, d.file.shown, script.Options{Images: d.files.images.Names()},
	)
	if err == nil || errors.Is(err, script.ErrUnreadable) || ctx.Err() != nil {
		return nil
	}
	for _, f := range Findings(err) {
		if f.File == d.file.shown {
			own = append(own, f)
		}
	}
	return own
}

// nodesAt returns the nodes of the tree that a place is in, the outermost first.
func (f *sourceFile) nodesAt(place Place) (path []syntax.Node) {
	if f.tree == nil {
		return nil
	}
	syntax.Walk(f.tree, func(n syntax.Node) bool {
		if n == nil {
			return false
		}
		if _, ok := n.(*syntax.File); ok {
			return true
		}
		inside := f.spanOf(n).touches(place)
		if inside {
			path = append(path, n)
		}
		return inside
	})
	return path
}

// Location is a place in a file of the mission's folder.
type Location struct {
	File string // its name in the folder
	Span Span
}

// Definition returns where the name at a place gets its meaning: in this file, or
// in one that it loads. Labrun's own names, its libraries' too, are defined nowhere
// that an editor could open.
func (d *Draft) Definition(place Place) (Location, bool) {
	f := d.recovered(place.Line)
	for _, n := range f.nodesAt(place) {
		load, ok := n.(*syntax.LoadStmt)
		if !ok {
			continue
		}
		other, err := d.files.target(f, load)
		if err != nil {
			return Location{}, false
		}
		for i := range load.From {
			// A loaded name that is not renamed is one string, with quotation marks.
			span := f.spanOf(load.From[i])
			span.To.Column++
			if v := other.globals[load.From[i].Name]; v != nil && span.touches(place) {
				return d.locate(d.files.follow(v))
			}
		}
		if f.spanOf(load.Module).touches(place) {
			return Location{File: other.name, Span: Span{Place{1, 1}, Place{1, 1}}}, !script.InLibrary(other.name)
		}
	}
	if id, ok := f.identifier(place); ok {
		return d.locate(d.files.follow(f.variableOf(id)))
	}
	return Location{}, false
}

// locate returns where a variable is first given its value.
func (d *Draft) locate(v *variable) (Location, bool) {
	if v == nil {
		return Location{}, false
	}
	return Location{File: v.home.name, Span: v.home.spanOf(v.name)}, !script.InLibrary(v.home.name)
}

// identifier returns the identifier at a place.
func (f *sourceFile) identifier(place Place) (*syntax.Ident, bool) {
	path := f.nodesAt(place)
	if len(path) == 0 {
		return nil, false
	}
	id, ok := path[len(path)-1].(*syntax.Ident)
	return id, ok
}

// Hover returns what there is to say about the name at a place, as Markdown, and
// the name's span; false if there is nothing.
func (d *Draft) Hover(place Place) (text string, span Span, ok bool) {
	f := d.recovered(place.Line)
	id, ok := f.identifier(place)
	if !ok {
		return "", Span{}, false
	}
	text = d.describe(f, id, f.nodesAt(place))
	return text, f.spanOf(id), text != ""
}

// describe documents an identifier; path are the nodes that it is in, itself the last. It may
// be the name of an argument, that of a field, or stand for something by itself.
func (d *Draft) describe(f *sourceFile, id *syntax.Ident, path []syntax.Node) string {
	for i := len(path) - 2; i >= 0; i-- {
		switch outer := path[i].(type) {
		case *syntax.BinaryExpr:
			if name, _ := named(outer); name != id || i == 0 {
				continue
			}
			if call, ok := path[i-1].(*syntax.CallExpr); ok {
				return d.argumentDoc(call, id.Name)
			}
		case *syntax.DotExpr:
			if outer.Name == id {
				return fieldDoc(d.files.kind(f, outer.X), id.Name)
			}
		}
	}
	return d.nameDoc(f, id)
}

// argumentDoc documents what a call gives by name; empty if that is no builtin's.
func (d *Draft) argumentDoc(call *syntax.CallExpr, name string) string {
	if e, ok := d.files.builtin(call.Fn); ok {
		for _, p := range e.Params {
			if p.Name == name {
				return parameterDoc(p)
			}
		}
	}
	return ""
}

// parameterDoc documents a builtin's parameter, as Markdown.
func parameterDoc(p builtins.Param) string {
	text := fmt.Sprintf("`%s` (%s): %s", p.Name, p.Kind, p.Doc)
	if p.Default != "" {
		text += fmt.Sprintf("; if not given, `%s`", p.Default)
	}
	return text
}

// fieldDoc documents a field of a kind of value; empty if there is none of that name.
func fieldDoc(kind builtins.Kind, name string) string {
	t, _ := builtins.TypeOf(kind)
	for _, f := range t.Fields {
		if f.Name == name {
			return fmt.Sprintf("`%s` (%s) of a %s: %s", name, f.Kind, kind, f.Doc)
		}
	}
	return ""
}

// nameDoc documents what a name stands for.
func (d *Draft) nameDoc(f *sourceFile, id *syntax.Ident) string {
	if isBuiltin(id) {
		if e, ok := d.files.builtins[id.Name]; ok {
			return e.Doc()
		}
		return ""
	}
	v := d.files.follow(f.variableOf(id))
	switch {
	case v == nil:
		return ""
	case v.def != nil:
		return functionDoc(v.def)
	case v.value == nil:
		return ""
	}
	// A declaration says most about what it declares.
	span := v.home.spanOf(v.value)
	source := v.home.lines.text[v.home.lines.offset(span.From):v.home.lines.offset(span.To)]
	if first, _, more := strings.Cut(source, "\n"); more {
		source = strings.TrimSpace(first) + " …"
	}
	text := fmt.Sprintf("```python\n%s = %s\n```", v.name.Name, source)
	if kind := d.files.kind(v.home, v.value); kind != "" {
		text += fmt.Sprintf("\n\n%s %s", strings.ToUpper(article(kind)[:1])+article(kind)[1:], kind)
	}
	if v.home != f && v.home.name != f.name {
		text += ", from " + v.home.name
	}
	return text
}

func article(kind builtins.Kind) string {
	if strings.ContainsRune("aeiou", rune(kind[0])) {
		return "an"
	}
	return "a"
}

// functionDoc documents a function of a script by its docstring.
func functionDoc(def *syntax.DefStmt) string {
	text := "```python\n" + signatureOf(def) + "\n```"
	if doc, _ := docstring(def); doc != "" {
		title, rest, _ := strings.Cut(doc, "\n")
		text += "\n\n" + strings.TrimSpace(title)
		if rest = builtins.Dedent(rest); rest != "" {
			text += "\n\n" + rest
		}
	}
	return text
}

// Symbol is what an outline of a script lists.
type Symbol struct {
	Name, Detail string
	Kind         string // step, function, machine, network or variable
	Span         Span   // all of it
	Title        Span   // its name
}

// Outline returns the script's steps, functions, machines, networks and other
// names, in the order of the text. A step is called by its title.
func (d *Draft) Outline() (symbols []Symbol) {
	f := d.recovered(len(d.file.lines.starts))
	if f.tree == nil {
		return nil
	}
	n := &linter{snapshot: d.files, source: f}
	n.findSteps(f, map[*sourceFile]bool{})
	for _, stmt := range f.tree.Stmts {
		switch stmt := stmt.(type) {
		case *syntax.DefStmt:
			symbols = append(symbols, n.functionSymbol(stmt))
		case *syntax.AssignStmt:
			id, ok := stmt.LHS.(*syntax.Ident)
			if !ok {
				continue
			}
			kind := "variable"
			if what := n.declares(stmt.RHS); what != "" {
				kind = what
			}
			symbols = append(symbols, Symbol{
				Name: id.Name, Detail: kind, Kind: kind, Span: f.spanOf(stmt), Title: f.spanOf(id),
			})
		}
	}
	return symbols
}

// functionSymbol is a function of the linter's script in an outline.
func (n *linter) functionSymbol(def *syntax.DefStmt) Symbol {
	symbol := Symbol{
		Name: def.Name.Name, Detail: signatureOf(def), Kind: "function",
		Span: n.source.spanOf(def), Title: n.source.spanOf(def.Name),
	}
	isStep := slices.ContainsFunc(n.steps, func(s declaredStep) bool { return s.def == def })
	if doc, _ := docstring(def); isStep && doc != "" {
		title, _, _ := strings.Cut(doc, "\n")
		symbol.Name, symbol.Detail, symbol.Kind = strings.TrimSpace(title), def.Name.Name, "step"
	}
	return symbol
}
