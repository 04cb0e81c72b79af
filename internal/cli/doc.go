package cli

import (
	"fmt"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/analysis"
)

func (p *program) newDoc() *cobra.Command {
	var markdown, stubs, libraries bool
	c := &cobra.Command{
		Use:   "doc [NAME]",
		Short: "what a mission script can call: builtins, and functions of labrun's libraries",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case markdown:
				fmt.Fprint(p.Out, builtins.Markdown())
			case stubs:
				fmt.Fprint(p.Out, builtins.Stubs())
			case libraries:
				fmt.Fprint(p.Out, analysis.LibraryReference())
			case len(args) == 0:
				p.listDoc()
			default:
				return p.docOf(args[0])
			}
			return nil
		},
	}
	c.Flags().BoolVar(&markdown, "markdown", false, "all of it, as docs/builtins.md")
	c.Flags().BoolVar(&stubs, "stubs", false, "all of it as a Python stub file, for editors (docs/labrun.pyi)")
	c.Flags().BoolVar(&libraries, "libraries", false, "the libraries that a mission can load, as docs/libraries.md")
	return c
}

// listDoc tells everything that a script can call, a line each.
func (p *program) listDoc() {
	for _, e := range builtins.Table() {
		fmt.Fprintf(p.Out, "%-16s %s\n", e.Name, e.Summary)
	}
	for _, library := range analysis.Libraries() {
		fmt.Fprintf(p.Out, "\nAfter load(%q, …) at the top of the script:\n", library.Name)
		for _, f := range library.Functions {
			fmt.Fprintf(p.Out, "%-16s %s\n", f.Name, f.Summary())
		}
	}
}

// docOf tells of one builtin, one function of a library, or one library.
func (p *program) docOf(name string) error {
	if text, ok := builtins.Help(name); ok {
		fmt.Fprint(p.Out, text)
		return nil
	}
	names := builtins.Names()
	for _, library := range analysis.Libraries() {
		short := strings.TrimSuffix(path.Base(library.Name), ".star")
		whole := name == library.Name || name == short
		if whole {
			fmt.Fprintf(p.Out, "%s\n", library.Text)
		}
		names = append(names, short)
		for _, f := range library.Functions {
			names = append(names, f.Name)
			if whole || name == f.Name {
				fmt.Fprintf(
					p.Out, "\n%s\n\n    %s\n\n        load(%q, %q)\n", f.Signature,
					strings.ReplaceAll(strings.ReplaceAll(f.Text, "\n", "\n    "), "    \n", "\n"),
					library.Name, f.Name,
				)
			}
			if name == f.Name {
				return nil
			}
		}
		if whole {
			return nil
		}
	}
	return &usageError{
		fmt.Sprintf(
			"doc: nothing that a script can call has the name %s%s: `labrun doc` lists what there is", name,
			builtins.Suggest(name, names),
		),
	}
}
