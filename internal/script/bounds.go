package script

import (
	"fmt"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// An operation of the interpreter's own counts as one step, however much it copies, and
// cannot be stopped. So the two kinds that make much out of little, products and functions
// that go through a range, are looked at before they begin. These bounds are far above what
// a lab needs.
const (
	maxItems = 1 << 24 // of a list or tuple that one operation makes: 256 MiB
	maxBytes = 1 << 28 // of a string likewise
	maxBits  = 1 << 20 // of a product
)

// iterating are Starlark's functions that go through all of their arguments, which may
// be a range of any length.
var iterating = []string{
	"all", "any", "dict", "enumerate", "list", "max", "min", "reversed", "set", "sorted", "tuple", "zip",
}

// factorName is the function that limitProducts has scripts call. No script can call it by
// itself: it is no identifier.
const factorName = "·factor"

// native is the type of the Go functions that scripts can call.
type native = func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error)

// bounded adds to the names that a script starts with Starlark's own functions, with bounds
// on what they take.
func bounded(names starlark.StringDict) starlark.StringDict {
	names[factorName] = starlark.NewBuiltin(factorName,
		func(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
			return factor{args[0]}, nil
		})
	for _, name := range iterating {
		names[name] = starlark.NewBuiltin(name, boundedCall(starlark.Universe[name].(*starlark.Builtin)))
	}
	return names
}

// boundedCall is a function that calls another if its arguments have few enough items.
func boundedCall(f *starlark.Builtin) native {
	return func(
		thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple,
	) (starlark.Value, error) {
		for _, v := range args {
			if n := starlark.Len(v); n > maxItems {
				return nil, fmt.Errorf("%s: %d items are too many: at most %d are possible", f.Name(), n, maxItems)
			}
		}
		return f.CallInternal(thread, args, kwargs)
	}
}

// limitProducts has every multiplication of a script be looked at: the parsed x * y becomes
// x * factor(y), and a factor decides whether to multiply.
func limitProducts(file *syntax.File) {
	wrap := func(x syntax.Expr, at syntax.Position) syntax.Expr {
		name := &syntax.Ident{NamePos: at, Name: factorName}
		return &syntax.CallExpr{Fn: name, Lparen: at, Args: []syntax.Expr{x}, Rparen: at}
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
	if err := checkProduct(left, f.Value); err != nil {
		return nil, err
	}
	return starlark.Binary(op, left, f.Value)
}

// checkProduct refuses a product that would be too large: of two numbers, or of a text or
// list and how often it is repeated, in either order.
func checkProduct(x, y starlark.Value) error {
	times, ok := y.(starlark.Int)
	if !ok {
		if times, ok = x.(starlark.Int); !ok {
			return nil // fractions stay small, and all else does not multiply
		}
		x = y
	}
	if other, ok := x.(starlark.Int); ok {
		if other.BigInt().BitLen()+times.BigInt().BitLen() > maxBits {
			return fmt.Errorf("the product has more than %d bits", maxBits)
		}
		return nil
	}
	limit, what := int64(maxItems), "items"
	switch x.(type) {
	case starlark.String, starlark.Bytes:
		limit, what = maxBytes, "bytes"
	}
	n := int64(starlark.Len(x))
	if count, ok := times.Int64(); n > 0 && (!ok && times.Sign() > 0 || count > limit/n) {
		return fmt.Errorf("%s times over, the %s would have more than %d %s", times, x.Type(), limit, what)
	}
	return nil
}
