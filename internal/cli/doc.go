package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/mission"
)

func (p *program) newDoc() *cobra.Command {
	var markdown, stubs, libraries bool
	c := &cobra.Command{
		Use:   "doc [NAME]",
		Short: "what a mission script can call",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case markdown:
				_, err := fmt.Fprint(p.Out, builtins.Markdown())
				return err
			case stubs:
				_, err := fmt.Fprint(p.Out, builtins.Stubs())
				return err
			case libraries:
				_, err := fmt.Fprint(p.Out, mission.LibraryReference())
				return err
			case len(args) == 0:
				for _, e := range builtins.Table() {
					fmt.Fprintf(p.Out, "%-16s %s\n", e.Name, e.Summary)
				}
				return nil
			}
			text, ok := builtins.Help(args[0])
			if !ok {
				return &usageError{fmt.Sprintf("doc: no builtin is called %s%s", args[0], builtins.Suggest(args[0], builtins.Names()))}
			}
			_, err := fmt.Fprint(p.Out, text)
			return err
		},
	}
	c.Flags().BoolVar(&markdown, "markdown", false, "all of it, as docs/builtins.md")
	c.Flags().BoolVar(&stubs, "stubs", false, "all of it as a Python stub file, for editors (docs/labrun.pyi)")
	c.Flags().BoolVar(&libraries, "libraries", false, "the libraries that a mission can load, as docs/libraries.md")
	return c
}
