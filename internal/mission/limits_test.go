package mission

import "testing"

// Wherever a script keeps what it nests, it is stopped before Go's stack overflows.
func TestNestingIsStopped(t *testing.T) {
	for name, lines := range map[string][]string{
		"a list that grows inside": {
			`tail = []`, `head = [tail]`,
			`for _ in range(2000000):`, `    inner = []`, `    tail.append(inner)`, `    tail = inner`,
			`say(str(head))`,
		},
		"a parameter": {
			`def deeper(x):`, `    return (x,)`,
			`x = ()`, `for _ in range(2000000):`, `    x = deeper(x)`, `say("%s" % (x,))`,
		},
		"functions": {
			`def keep(f):`, `    return lambda: f`,
			`f = keep(None)`, `for _ in range(2000000):`, `    f = keep(f)`,
		},
		"a method":             {`f = [].append`, `for _ in range(2000000):`, `    f = [f].append`},
		"a dict's missing key": {`x = ()`, `for _ in range(2000000):`, `    x = (x,)`, `say({}[x])`},
		"a function's variable": {
			`kept = [()]`, `def deeper():`, `    kept[0] = (kept[0],)`,
			`for _ in range(2000000):`, `    deeper()`, `assert_equal(kept, 1)`,
		},
	} {
		m := load(t, folder("lab.star", scriptOf(lines...)))
		_, err := m.Run(t.Context(), openLab(t, m, nil), nil, Start{})
		if failed, ok := err.(*Error); !ok || failed.Kind != Script ||
			failed.Message != "a value is nested more than 10000 levels deep" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProductsAreBounded(t *testing.T) {
	m := load(t, folder("lab.star", scriptOf(
		`x = 2`,
		`x *= 3`,
		`assert_equal([x, 3 * 5, 2.5 * 2, "ab" * 2, 2 * "ab", [1] * 2, 2 * (1,), [0] * -5, "x" * 0], [6, 15, 5.0, "abab", "abab", [1, 1], (1, 1), [], ""])`,
		`assert_equal([list(range(3)), sorted([2, 1]), max(1, 2), dict(a = 1), zip([1], [2])], [[0, 1, 2], [1, 2], 2, {"a": 1}, [(1, 2)]])`,
		`x = "a" * "b"`,
	)))
	_, err := m.Run(t.Context(), openLab(t, m, nil), nil, Start{})
	if err == nil || err.Error() != "lab.star:9:13: unknown binary op: string * string" {
		t.Errorf("error %v", err)
	}
}
