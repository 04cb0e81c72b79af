package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/lab"
)

func (p *program) newAttach() *cobra.Command {
	return &cobra.Command{
		Use:   "attach [SESSION/]MACHINE[/CONSOLE]",
		Short: "sit at a machine's console, from any terminal of this computer",
		Long: `attach shows the console of a machine of a lab that runs: what it has said so far, and what it says from
now on. What you type goes to the machine. Ctrl-] leaves the console; the machine goes on.`,
		Example: `  labrun attach debian
  labrun attach debian/niko     a console besides the machine's own, where the lab has one
  labrun attach week1/debian    where several labs have such a machine; labrun ps lists them`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{
					"attach: which machine? Say for instance `labrun attach debian`; `labrun ps` lists them",
				}
			}
			return p.attach(c.Context(), args[0])
		},
	}
}

// runs finds the labs that run.
func (p *program) runs(ctx context.Context) ([]attach.Found, error) {
	who, err := p.who()
	if err != nil {
		return nil, err
	}
	lock, err := p.lock()
	if err != nil {
		return nil, err
	}
	store, err := p.store(lock, nil)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	found := attach.Find(ctx, lab.Sessions(store))
	return slices.DeleteFunc(found, func(run attach.Found) bool {
		return who.ID != "" && run.Student != string(who.Playing())
	}), nil
}

// errNoLab says that nothing runs.
var errNoLab = &usageError{
	"no lab is running here: `labrun --guide week1` starts the first week's, in another terminal",
}

func (p *program) attach(ctx context.Context, name string) error {
	found, err := p.runs(ctx)
	if err != nil {
		return err
	}
	session, machine := "", name
	if before, after, named := strings.Cut(name, "/"); named && !haveConsole(found, name) {
		session, machine = before, after
	}
	run, err := choose(found, session, machine)
	if err != nil {
		return err
	}
	err = attach.View(
		ctx, run.Folder, machine, attach.Terminal{In: p.In, Out: p.Out, TTY: p.keyboard(), Language: p.spoken()},
	)
	var unknown *attach.UnknownMachineError
	if errors.As(err, &unknown) {
		return &usageError{"attach: " + unknown.Error()}
	}
	if err != nil && ctx.Err() == nil {
		return &environmentError{fmt.Errorf("attach %s: %w", name, err)}
	}
	return err
}

// haveConsole reports whether a run has a console called name.
func haveConsole(found []attach.Found, name string) bool {
	return slices.ContainsFunc(found, func(run attach.Found) bool {
		return slices.ContainsFunc(run.Machines, func(m attach.MachineStatus) bool { return slices.Contains(m.ConsoleNames(), name) })
	})
}

// choose finds the run that is meant by a session and a console; no session means
// the only run that has the console.
func choose(found []attach.Found, session, machine string) (attach.Found, error) {
	if len(found) == 0 {
		return attach.Found{}, errNoLab
	}
	var having []attach.Found
	var machines, sessions []string
	for _, run := range found {
		sessions = append(sessions, run.Session())
		for _, m := range run.Machines {
			for _, name := range m.ConsoleNames() {
				if !slices.Contains(machines, name) {
					machines = append(machines, name)
				}
				if name == machine && (session == "" || session == run.Session()) {
					having = append(having, run)
				}
			}
		}
	}
	if guided := slices.DeleteFunc(
		slices.Clone(having), func(run attach.Found) bool { return !run.Guided },
	); len(guided) == 1 {
		having = guided // where a student is at work, and not a run that types by itself
	}
	switch {
	case session != "" && !slices.Contains(sessions, session):
		return attach.Found{}, &usageError{
			fmt.Sprintf(
				"attach: no lab that runs is called %s%s: there are %s", session,
				builtins.Suggest(session, sessions), strings.Join(sessions, ", "),
			),
		}
	case len(having) == 0:
		return attach.Found{}, &usageError{
			fmt.Sprintf(
				"attach: no machine of a lab that runs is called %q%s: there are %s", machine,
				builtins.Suggest(machine, machines), strings.Join(machines, ", "),
			),
		}
	case len(having) > 1:
		var ways []string
		for _, run := range having {
			title := run.Title
			if run.Student != "" {
				title += ", " + run.Student
			}
			ways = append(ways, fmt.Sprintf("\n  labrun attach %s/%s    (%s)", run.Session(), machine, title))
		}
		return attach.Found{}, &usageError{
			"attach: several labs have such a machine; say which:" + strings.Join(ways, ""),
		}
	}
	return having[0], nil
}
