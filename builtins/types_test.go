package builtins

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/console"
)

func TestStubsAreCurrent(t *testing.T) {
	written, err := os.ReadFile("../docs/labrun.pyi")
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != Stubs() {
		t.Error("docs/labrun.pyi is not what the table says; renew it: go run ./cmd/labrun doc --stubs >docs/labrun.pyi")
	}
}

// TestStubsArePython has Python itself read the stubs: every builtin is a function
// there, with the table's parameters.
func TestStubsArePython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal("python3 is missing: `labrun doctor --mend` installs it")
	}
	const list = `import ast, sys
for d in ast.parse(sys.stdin.read()).body:
    if isinstance(d, ast.FunctionDef):
        a = d.args
        names = [p.arg for p in a.args] + ([a.vararg.arg] if a.vararg else []) + [p.arg for p in a.kwonlyargs]
        assert ast.get_docstring(d), d.name
        print(d.name, *names)
`
	read := exec.Command(python, "-c", list)
	read.Stdin = strings.NewReader(Stubs())
	out, err := read.Output()
	if err != nil {
		t.Fatalf("python3: %v", err)
	}
	want := "load file names\n"
	for _, e := range Table() {
		want += e.Name
		for _, p := range e.Params {
			want += " " + p.Name
		}
		want += "\n"
	}
	if string(out) != want {
		t.Errorf("Python sees:\n%swant:\n%s", out, want)
	}
}

// Every result has a kind; the fields that the documentation names are those of
// its type.
func TestResultsAreDescribed(t *testing.T) {
	inBackticks := regexp.MustCompile("`(\\w+)`")
	for _, e := range Table() {
		if (e.Result == "") != (e.Returns == "") {
			t.Errorf("%s: the kind of its result is %q, and it returns %q", e.Name, e.Result, e.Returns)
		}
		kind := e.Result
		if kind == Leases {
			kind = Lease
		}
		described, ok := TypeOf(kind)
		if !ok || !strings.Contains(e.Returns, "struct") {
			continue
		}
		var named, fields []string
		for _, found := range inBackticks.FindAllStringSubmatch(e.Returns, -1) {
			named = append(named, found[1])
		}
		for _, f := range described.Fields {
			fields = append(fields, f.Name)
		}
		slices.Sort(named)
		slices.Sort(fields)
		if !slices.Equal(named, fields) {
			t.Errorf("%s: its documentation names %q, the fields of %s are %q", e.Name, named, kind, fields)
		}
	}
}

func TestFieldsAreThoseOfTheValues(t *testing.T) {
	for kind, v := range map[Kind]starlark.Value{
		Machine: &machine{}, Seat: &seat{}, Network: &network{}, Match: matchValue(console.Match{}),
	} {
		described, _ := TypeOf(kind)
		if v.Type() != string(kind) && v.Type() != "struct" {
			t.Errorf("%s: its values call themselves %s", kind, v.Type())
		}
		var fields []string
		for _, f := range described.Fields {
			fields = append(fields, f.Name)
		}
		slices.Sort(fields)
		if names := v.(starlark.HasAttrs).AttrNames(); !slices.Equal(names, fields) {
			t.Errorf("%s has the fields %q, described are %q", kind, names, fields)
		}
	}
}

// entries are the table by name.
func entries() map[string]Entry {
	all := map[string]Entry{}
	for _, e := range Table() {
		all[e.Name] = e
	}
	return all
}

