package builtins

import (
	"fmt"
	"regexp"
	"strings"
)

// pythonTypes are the kinds in the words of Python's type checkers; a kind that is
// not here is a class of the stubs.
var pythonTypes = map[Kind]string{
	Machines:  "list[Machine]",
	Entrance:  "Machine | Console",
	Console:   "Machine | Console | Terminal",
	Text:      "str",
	Texts:     "list[str]",
	Answers:   "list[str | Callable[[], object] | tuple[str | Callable[[], object], str]]",
	Integer:   "int",
	Decimal:   "float",
	Boolean:   "bool",
	Duration:  "float | str",
	Pattern:   "str",
	Cards:     "list[Network | Uplink]",
	Files:     "dict[str, str | tuple[str, str]]",
	Values:    "list[str] | list[int] | range",
	Function:  "Callable[[], object]",
	Solution:  "str | Callable[[], object]",
	Subject:   "Machine | Console | Terminal | str",
	Anything:  "Any",
	Condition: "object",
	Content:   "str | bytes",
	Leases:    "list[Lease]",
	Packets:   "list[Packet]",
	"":        "None",
}

// trailing is what indenting leaves of empty lines.
var trailing = regexp.MustCompile(`(?m) +$`)

func (k Kind) python() string {
	if name, ok := pythonTypes[k]; ok {
		return name
	}
	return capital(string(k))
}

// Stubs returns the builtins as a Python stub file, for editors that know Python
// and not labrun: docs/labrun.pyi is exactly this, and a test says so.
func Stubs() string {
	var b strings.Builder
	b.WriteString("# What a labrun mission can call, for editors that know Python. Made from the table in\n" +
		"# package builtins by `labrun doc --stubs`; edit it there. docs/editors.md says how to use it.\n\n" +
		"from typing import Any, Callable\n")
	for _, t := range Types() {
		fmt.Fprintf(&b, "\nclass %s:\n    \"\"\"%s\"\"\"\n", t.Kind.python(), capital(t.Doc))
		for _, f := range t.Fields {
			fmt.Fprintf(&b, "    %s: %s  # %s\n", f.Name, f.Kind.python(), f.Doc)
		}
	}
	b.WriteString("\ndef load(file: str, *names: str, **renamed: str) -> None:\n" +
		"    \"\"\"Take names from another file of the mission's folder: load(\"./file.star\", \"name\").\"\"\"\n")
	for _, e := range Table() {
		fmt.Fprintf(&b, "\ndef %s(%s) -> %s:\n    r'''%s\n    '''\n",
			e.Name, e.pythonParams(), e.Result.python(), strings.ReplaceAll(e.docstring(), "\n", "\n    "))
	}
	return trailing.ReplaceAllString(b.String(), "")
}

func (e Entry) pythonParams() string {
	var params []string
	star := false
	for _, p := range e.Params {
		if p.Keyword && !star {
			star = true
			params = append(params, "*")
		}
		kind := p.Kind.python()
		if p.Default == "None" {
			kind += " | None"
		}
		switch text := p.Name + ": " + kind; {
		case p.Variadic:
			star = true
			params = append(params, "*"+text)
		case p.Default != "":
			params = append(params, text+" = "+p.Default)
		default:
			params = append(params, text)
		}
	}
	return strings.Join(params, ", ")
}

// docstring is the documentation of a builtin without its signature.
func (e Entry) docstring() string {
	text := capital(e.Summary) + "."
	if more := e.details(); more != "" {
		text += "\n\n" + more
	}
	if len(e.Params) > 0 || e.Returns != "" {
		text += "\n"
	}
	for _, p := range e.Params {
		text += fmt.Sprintf("\n%s: %s", p.Name, p.Doc)
	}
	if e.Returns != "" {
		text += "\nreturns " + e.Returns
	}
	return text + "\n\n    " + strings.ReplaceAll(e.Example, "\n", "\n    ")
}
