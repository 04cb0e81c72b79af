package analysis

import (
	"strings"

	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
)

// param is one parameter of a function of a script.
type param struct {
	id       *syntax.Ident // nil: it is a star alone
	fallback syntax.Expr   // its default; nil if it has none
	star     string        // of *args and **kwargs: what is before the name
	byName   bool          // it comes after a star, and can be given by name only
}

// required reports whether a call has to give the parameter.
func (p param) required() bool { return p.id != nil && p.fallback == nil && p.star == "" }

// paramsOf takes the parameters of a function apart, which the parser leaves as expressions:
// name, name = default, *name, **name, and a star alone.
func paramsOf(list []syntax.Expr) (params []param) {
	byName := false
	for _, x := range list {
		p := param{byName: byName}
		switch x := x.(type) {
		case *syntax.Ident:
			p.id = x
		case *syntax.BinaryExpr:
			p.id, _ = x.X.(*syntax.Ident)
			p.fallback = x.Y
		case *syntax.UnaryExpr:
			byName = true
			p.id, _ = x.X.(*syntax.Ident)
			p.star = x.Op.String()
		}
		params = append(params, p)
	}
	return params
}

// signatureOf renders a function's first line.
func signatureOf(def *syntax.DefStmt) string {
	var params []string
	for _, p := range paramsOf(def.Params) {
		text := p.star
		if p.id != nil {
			text += p.id.Name
		}
		if p.fallback != nil {
			text += " = " + brief(p.fallback)
		}
		params = append(params, text)
	}
	return def.Name.Name + "(" + strings.Join(params, ", ") + ")"
}

// brief shows a default value, if that is short.
func brief(x syntax.Expr) string {
	switch x := x.(type) {
	case *syntax.Literal:
		if len(x.Raw) <= 40 {
			return x.Raw
		}
	case *syntax.Ident:
		return x.Name
	case *syntax.ListExpr:
		if len(x.List) == 0 {
			return "[]"
		}
	}
	return "…"
}

// ownParameters returns the parameters of a function of a script as those of a builtin that
// take anything.
func ownParameters(def *syntax.DefStmt) (params []builtins.Param) {
	for _, p := range paramsOf(def.Params) {
		if p.id == nil {
			continue
		}
		own := builtins.Param{Name: p.id.Name, Kind: builtins.Anything, Keyword: p.byName, Variadic: p.star != ""}
		if p.fallback != nil {
			own.Default = brief(p.fallback)
		}
		params = append(params, own)
	}
	return params
}

// docstring returns a function's docstring, and its literal; empty and nil if it has none.
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
