package mission

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"go.starlark.net/syntax"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/builtins"
)

const (
	libraryPrefix = "@labrun//" // as scripts write it
	libraryFolder = "@labrun/"  // in the folder that a mission sees
)

// shelf is a mission's folder with labrun's own libraries in it.
type shelf struct{ fs.FS }

// holder returns the folder that a file of the shelf is in, and its name there.
func (s shelf) holder(name string) (fs.FS, string) {
	if own, ok := strings.CutPrefix(name, libraryFolder); ok {
		return labrun.Libraries(), own
	}
	return s.FS, name
}

// Open implements fs.FS.
func (s shelf) Open(name string) (fs.File, error) {
	folder, name := s.holder(name)
	return folder.Open(name)
}

// ReadFile implements fs.ReadFileFS: an editor's folder has texts that are not saved.
func (s shelf) ReadFile(name string) ([]byte, error) {
	return fs.ReadFile(s.holder(name))
}

// inLibrary reports whether a file of a shelf is one of labrun's own.
func inLibrary(name string) bool { return strings.HasPrefix(name, libraryFolder) }

// libraryNames are those that there are, as scripts write them.
func libraryNames() []string {
	files, _ := fs.Glob(labrun.Libraries(), "*.star")
	for i, f := range files {
		files[i] = libraryPrefix + f
	}
	return files
}

// libraryFile turns the name of a library into its path in a shelf.
func libraryFile(request string) (string, error) {
	name := strings.TrimPrefix(request, libraryPrefix)
	if _, err := fs.Stat(labrun.Libraries(), path.Clean("/" + name)[1:]); err != nil || path.Ext(name) != ".star" {
		return "", fmt.Errorf("labrun has no library of that name%s: there are %s", builtins.Suggest(request, libraryNames()), strings.Join(libraryNames(), ", "))
	}
	return libraryFolder + name, nil
}

// shownAs is what messages call a file of a mission's folder.
func shownAs(main, shown, name string) string {
	if own, ok := strings.CutPrefix(name, libraryFolder); ok {
		return libraryPrefix + own
	}
	if name == main {
		return shown
	}
	return path.Join(strings.TrimSuffix(shown, main), name)
}

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
	for _, name := range libraryNames() {
		source, err := fs.ReadFile(labrun.Libraries(), strings.TrimPrefix(name, libraryPrefix))
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
				Name: def.Name.Name, Signature: strings.TrimSuffix(strings.TrimPrefix(line, "def "), ":"), Text: libraryText(def.Body),
			})
		}
		all = append(all, library)
	}
	return all
}

// LibraryReference documents the libraries, as Markdown; it is docs/libraries.md.
func LibraryReference() string {
	var b strings.Builder
	b.WriteString("# Libraries\n\nCommon moves, written in Starlark themselves, that a mission loads by name. This page is made from their docstrings:\n" +
		"`labrun doc --libraries` prints it. Their source is in `lib/`.\n")
	for _, library := range Libraries() {
		var names []string
		for _, f := range library.Functions {
			names = append(names, fmt.Sprintf("%q", f.Name))
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n```python\nload(%q, %s)\n```\n", library.Name, library.Text, library.Name, strings.Join(names, ", "))
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
