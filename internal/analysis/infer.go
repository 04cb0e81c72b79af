package analysis

import (
	"math/big"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/builtins"
)

// This is a small abstract interpreter: it finds out what an expression's value is in every
// run, as far as that can be told from the text. A value that is inferred is a constant of
// Starlark's, or of a known kind (builtins.Some), or it may be anything (builtins.Unknown).
// To widen a value is to keep only its kind, where constants need not be told apart, so
// that what is inferred stays small and comes to an end.

// maxDepth bounds how far the value of an expression is traced back.
const maxDepth = 32

// value returns what is known of an expression's value without running anything.
func (snap *snapshot) value(s *sourceFile, x syntax.Expr) starlark.Value {
	return snap.valueOf(s, x, maxDepth)
}

// kind returns the kind of an expression's value; empty if it is not known.
func (snap *snapshot) kind(s *sourceFile, x syntax.Expr) builtins.Kind {
	switch v := snap.value(s, x).(type) {
	case builtins.Some:
		return builtins.Kind(v)
	case starlark.String:
		return builtins.Text
	case starlark.Int:
		return builtins.Integer
	case starlark.Float:
		return builtins.Decimal
	case starlark.Bool:
		return builtins.Boolean
	case *starlark.List:
		return builtins.List
	case *starlark.Dict:
		return builtins.Dict
	case starlark.Tuple:
		return builtins.Tuple
	}
	return ""
}

// valueOf infers an expression's value. Depth is how many expressions within one another
// may still be looked at.
func (snap *snapshot) valueOf(s *sourceFile, x syntax.Expr, depth int) starlark.Value {
	if depth == 0 {
		return builtins.Unknown
	}
	switch x := unparen(x).(type) {
	case *syntax.Literal:
		return literal(x)
	case *syntax.Ident:
		return snap.valueOfName(s, x, depth-1)
	case *syntax.ListExpr:
		return starlark.NewList(snap.valuesOf(s, x.List, depth-1))
	case *syntax.TupleExpr:
		return starlark.Tuple(snap.valuesOf(s, x.List, depth-1))
	case *syntax.DictExpr:
		return builtins.Some(builtins.Dict)
	case *syntax.Comprehension:
		if x.Curly {
			return builtins.Some(builtins.Dict)
		}
		return builtins.Some(builtins.List)
	case *syntax.LambdaExpr:
		return builtins.Some(builtins.Function)
	case *syntax.UnaryExpr:
		return snap.unary(s, x, depth-1)
	case *syntax.BinaryExpr:
		return snap.binary(s, x, depth-1)
	case *syntax.CondExpr:
		a, b := widen(snap.valueOf(s, x.True, depth-1)), widen(snap.valueOf(s, x.False, depth-1))
		if a == b {
			return a
		}
	case *syntax.CallExpr:
		return snap.valueOfCall(s, x, depth-1)
	case *syntax.DotExpr:
		if t, ok := builtins.TypeOf(builtins.Kind(widen(snap.valueOf(s, x.X, depth-1)))); ok {
			for _, f := range t.Fields {
				if f.Name == x.Name.Name {
					return builtins.Some(f.Kind)
				}
			}
		}
	case *syntax.IndexExpr:
		return builtins.Some(itemKinds[builtins.Kind(widen(snap.valueOf(s, x.X, depth-1)))])
	}
	return builtins.Unknown
}

// itemKinds are the kinds of the items of values that have such; others are not known.
var itemKinds = map[builtins.Kind]builtins.Kind{
	builtins.Text:     builtins.Text,
	builtins.Texts:    builtins.Text,
	builtins.Leases:   builtins.Lease,
	builtins.Packets:  builtins.Packet,
	builtins.Machines: builtins.Machine,
}

func (snap *snapshot) valuesOf(s *sourceFile, list []syntax.Expr, depth int) []starlark.Value {
	values := make([]starlark.Value, len(list))
	for i, x := range list {
		values[i] = snap.valueOf(s, x, depth)
	}
	return values
}

