package cli

import (
	"cmp"
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
			fmt.Fprintln(table, "SESSION\tPID\tMISSION\tAT\tMACHINE\tSTATE\tVIEWERS")
			for _, run := range found {
				for _, m := range run.Machines {
					state := "off"
					if m.On {
						state = "on for " + (time.Duration(m.Seconds) * time.Second).String()
					}
					fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%d\n", run.Session(), run.PID,
						missionOf(run), cmp.Or(run.Place, "-"), m.Name, state, m.Viewers)
					for _, further := range m.Consoles {
						fmt.Fprintf(table, "\t\t\t\t%s\t\t%d\n", further.Name, further.Viewers)
					}
				}
				if len(run.Machines) == 0 {
					fmt.Fprintf(table, "%s\t%d\t%s\t%s\t-\t-\t-\n", run.Session(), run.PID,
						missionOf(run), cmp.Or(run.Place, "-"))
				}
			}
			return table.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line for each lab")
	return c
}

// missionOf is the mission of a run, and who plays it.
func missionOf(run attach.Found) string {
	if run.Student == "" {
		return markdown.Clean(run.Mission)
	}
	return markdown.Clean(run.Mission + " (" + run.Student + ")")
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
			chosen := found
			if !all || len(args) == 1 || len(found) == 0 {
				run, err := chooseRun("stop", found, args, ", or --all")
				if err != nil {
					return err
				}
				chosen = []attach.Found{run}
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

func (p *program) newEvents() *cobra.Command {
	return &cobra.Command{
		Use:   "events [SESSION]",
		Short: "write what happens in a lab that runs as JSON lines, until it ends",
		Long: `events writes what has happened in a lab that runs, and what happens from now on, one event a line: what
--json writes for a run of one's own. It ends with the lab. Programs that show a lab, a page for one, read it.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			found, err := p.runs(c.Context())
			if err != nil {
				return err
			}
			run, err := chooseRun("events", found, args, "")
			if err != nil {
				return err
			}
			err = attach.Events(c.Context(), run.Folder, func(line []byte) error {
				_, err := fmt.Fprintf(p.Out, "%s\n", line)
				return err
			})
			if err != nil && c.Context().Err() == nil {
				return &environmentError{fmt.Errorf("events: %w", err)}
			}
			return err
		},
	}
}

// chooseRun finds the lab that is meant by a command's arguments: the session, or none if
// only one lab runs. Or is what else could be said.
func chooseRun(command string, found []attach.Found, args []string, or string) (attach.Found, error) {
	var sessions []string
	for _, run := range found {
		if len(args) == 1 && run.Session() == args[0] {
			return run, nil
		}
		sessions = append(sessions, run.Session())
	}
	names := strings.Join(sessions, ", ")
	switch {
	case len(found) == 0:
		return attach.Found{}, errNoLab
	case len(args) == 1:
		return attach.Found{}, &usageError{fmt.Sprintf("%s: no lab that runs is called %s%s: there are %s",
			command, args[0], builtins.Suggest(args[0], sessions), names)}
	case len(found) > 1:
		return attach.Found{}, &usageError{fmt.Sprintf("%s: several labs run: say which (%s)%s", command, names, or)}
	}
	return found[0], nil
}
