package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/analysis"
	"github.com/labrun/labrun/internal/lsp"
)

func (p *program) newLSP() *cobra.Command {
	c := &cobra.Command{
		Use:   "lsp",
		Short: "help an editor with missions, by the Language Server Protocol",
		Long: `lsp speaks the Language Server Protocol on standard input and output: an editor starts it. docs/editors.md says
how to set up some of them.`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if _, err := p.lock(); err != nil {
				return err
			}
			images := func(folder string) (analysis.Images, error) {
				lock, err := p.lockIn(folder)
				if err != nil {
					return nil, err
				}
				return imagesOf(lock), nil
			}
			err := lsp.Serve(c.Context(), p.In, p.Out, lsp.Options{Images: images, Version: version(), Log: p.Err})
			if errors.Is(err, lsp.ErrNoShutdown) { // the protocol wants this code
				fmt.Fprintf(p.Err, "labrun lsp: %v\n", err)
				return errReported(1)
			}
			return err
		},
	}
	c.Flags().Bool("stdio", false, "what is meant anyway; some editors say it")
	return c
}