func literal(x *syntax.Literal) starlark.Value {
	switch v := x.Value.(type) {
	case string:
		if x.Token == syntax.BYTES {
			return starlark.Bytes(v)
		}
		return starlark.String(v)
	case int64:
		return starlark.MakeInt64(v)
	case *big.Int:
		return starlark.MakeBigInt(v)
	case float64:
		return starlark.Float(v)
	}
	return builtins.Unknown
}

func (snap *snapshot) valueOfName(s *sourceFile, id *syntax.Ident, depth int) starlark.Value {
	if isBuiltin(id) {
		switch id.Name {
		case "True", "False":
			return starlark.Bool(id.Name == "True")
		case "None":
			return starlark.None
		}
		return builtins.Unknown
	}
	v := snap.follow(s.variableOf(id))
	switch {
	case v == nil:
		return builtins.Unknown
	case v.def != nil:
		return builtins.Some(builtins.Function)
	case v.value == nil:
		return builtins.Unknown
	}
	if v.known == nil {
		v.known = builtins.Unknown // if it refers to itself
		v.known = summary(snap.valueOf(v.home, v.value, depth), v.mutated)
	}
	return v.known
}

// summary returns what is remembered of a variable's value. Of a list that is mutated it is
// only that it is one. Of a list of lists as well: one that holds another twice, which holds
// another twice, is small in the text and grows without bounds here.
func summary(v starlark.Value, mutated bool) starlark.Value {
	var items starlark.Tuple
	kind := builtins.Some(builtins.List)
	switch v := v.(type) {
	case *starlark.List:
		if mutated {
			return kind
		}
		for item := range v.Elements() {
			items = append(items, item)
		}
	case starlark.Tuple:
		items, kind = v, builtins.Some(builtins.Tuple)
	}
	for _, item := range items {
		switch item.(type) {
		case *starlark.List, starlark.Tuple:
			return kind
		}
	}
	return v
}

func (snap *snapshot) unary(s *sourceFile, x *syntax.UnaryExpr, depth int) starlark.Value {
	if x.X == nil {
		return builtins.Unknown
	}
	switch v := snap.valueOf(s, x.X, depth).(type) {
	case starlark.Int:
		if x.Op == syntax.MINUS {
			return starlark.MakeInt(0).Sub(v)
		}
	case starlark.Float:
		if x.Op == syntax.MINUS {
			return -v
		}
	}
	if x.Op == syntax.NOT {
		return builtins.Some(builtins.Boolean)
	}
	return builtins.Unknown
}

func (snap *snapshot) binary(s *sourceFile, x *syntax.BinaryExpr, depth int) starlark.Value {
	switch x.Op {
	case syntax.EQL, syntax.NEQ, syntax.LT, syntax.GT, syntax.LE, syntax.GE, syntax.IN, syntax.NOT_IN:
		return builtins.Some(builtins.Boolean)
	}
	a, b := snap.valueOf(s, x.X, depth), snap.valueOf(s, x.Y, depth)
	text, integer := builtins.Some(builtins.Text), builtins.Some(builtins.Integer)
	first, isText := a.(starlark.String)
	second, andText := b.(starlark.String)
	switch x.Op {
	case syntax.PLUS:
		if isText && andText && len(first)+len(second) < 1<<12 {
			return first + second
		}
		// Whatever is added to a string that works is a string.
		if widen(a) == text || widen(b) == text {
			return text
		}
	case syntax.PERCENT:
		if widen(a) == text {
			return text
		}
	}
	switch x.Op {
	case syntax.PLUS, syntax.MINUS, syntax.STAR, syntax.SLASHSLASH, syntax.PERCENT:
		if widen(a) == integer && widen(b) == integer {
			return integer
		}
	}
	return builtins.Unknown
}

