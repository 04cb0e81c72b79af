package builtins

import (
	"os"
	"slices"
	"strings"
	"testing"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

func TestReferenceIsCurrent(t *testing.T) {
	written, err := os.ReadFile("../docs/builtins.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != Markdown() {
		t.Error("docs/builtins.md is not what the table says; renew it: go run ./cmd/labrun doc --markdown >docs/builtins.md")
	}
}

func TestEveryEntryIsDocumented(t *testing.T) {
	kinds := []Kind{Machine, Machines, Entrance, Console, Text, Texts, Answers, Integer, Boolean, Duration, Pattern, Network, Cards, Files, Values, Function, Solution, Subject, Anything, Condition}
	seen := map[string]bool{}
	for _, e := range Table() {
		t.Run(e.Name, func(t *testing.T) {
			if seen[e.Name] {
				t.Error("is in the table twice")
			}
			seen[e.Name] = true
			if e.Group == "" || e.Summary == "" || e.Example == "" || e.call == nil {
				t.Errorf("lacks a group, summary, example or function: %+v", e)
			}
			if strings.HasSuffix(e.Summary, ".") || strings.Contains(e.Summary, "\n") {
				t.Errorf("summary %q: want one line without a full stop", e.Summary)
			}
			names := map[string]bool{}
			optional, keyword := "", false
			for _, p := range e.Params {
				if p.Doc == "" || !slices.Contains(kinds, p.Kind) || names[p.Name] {
					t.Errorf("parameter %+v: want a doc, a known kind and a name of its own", p)
				}
				names[p.Name] = true
				if keyword && !p.Keyword {
					t.Errorf("parameter %s comes after those given by name only", p.Name)
				}
				if optional != "" && p.Default == "" && !p.Variadic {
					t.Errorf("parameter %s is required and comes after %s, which is not", p.Name, optional)
				}
				keyword = keyword || p.Keyword || p.Variadic
				if p.Default != "" {
					optional = p.Name
					p.checkDefault(t)
				}
			}
		})
	}
}

// checkDefault evaluates a default as a script would write it.
func (p Param) checkDefault(t *testing.T) {
	t.Helper()
	value, err := starlark.EvalOptions(&syntax.FileOptions{}, &starlark.Thread{}, "default", p.Default, nil)
	if err != nil {
		t.Errorf("default of %s: %v", p.Name, err)
		return
	}
	if value == starlark.None || p.Kind == Pattern && p.Default == `""` {
		return
	}
	if problem := p.Kind.misfit(value); problem != "" {
		t.Errorf("default of %s: %s", p.Name, problem)
	}
}

// stand is a value of a kind, for a call whose arguments are not constants.
func stand(k Kind) starlark.Value {
	switch k {
	case Machine, Entrance, Console, Subject:
		return &machine{}
	case Machines:
		return starlark.NewList([]starlark.Value{&machine{}})
	case Network:
		return &network{}
	case Files:
		return starlark.NewDict(0)
	case Cards:
		return starlark.NewList([]starlark.Value{&network{}})
	case Function:
		return &starlark.Function{}
	case Integer, Duration:
		return starlark.MakeInt(1)
	case Boolean, Condition:
		return starlark.True
	case Texts, Answers, Values:
		return stringList([]string{"text"})
	}
	return starlark.String("text")
}

// TestExamplesBind parses each entry's example and binds the calls in it: what
// the documentation shows must be accepted.
func TestExamplesBind(t *testing.T) {
	table := map[string]Entry{}
	for _, e := range Table() {
		table[e.Name] = e
	}
	for _, e := range Table() {
		t.Run(e.Name, func(t *testing.T) {
			// Examples of actions are lines of a function.
			source := e.Example
			if e.Phase != Declaring {
				source = "def example():\n    " + strings.ReplaceAll(source, "\n", "\n    ")
			}
			file, err := (&syntax.FileOptions{}).Parse("example.star", source, 0)
			if err != nil {
				t.Fatal(err)
			}
			called := false
			syntax.Walk(file, func(n syntax.Node) bool {
				call, ok := n.(*syntax.CallExpr)
				if !ok {
					return true
				}
				name, ok := call.Fn.(*syntax.Ident)
				if !ok {
					return true
				}
				callee, ok := table[name.Name]
				if !ok {
					return true
				}
				called = called || name.Name == e.Name
				if err := bindShown(&callee, call); err != nil {
					t.Errorf("%s: %v", call.Fn.(*syntax.Ident).NamePos, err)
				}
				return true
			})
			if !called {
				t.Errorf("the example does not call %s", e.Name)
			}
		})
	}
}

// bindShown binds a call in an example: literals as they are, anything else as a
// value of the parameter's kind.
func bindShown(e *Entry, call *syntax.CallExpr) error {
	var positional starlark.Tuple
	var keywords []starlark.Tuple
	value := func(p *Param, x syntax.Expr) starlark.Value {
		if literal, ok := x.(*syntax.Literal); ok {
			switch v := literal.Value.(type) {
			case string:
				return starlark.String(v)
			case int64:
				return starlark.MakeInt64(v)
			}
		}
		if p == nil {
			return starlark.None
		}
		return stand(p.Kind)
	}
	for _, arg := range call.Args {
		if pair, ok := arg.(*syntax.BinaryExpr); ok && pair.Op == syntax.EQ {
			name := pair.X.(*syntax.Ident).Name
			keywords = append(keywords, starlark.Tuple{starlark.String(name), value(e.param(name), pair.Y)})
			continue
		}
		var p *Param
		if n := len(e.Params); n > 0 {
			p = &e.Params[min(len(positional), n-1)]
			for i := range e.Params {
				if e.Params[i].Variadic && i <= len(positional) {
					p = &e.Params[i]
				}
			}
		}
		positional = append(positional, value(p, arg))
	}
	_, err := bind(e, positional, keywords)
	return err
}

func TestHelp(t *testing.T) {
	text, ok := Help("send")
	const want = `send(on, text, enter = True)

    type a line

    on           machine, console or terminal: a machine, a console of one, or a terminal of the host
    text         string: what to type
    enter        bool: press Enter after it

    Of several lines, each is typed when the console waits for it, and their output is one, without the prompts in between.

        send(router, "ip a")
`
	if !ok || text != want {
		t.Errorf("help of send (%v):\n%swant:\n%s", ok, text, want)
	}
	for _, name := range Names() {
		if _, ok := Help(name); !ok {
			t.Errorf("there is no help for %s", name)
		}
	}
	if text, ok := Help("boto"); ok {
		t.Errorf("help of boto = %q, want none", text)
	}
}
