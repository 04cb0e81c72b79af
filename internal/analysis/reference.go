package analysis

import (
	"fmt"
	"io/fs"
	"strings"

	"go.starlark.net/syntax"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/script"
)

// Library documents one of labrun's own libraries.
type Library struct {
	Name      string // as scripts load it
	Text      string // its docstring, in Markdown
	Functions []LibraryFunction
}

// LibraryFunction documents one function of a library.
type LibraryFunction struct {
	Name, Signature string
	Text            string // its docstring, in Markdown
}

// Summary is the first line of the function's text.
func (f LibraryFunction) Summary() string {
	summary, _, _ := strings.Cut(f.Text, "\n")
	return summary
}

// Libraries are labrun's own, as their docstrings document them.
func Libraries() []Library {
	var all []Library
	for _, name := range script.LibraryNames() {
		source, err := fs.ReadFile(labrun.Libraries(), strings.TrimPrefix(name, script.LibraryPrefix))
		if err != nil {
			panic(err) // it is embedded
		}
		tree, err := (&syntax.FileOptions{}).Parse(name, source, 0)
		if err != nil {
			panic(err) // a test parses it
		}
		library := Library{Name: name, Text: libraryText(tree.Stmts)}
		for _, s := range tree.Stmts {
			def, ok := s.(*syntax.DefStmt)
			if !ok || strings.HasPrefix(def.Name.Name, "_") {
				continue
			}
			line := strings.Split(string(source), "\n")[def.Def.Line-1] // a signature is one line there
			library.Functions = append(library.Functions, LibraryFunction{
				Name:      def.Name.Name,
				Signature: strings.TrimSuffix(strings.TrimPrefix(line, "def "), ":"),
				Text:      libraryText(def.Body),
			})
		}
		all = append(all, library)
	}
	return all
}

// LibraryReference documents the libraries, as Markdown; it is docs/libraries.md.
func LibraryReference() string {
	var b strings.Builder
	b.WriteString("# Libraries\n\nCommon moves, written in Starlark themselves, that a mission loads by name." +
		" This page is made from their docstrings:\n" +
		"`labrun doc --libraries` prints it. Their source is in `lib/`.\n")
	for _, library := range Libraries() {
		var names []string
		for _, f := range library.Functions {
			names = append(names, fmt.Sprintf("%q", f.Name))
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n```python\nload(%q, %s)\n```\n",
			library.Name, library.Text, library.Name, strings.Join(names, ", "))
		for _, f := range library.Functions {
			fmt.Fprintf(&b, "\n### %s\n\n```python\n%s\n```\n\n%s\n", f.Name, f.Signature, f.Text)
		}
	}
	return b.String()
}

// libraryText is the docstring that a body begins with, without its indentation.
func libraryText(body []syntax.Stmt) string {
	text, _ := leadingString(body)
	return strings.ReplaceAll(text, "\n    ", "\n")
}