func TestCheckCall(t *testing.T) {
	list := func(items ...starlark.Value) starlark.Value { return starlark.NewList(items) }
	tests := []struct {
		name       string
		positional starlark.Tuple
		keywords   []starlark.Tuple
		open       bool
		want       string
	}{
		{"send", starlark.Tuple{Some(Machine), text("ip a")}, nil, false, ""},
		{"send", starlark.Tuple{Some(Terminal), Some(Text)}, nil, false, ""},
		{"send", starlark.Tuple{Unknown, Unknown}, nil, false, ""},
		{"send", starlark.Tuple{Some(Network), starlark.MakeInt(1)}, []starlark.Tuple{keyword("entre", starlark.True)}, false,
			"2:send: no parameter is called \"entre\" (did you mean enter?): it is send(on, text, enter = True)\n" +
				"0:send: on: want a machine, console or terminal, got a network\n1:send: text: want a string, got int 1\n"},
		{"send", starlark.Tuple{Some(Machine)}, nil, false, "-1:send: text is missing: it is send(on, text, enter = True)\n"},
		{"send", starlark.Tuple{Some(Machine)}, nil, true, ""},
		{"boot", starlark.Tuple{Some(Machine), Some(List)}, nil, false, "1:boot: machines: item 2: want a machine, got a list\n"},
		{"boot", nil, nil, true, ""},
		{"machine", starlark.Tuple{text("a")}, []starlark.Tuple{keyword("nics", list(Some(Network), Some(Uplink), Unknown))}, false, ""},
		{"machine", starlark.Tuple{text("a")}, []starlark.Tuple{keyword("nics", list(Some(Machine)))}, false,
			"1:machine: nics: want a list of networks and uplinks, and item 1 is a machine\n"},
		{"read_leases", starlark.Tuple{Some(Machine), Some(List)}, nil, false, ""},
		{"wait_for", starlark.Tuple{Some(Machine)}, nil, false, "-1:wait_for: give either text or pattern: wait_for(on, text = \"\", pattern = \"\", *, timeout = 120)\n"},
		{"wait_for", starlark.Tuple{Some(Machine), Some(Text)}, nil, false, ""},
		{"send_key", starlark.Tuple{Some(Machine), text("ctrl-cc")}, nil, false, "-1:send_key: no key is called \"ctrl-cc\""},
		{"ask", starlark.Tuple{text("?"), list(text("a"), text("b")), text("c")}, nil, false, "-1:ask: answer \"c\" is not one of the choices: a, b\n"},
		{"ask", starlark.Tuple{Some(Text), list(text("a"), text("b")), text("c")}, nil, false, "-1:ask: answer \"c\" is not one of the choices: a, b\n"},
		{"ask", starlark.Tuple{text("?"), list(Some(Text), text("b"))}, nil, false, "-1:ask: there are choices and no answer: write answer = \"…\", the one that is right\n"},
		{"ask", starlark.Tuple{text("?"), list(Some(Text), text("b")), text("c")}, nil, false, ""},
		{"ask", starlark.Tuple{text("?"), Some(List)}, nil, false, ""},
		{"ask", starlark.Tuple{text("?")}, nil, false, ""},
		{"ask", starlark.Tuple{text("?"), list(text("a"), Some(Text)), text("c")}, nil, false, ""},
		{"assert_contains", starlark.Tuple{Some(Content)}, nil, false, "-1:assert_contains: no text to look for"},
		{"write_file", starlark.Tuple{Some(Machine), text("/x"), text("y"), starlark.MakeInt(-1)}, nil, false, "-1:write_file: mode = -1: want"},
		{"assert_true", starlark.Tuple{Some(Dict)}, nil, false, ""},
		{"step", starlark.Tuple{starlark.None}, nil, false, "0:step: function: want a function, got None: give the function's name"},
	}
	for _, test := range tests {
		got := ""
		for _, wrong := range CheckCall(entries()[test.name], test.positional, test.keywords, test.open) {
			got += fmt.Sprintf("%d:%v\n", wrong.Argument, wrong)
		}
		if got != test.want && (test.want == "" || !strings.HasPrefix(got, test.want)) {
			t.Errorf("%s%v%v: got\n%swant\n%s", test.name, test.positional, test.keywords, got, test.want)
		}
	}
}

// No stand-in makes a call panic.
func TestCheckCallTakesEveryKind(t *testing.T) {
	kinds := []Kind{"", Machine, Machines, Text, Texts, Integer, Boolean, Network, Function, Uplink, Terminal, Decimal, Content, Match, Leases, List, Dict, Tuple}
	for _, name := range slices.Sorted(maps.Keys(entries())) {
		e := entries()[name]
		for _, kind := range kinds {
			var args starlark.Tuple
			var keywords []starlark.Tuple
			for _, p := range e.Params {
				if p.Keyword {
					keywords = append(keywords, keyword(p.Name, Some(kind)))
				} else {
					args = append(args, Some(kind))
				}
			}
			CheckCall(e, args, keywords, false)
		}
	}
}
