package script

import (
	"testing"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// depths are of one value nested in another, as scripts can do it.
func TestDepth(t *testing.T) {
	list := func(v starlark.Value) starlark.Value { return starlark.NewList([]starlark.Value{starlark.None, v}) }
	dict := func(v starlark.Value) starlark.Value {
		d := starlark.NewDict(1)
		if err := d.SetKey(starlark.String("k"), v); err != nil {
			t.Fatal(err)
		}
		return d
	}
	method := func(v starlark.Value) starlark.Value {
		m, err := v.(starlark.HasAttrs).Attr("clear")
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	tuple := func(v starlark.Value) starlark.Value { return starlark.Tuple{v, starlark.None} }
	fields := func(v starlark.Value) starlark.Value {
		return starlarkstruct.FromStringDict(starlark.String("match"), starlark.StringDict{"groups": v})
	}
	one := starlark.Value(starlark.MakeInt(1))
	shared := one
	for range 100 { // without memory, this would take for ever
		shared = starlark.Tuple{shared, shared}
	}
	chain := one
	for range 3 * maxNested {
		chain = list(chain)
	}
	circle := starlark.NewList(nil)
	if err := circle.Append(starlark.Tuple{circle}); err != nil {
		t.Fatal(err)
	}
	wide := make([]starlark.Value, 1000)
	for i := range wide {
		wide[i] = starlark.NewList(nil)
	}
	for name, test := range map[string]struct {
		value starlark.Value
		want  int
	}{
		"a number":       {one, 0},
		"nothing":        {nil, 0},
		"an empty tuple": {starlark.Tuple{}, 0},
		"a list":         {list(one), 1},
		"all kinds":      {tuple(list(dict(fields(one)))), 4},
		"a method":       {list(method(list(list(one)))), 4},
		"shared":         {shared, 100},
		"in itself":      {circle, 2},
		"wide":           {starlark.NewList(wide), 2},
		"a chain":        {chain, maxNested + 1},
	} {
		c := census{known: map[any]int{}}
		if got := c.depth(test.value, 0); got != test.want {
			t.Errorf("%s: depth %d, want %d", name, got, test.want)
		}
	}
}
