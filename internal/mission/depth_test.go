package mission

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
	for range 3 * mostNested {
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
		"a number": {one, 0}, "nothing": {nil, 0}, "an empty tuple": {starlark.Tuple{}, 0}, "a list": {list(one), 1}, "all kinds": {tuple(list(dict(fields(one)))), 4},
		"a method": {list(method(list(list(one)))), 4}, "shared": {shared, 100}, "in itself": {circle, 2}, "wide": {starlark.NewList(wide), 2}, "a chain": {chain, mostNested + 1},
	} {
		c := census{known: map[any]int{}}
		if got := c.depth(test.value, 0); got != test.want {
			t.Errorf("%s: depth %d, want %d", name, got, test.want)
		}
	}
}

// Wherever a script keeps what it nests, it is stopped before Go's stack overflows.
func TestNestingIsStopped(t *testing.T) {
	for name, lines := range map[string][]string{
		"a list that grows inside": {`tail = []`, `head = [tail]`, `for _ in range(2000000):`, `    inner = []`, `    tail.append(inner)`, `    tail = inner`, `say(str(head))`},
		"a parameter":              {`def deeper(x):`, `    return (x,)`, `x = ()`, `for _ in range(2000000):`, `    x = deeper(x)`, `say("%s" % (x,))`},
		"functions":                {`def keep(f):`, `    return lambda: f`, `f = keep(None)`, `for _ in range(2000000):`, `    f = keep(f)`},
		"a method":                 {`f = [].append`, `for _ in range(2000000):`, `    f = [f].append`},
		"a dict's missing key":     {`x = ()`, `for _ in range(2000000):`, `    x = (x,)`, `say({}[x])`},
		"a function's variable":    {`kept = [()]`, `def deeper():`, `    kept[0] = (kept[0],)`, `for _ in range(2000000):`, `    deeper()`, `assert_equal(kept, 1)`},
	} {
		m := load(t, folder("lab.star", script(lines...)))
		_, err := m.Run(t.Context(), openLab(t, m, nil), nil, Start{})
		if failed, ok := err.(*Error); !ok || failed.Kind != Script || failed.Message != "a value is nested more than 10000 levels deep" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
