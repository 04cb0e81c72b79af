package builtins

import (
	"strings"
	"testing"
	"time"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/lab"
)

// sample is an entry with every sort of parameter.
var sample = Entry{Name: "sample", Params: []Param{
	{Name: "first", Kind: Text},
	{Name: "second", Kind: Integer, Default: "2"},
	{Name: "card", Kind: Network, Default: "None"},
	{Name: "flag", Kind: Boolean, Default: "False", Keyword: true},
}}

// spread is an entry with a variadic parameter.
var spread = Entry{Name: "spread", Params: []Param{
	{Name: "first", Kind: Text},
	{Name: "rest", Kind: Text, Variadic: true},
	{Name: "hint", Kind: Text, Default: `""`, Keyword: true},
}}

func text(s string) starlark.Value { return starlark.String(s) }

func keyword(name string, v starlark.Value) starlark.Tuple {
	return starlark.Tuple{starlark.String(name), v}
}

func TestBind(t *testing.T) {
	two := starlark.MakeInt(2)
	tests := []struct {
		name       string
		entry      Entry
		positional starlark.Tuple
		keywords   []starlark.Tuple
		want       string // the bound arguments, or the error
	}{
		{"by position", sample, starlark.Tuple{text("a"), two}, nil, `first="a" second=2`},
		{"by name", sample, nil, []starlark.Tuple{keyword("second", two), keyword("first", text("a"))}, `first="a" second=2`},
		{"mixed", sample, starlark.Tuple{text("a")}, []starlark.Tuple{keyword("flag", starlark.True)}, `first="a" flag=True`},
		{"None for an optional value", sample, starlark.Tuple{text("a"), two, starlark.None}, nil, `first="a" second=2`},
		{"None where there is another default", sample, starlark.Tuple{text("a"), starlark.None}, nil, `sample: second: want an int, got None`},
		{"None for a required value", sample, starlark.Tuple{starlark.None}, nil, `sample: first: want a string, got None`},
		{"missing", sample, nil, nil, `sample: first is missing: it is sample(first, second = 2, card = None, *, flag = False)`},
		{"too many", sample, starlark.Tuple{text("a"), two, starlark.None, starlark.True}, nil, `sample: 4 arguments are too many: it is sample(first, second = 2, card = None, *, flag = False)`},
		{"twice", sample, starlark.Tuple{text("a")}, []starlark.Tuple{keyword("first", text("b"))}, `sample: first is given twice`},
		{"unknown name", sample, nil, []starlark.Tuple{keyword("frist", text("a"))}, `sample: no parameter is called "frist" (did you mean first?): it is sample(first, second = 2, card = None, *, flag = False)`},
		{"unknown name, nothing near", sample, nil, []starlark.Tuple{keyword("timeout", two)}, `sample: no parameter is called "timeout": it is sample(first, second = 2, card = None, *, flag = False)`},
		{"wrong kind", sample, starlark.Tuple{two}, nil, `sample: first: want a string, got int 2`},
		{"wrong kind by name", sample, starlark.Tuple{text("a")}, []starlark.Tuple{keyword("flag", two)}, `sample: flag: want a bool, got int 2`},
		{"none left over", spread, starlark.Tuple{text("a")}, nil, `first="a" rest=()`},
		{"some left over", spread, starlark.Tuple{text("a"), text("b"), text("c")}, []starlark.Tuple{keyword("hint", text("h"))}, `first="a" rest=("b", "c") hint="h"`},
		{"wrong kind left over", spread, starlark.Tuple{text("a"), text("b"), two}, nil, `spread: rest: item 2: want a string, got int 2`},
		{"left over by name", spread, starlark.Tuple{text("a")}, []starlark.Tuple{keyword("rest", stringList([]string{"b"}))}, `spread: rest cannot be given by name: it is spread(first, *rest, hint = "")`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			args, err := bind(&test.entry, test.positional, test.keywords)
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				var parts []string
				for _, p := range test.entry.Params {
					if v, ok := args[p.Name]; ok {
						parts = append(parts, p.Name+"="+v.String())
					}
				}
				got = strings.Join(parts, " ")
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestMisfit(t *testing.T) {
	vm := &machine{config: lab.MachineConfig{Name: "debian"}}
	lan, out, shell := &network{label: "lan"}, &uplink{label: "uplink0"}, &terminal{}
	niko := &seat{of: vm, config: lab.ConsoleConfig{Name: "niko"}}
	seven, long := starlark.MakeInt(7), starlark.String(strings.Repeat("菜", 60))
	list := func(values ...starlark.Value) starlark.Value { return starlark.NewList(values) }
	tests := []struct {
		kind Kind
		v    starlark.Value
		want string // empty: it fits
	}{
		{Machine, vm, ""},
		{Machine, text("debian"), `want a machine, got string "debian"`},
		{Machine, lan, `want a machine, got network("lan")`},
		{Network, lan, ""},
		{Network, out, `want a network, got uplink("uplink0")`},
		{Console, vm, ""},
		{Console, shell, ""},
		{Console, niko, ""},
		{Subject, niko, ""},
		{Entrance, niko, ""},
		{Entrance, lan, "want a machine or console, got network(\"lan\")"},
		{Machine, niko, "want a machine, got console(\"debian/niko\"): the machine that it is one of is its .machine"},
		{Console, lan, `want a machine, console or terminal, got network("lan")`},
		{Subject, vm, ""},
		{Subject, text("lan0"), ""},
		{Subject, seven, `want a machine, console, terminal or string, got int 7`},
		{Machines, list(vm, vm), ""},
		{Machines, starlark.Tuple{vm}, ""},
		{Machines, list(), ""},
		{Machines, vm, `want a list of machines, got machine("debian")`},
		{Machines, list(vm, lan), `want a list of machines, and item 2 is network("lan")`},
		{Cards, list(out, lan), ""},
		{Cards, list(vm), `want a list of networks and uplinks, and item 1 is machine("debian")`},
		{Texts, list(text("a")), ""},
		{Texts, list(text("a"), seven), `want a list of strings, and item 2 is int 7`},
		{Texts, starlark.NewDict(0), `want a list of strings, got dict {}`},
		{Answers, list(text("a"), starlark.Tuple{text("a"), text("why")}), ""},
		{Answers, list(starlark.Tuple{text("a")}), `want a list of answers, each a string or a function, or (that, why it must fail), and item 1 is tuple ("a",)`},
		{Answers, starlark.NewDict(0), `want a list of answers, each a string or a function, or (that, why it must fail), got dict {}`},
		{Text, text(""), ""},
		{Text, starlark.Bytes("a"), `want a string, got bytes b"a"`},
		{Text, list(long), `want a string, got list ["` + strings.Repeat("菜", 38) + "…"},
		{Integer, seven, ""},
		{Integer, starlark.True, `want an int, got bool True`},
		{Integer, starlark.Float(7), `want an int, got float 7.0`},
		{Integer, starlark.MakeInt64(1 << 40), `1099511627776 is out of range`},
		{Boolean, starlark.False, ""},
		{Boolean, seven, `want a bool, got int 7`},
		{Function, &starlark.Function{}, ""},
		{Function, starlark.None, `want a function, got None: give the function's name without parentheses, which would call it`},
		{Pattern, text(`inet (\d+)`), ""},
		{Pattern, seven, `want a regular expression, got int 7`},
		{Pattern, text(`inet (`), "error parsing regexp: missing closing ): `inet (`"},
		{Duration, seven, ""},
		{Duration, starlark.Float(0.5), ""},
		{Duration, text("1m30s"), ""},
		{Duration, text("24h"), ""},
		{Duration, text("90"), `"90" is no duration: write seconds, or a string such as "1m30s"`},
		{Duration, text("25h"), `"25h" is out of range: from above 0 to 24 hours`},
		{Duration, starlark.MakeInt(0), `0 is out of range: from above 0 to 24 hours`},
		{Duration, starlark.Float(1e300), `1e+300 is out of range: from above 0 to 24 hours`},
		{Duration, starlark.None, `want seconds or a string such as "1m30s", got None`},
		{Anything, starlark.None, ""},
		{Condition, starlark.None, ""},
	}
	for _, test := range tests {
		if got := test.kind.misfit(test.v); got != test.want {
			t.Errorf("%s as %s: %q, want %q", test.v, test.kind, got, test.want)
		}
	}
}

func TestSignature(t *testing.T) {
	tests := map[string]string{
		"host_cpus":       `host_cpus()`,
		"boot":            `boot(*machines, student = True)`,
		"network":         `network(name)`,
		"send":            `send(on, text, enter = True)`,
		"wait_prompt":     `wait_prompt(on, *, timeout = 180)`,
		"assert_contains": `assert_contains(subject, *texts, hint = "", timeout = 60)`,
		"run":             `run(machine, command, check = False, *, hint = "", timeout = 60)`,
	}
	for _, e := range Table() {
		if want, ok := tests[e.Name]; ok && e.Signature() != want {
			t.Errorf("%s, want %s", e.Signature(), want)
		}
		delete(tests, e.Name)
	}
	if len(tests) > 0 {
		t.Errorf("not in the table: %v", tests)
	}
}

func TestSuggest(t *testing.T) {
	names := []string{"boot", "reboot", "debian", "wait_prompt", "wait_for"}
	tests := map[string]string{
		"boto":        " (did you mean boot?)",
		"debain":      " (did you mean debian?)",
		"Debian":      " (did you mean debian?)",
		"wait_promt":  " (did you mean wait_prompt?)",
		"waitprompt":  " (did you mean wait_prompt?)",
		"photograph":  "",
		"x":           "",
		"":            "",
		"wait_for_it": " (did you mean wait_for?)",
	}
	for name, want := range tests {
		if got := Suggest(name, names); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", name, got, want)
		}
	}
	if got := Suggest("boot", nil); got != "" {
		t.Errorf("without names: %q, want nothing", got)
	}
}

func TestDefaultsReachTheCall(t *testing.T) {
	e := Entry{Name: "sample", Params: []Param{
		{Name: "text", Kind: Text, Default: `"up\"link"`}, {Name: "n", Kind: Integer, Default: "420"},
		{Name: "flag", Kind: Boolean, Default: "True"}, {Name: "timeout", Kind: Duration, Default: "1.5"}, {Name: "list", Kind: Texts, Default: "[]"},
	}}
	c := &call{entry: &e, args: map[string]starlark.Value{}}
	if c.text("text") != `up"link` || c.integer("n") != 420 || !c.boolean("flag") || c.duration("timeout") != 1500*time.Millisecond || len(c.list("list")) != 0 {
		t.Errorf("defaults are %q, %d, %v, %v, %v", c.text("text"), c.integer("n"), c.boolean("flag"), c.duration("timeout"), c.list("list"))
	}
	c.args = map[string]starlark.Value{"timeout": text("1m30s"), "flag": starlark.False}
	if c.boolean("flag") || c.duration("timeout") != 90*time.Second {
		t.Errorf("arguments are %v, %v", c.boolean("flag"), c.duration("timeout"))
	}
}

func TestDedent(t *testing.T) {
	tests := map[string]string{
		"":                                      "",
		"\n    One.\n\n        ip a\n    Two. ": "One.\n\n    ip a\nTwo.",
		"flush\n  more":                         "flush\n  more",
		"\n    只有一行\n":                          "只有一行",
	}
	for text, want := range tests {
		if got := Dedent(text); got != want {
			t.Errorf("Dedent(%q) = %q, want %q", text, got, want)
		}
	}
}
