package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/report"
)

func (p *program) newCheck() *cobra.Command {
	var complete bool
	c := &cobra.Command{
		Use:   "check FILE…",
		Short: "load missions and report their mistakes, without QEMU",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{"check: which missions? Name their files"}
			}
			lock, err := p.lock()
			if err != nil {
				return err
			}
			worst := exitPassed
			for _, file := range args {
				m, err := p.load(c.Context(), c, file, lock)
				if err != nil {
					worst = max(worst, p.explain(c.Context(), err))
					continue
				}
				problems, err := m.CheckTranslations()
				for _, problem := range problems {
					fmt.Fprintf(p.Err, "%s\n", problem)
				}
				if len(problems) > 0 && complete {
					worst = max(worst, exitScript)
				}
				if err != nil {
					worst = max(worst, p.explain(c.Context(), err))
					continue
				}
				d := m.Declared()
				fmt.Fprintf(p.Out, "%s: ok: %s, %s\n", file, report.Count(len(d.Steps), "step"), report.Count(len(d.Machines), "machine"))
			}
			if worst != exitPassed {
				return errReported(worst)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&complete, "translated", false, "fail if a translation lacks something or is older than its original")
	return c
}
