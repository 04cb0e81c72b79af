package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/pc"
	"github.com/labrun/labrun/web"
)

type exportFlags struct {
	browser bool
	output  string
}

func (p *program) newExport() *cobra.Command {
	var f exportFlags
	c := &cobra.Command{
		Use:   "export --browser --output FOLDER [MISSION]",
		Short: "write a page that needs no labrun: a mission's machines in the browser, or a PC for disk images",
		Long: `export writes a folder that any web server can hold, for browsers. With a mission it is a page in which the
mission's machines live, with its text and what to type; labrun plays the mission once to hear that. All machines have to be ones that a
browser can hold. Without a mission it is a page with a PC that boots disk images which are dropped there. docs/browser.md
tells what such a page can do, and what only labrun can.`,
		Example: `  labrun export --browser --output site            a PC for disk images
  labrun export --browser --output site tiny-net   a mission`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return p.export(c.Context(), c, args, f) },
	}
	c.Flags().BoolVar(&f.browser, "browser", false, "for a browser, which is all that there is now")
	c.Flags().StringVarP(&f.output, "output", "o", "", "the `folder` to write; it must not be there yet")
	return c
}

func (p *program) export(ctx context.Context, c *cobra.Command, args []string, f exportFlags) error {
	switch {
	case !f.browser:
		return &usageError{"export: say --browser: a page is all that labrun exports"}
	case f.output == "":
		return &usageError{"export: say where to with --output FOLDER"}
	}
	if missing := web.Missing(); missing != "" {
		return &environmentError{errors.New(missing)}
	}
	if err := pc.Export(f.output, web.Files(), "machine.html", nil); err != nil {
		return &environmentError{err}
	}
	p.tell(p.Out, "%s is a page with a PC for disk images: put the folder on a web server", f.output)
	return nil
}
