package script

import (
	"fmt"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// An operation of the interpreter's own counts as one step, and while it copies
// gigabytes nothing else in labrun runs, so that it can only be looked at before. These
// bounds are far above what a lab needs.
const (
	mostItems = 1 << 24 // of a list or tuple that one operation makes: 256 MiB
	mostBytes = 1 << 28 // of a string likewise
	mostBits  = 1 << 20 // of a product
)

// swallowing are Starlark's functions that go through all of their arguments, which may
// be a range of any length.
var swallowing = []string{"all", "any", "dict", "enumerate", "list", "max", "min", "reversed", "set", "sorted", "tuple", "zip"}

// factorName is what bound calls; no script can.
const factorName = "·factor"

// bounded returns the names that a script starts with, with bounds on what Starlark's
// own functions take.
func bounded(names starlark.StringDict) starlark.StringDict {
	names[factorName] = starlark.NewBuiltin(factorName, func(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		return factor{args[0]}, nil
	})
	for _, name := range swallowing {
		original := starlark.Universe[name].(*starlark.Builtin)
		names[name] = starlark.NewBuiltin(name, func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			for _, v := range args {
				if n := starlark.Len(v); n > mostItems {
					return nil, fmt.Errorf("%s: %d items are too many: at most %d are possible", name, n, mostItems)
				}
			}
			return original.CallInternal(thread, args, kwargs)
		})
	}
	return names
}

// bound has every multiplication of a script be looked at: its right side becomes a
// factor.
func bound(file *syntax.File) {
	wrap := func(x syntax.Expr, at syntax.Position) syntax.Expr {
		return &syntax.CallExpr{Fn: &syntax.Ident{NamePos: at, Name: factorName}, Lparen: at, Args: []syntax.Expr{x}, Rparen: at}
	}
	syntax.Walk(file, func(node syntax.Node) bool {
		switch n := node.(type) {
		case *syntax.BinaryExpr:
			if n.Op == syntax.STAR {
				n.Y = wrap(n.Y, n.OpPos)
			}
		case *syntax.AssignStmt:
			if n.Op == syntax.STAR_EQ {
				n.RHS = wrap(n.RHS, n.OpPos)
			}
		}
		return true
	})
}

// factor is the right side of a multiplication.
type factor struct{ starlark.Value }

// Binary multiplies, if what comes out is not too large.
func (f factor) Binary(op syntax.Token, left starlark.Value, _ starlark.Side) (starlark.Value, error) {
	if err := tooMuch(left, f.Value); err != nil {
		return nil, err
	}
	return starlark.Binary(op, left, f.Value)
}

func tooMuch(x, y starlark.Value) error {
	times, ok := y.(starlark.Int)
	if !ok {
		if times, ok = x.(starlark.Int); !ok {
			return nil
		}
		x = y
	}
	if other, ok := x.(starlark.Int); ok {
		if other.BigInt().BitLen()+times.BigInt().BitLen() > mostBits {
			return fmt.Errorf("the product has more than %d bits", mostBits)
		}
		return nil
	}
	most, what := int64(mostItems), "items"
	switch x.(type) {
	case starlark.String, starlark.Bytes:
		most, what = mostBytes, "bytes"
	}
	n := int64(starlark.Len(x))
	if count, ok := times.Int64(); n > 0 && (!ok && times.Sign() > 0 || count > most/n) {
		return fmt.Errorf("%s times over, the %s would have more than %d %s", times, x.Type(), most, what)
	}
	return nil
}
