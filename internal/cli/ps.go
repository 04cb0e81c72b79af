package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/markdown"
)

func (p *program) newPs() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "ps",
		Short: "list the labs that run, and their machines",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			found, err := p.runs(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return p.listJSON(found)
			}
			if len(found) == 0 {
				fmt.Fprintln(p.Err, "no lab is running here")
				return nil
			}
			table := tabwriter.NewWriter(p.Out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(table, "SESSION\tPID\tMISSION\tMACHINE\tSTATE\tVIEWERS")
			for _, run := range found {
				for _, m := range run.Machines {
					state := "off"
					if m.On {
						state = "on for " + (time.Duration(m.Seconds) * time.Second).String()
					}
					fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%d\n", run.Session(), run.PID, markdown.Clean(run.Mission), m.Name, state, m.Viewers)
				}
				if len(run.Machines) == 0 {
					fmt.Fprintf(table, "%s\t%d\t%s\t-\t-\t-\n", run.Session(), run.PID, markdown.Clean(run.Mission))
				}
			}
			return table.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line for each lab")
	return c
}

func (p *program) listJSON(found []attach.Found) error {
	encoder := json.NewEncoder(p.Out)
	for _, run := range found {
		if err := encoder.Encode(struct {
			Session string `json:"session"`
			attach.Status
		}{run.Session(), run.Status}); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) newStop() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "stop [SESSION]",
		Short: "stop a lab that runs in another terminal, as Ctrl-C there would",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			found, err := p.runs(c.Context())
			if err != nil {
				return err
			}
			var sessions []string
			for _, run := range found {
				sessions = append(sessions, run.Session())
			}
			var chosen []attach.Found
			switch {
			case len(found) == 0:
				return errNoLab
			case len(args) == 1:
				for _, run := range found {
					if run.Session() == args[0] {
						chosen = append(chosen, run)
					}
				}
				if len(chosen) == 0 {
					return &usageError{fmt.Sprintf("stop: no lab that runs is called %s%s: there are %s", args[0], builtins.Suggest(args[0], sessions), strings.Join(sessions, ", "))}
				}
			case len(found) > 1 && !all:
				return &usageError{fmt.Sprintf("stop: several labs run: say which (%s), or --all", strings.Join(sessions, ", "))}
			default:
				chosen = found
			}
			for _, run := range chosen {
				if err := attach.Stop(c.Context(), run.Folder); err != nil {
					return &environmentError{err}
				}
				p.tell(p.Out, "%s has stopped: %s", run.Session(), run.Title)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&all, "all", false, "stop all of them")
	return c
}