// results are the kinds of what Starlark's own functions return and, with a dot, the
// methods of strings.
var results = map[string]builtins.Kind{
	"len":     builtins.Integer,
	"int":     builtins.Integer,
	"ord":     builtins.Integer,
	"hash":    builtins.Integer,
	"str":     builtins.Text,
	"repr":    builtins.Text,
	"chr":     builtins.Text,
	"type":    builtins.Text,
	"bool":    builtins.Boolean,
	"all":     builtins.Boolean,
	"any":     builtins.Boolean,
	"hasattr": builtins.Boolean,
	"float":   builtins.Decimal,
	"dict":    builtins.Dict,
	"list":    builtins.List,
	"sorted":  builtins.List,
	"tuple":   builtins.Tuple,

	".join":         builtins.Text,
	".strip":        builtins.Text,
	".lstrip":       builtins.Text,
	".rstrip":       builtins.Text,
	".format":       builtins.Text,
	".lower":        builtins.Text,
	".upper":        builtins.Text,
	".replace":      builtins.Text,
	".title":        builtins.Text,
	".capitalize":   builtins.Text,
	".removeprefix": builtins.Text,
	".removesuffix": builtins.Text,
	".split":        builtins.Texts,
	".rsplit":       builtins.Texts,
	".splitlines":   builtins.Texts,
	".startswith":   builtins.Boolean,
	".endswith":     builtins.Boolean,
	".find":         builtins.Integer,
	".count":        builtins.Integer,
}

func (snap *snapshot) valueOfCall(s *sourceFile, x *syntax.CallExpr, depth int) starlark.Value {
	if e, ok := snap.builtin(x.Fn); ok {
		if e.Result == "" {
			return starlark.None
		}
		return builtins.Some(e.Result)
	}
	switch fn := unparen(x.Fn).(type) {
	case *syntax.Ident:
		if isBuiltin(fn) {
			return builtins.Some(results[fn.Name])
		}
		if v := snap.follow(s.variableOf(fn)); v != nil && v.def != nil {
			return snap.returned(v, depth)
		}
	case *syntax.DotExpr:
		if widen(snap.valueOf(s, fn.X, depth)) == builtins.Some(builtins.Text) {
			return builtins.Some(results["."+fn.Name.Name])
		}
	}
	return builtins.Unknown
}

// returned is what is known of what a function of the script returns: what all its return
// statements have in common.
func (snap *snapshot) returned(v *variable, depth int) starlark.Value {
	if v.result != nil {
		return v.result
	}
	v.result = builtins.Unknown // if it calls itself
	var all []starlark.Value
	for _, stmt := range v.def.Body {
		syntax.Walk(stmt, func(node syntax.Node) bool {
			switch node := node.(type) {
			case *syntax.DefStmt, *syntax.LambdaExpr:
				return false
			case *syntax.ReturnStmt:
				if node.Result == nil {
					all = append(all, starlark.None)
				} else {
					all = append(all, snap.valueOf(v.home, node.Result, depth))
				}
			}
			return true
		})
	}
	if _, ends := v.def.Body[len(v.def.Body)-1].(*syntax.ReturnStmt); !ends {
		all = append(all, starlark.None) // it may come to its end
	}
	result := widenReturn(all[0])
	for _, other := range all[1:] {
		if widenReturn(other) != result {
			result = builtins.Unknown
		}
	}
	v.result = result
	return result
}

// widenReturn is widen for what a function returns: None and truth values count, so that a
// function that sometimes returns nothing is told from one that always does.
func widenReturn(v starlark.Value) starlark.Value {
	switch v.(type) {
	case starlark.NoneType:
		return v
	case starlark.Bool:
		return builtins.Some(builtins.Boolean)
	}
	return widen(v)
}

// widen returns a value's kind if that is text, a number, or what only its kind is known of
// anyway; else Unknown. Other constants decide nothing here.
func widen(v starlark.Value) builtins.Some {
	switch v := v.(type) {
	case builtins.Some:
		return v
	case starlark.String:
		return builtins.Some(builtins.Text)
	case starlark.Int:
		return builtins.Some(builtins.Integer)
	}
	return builtins.Unknown
}
