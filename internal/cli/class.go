package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/class"
	"github.com/labrun/labrun/internal/jupyterhub"
	"github.com/labrun/labrun/internal/markdown"
	"github.com/labrun/labrun/internal/report"
	"github.com/labrun/labrun/internal/run"
	"github.com/labrun/labrun/internal/serve"
	"github.com/labrun/labrun/web"
)

// usualClassPort is where a class's page is if nobody says otherwise.
const usualClassPort = 8027

type classFlags struct {
	socket, store, handed, forget string
	days, port                    int
	origins                       []string
	noOpen, hub, status, json     bool
}

func (p *program) newClass() *cobra.Command {
	var f classFlags
	c := &cobra.Command{
		Use:   "class",
		Short: "see how the students of a course are getting on",
		Long: `class hears what students' guided runs report, on this computer: how far they are, where they are stuck, which hints
they take; and shows it as a page, from where one can look on in the labs that are under way. It says the address to open, which
is for teachers only. A run reports where LABRUN_CLASS names the socket at which this listens; the student is told so. What they
type at machines is not reported. docs/class.md tells how a course's server is set up, and what is kept of whom.`,
		Example: `  labrun class --socket /run/labrun/class       hear the runs that have LABRUN_CLASS=/run/labrun/class
  labrun class --status                         say how the students stand
  labrun class --status --json --student ann    all that is kept of one of them
  labrun class --store postgres://teacher@db/course
  labrun class --jupyterhub     as a JupyterHub starts it: who is a teacher, the hub says`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.class(c.Context(), c.Flags().Changed("port"), f) },
	}
	c.Flags().StringVar(&f.socket, "socket", "", "hear runs at this `path`; else LABRUN_CLASS")
	c.Flags().StringVar(&f.store, "store", "",
		"keep it in this `database`: a file, or postgres://…; else a file in the state folder")
	c.Flags().StringVar(&f.handed, "handed", "", "take what is handed in to this `folder` (labrun submit) as well")
	c.Flags().IntVar(&f.days, "keep", 200, "forget a run when nothing was heard of it for so many `days`")
	c.Flags().IntVar(&f.port, "port", usualClassPort, "show the page on this `port` of 127.0.0.1, and on no other")
	c.Flags().StringArrayVar(
		&f.origins, "origin", nil, "the `URL` at which browsers find the page, if a proxy leads there; may be repeated",
	)
	c.Flags().BoolVar(&f.noOpen, "no-open", false, "open no browser")
	c.Flags().BoolVar(&f.hub, "jupyterhub", false, "be a JupyterHub's service: the hub lets browsers in (docs/class.md)")
	c.Flags().BoolVar(&f.status, "status", false, "say how the students stand, and exit")
	c.Flags().BoolVar(&f.json, "json", false, "with --status: as JSON")
	c.Flags().StringVar(&f.forget, "forget", "", "remove what is kept of this `student`, and exit")
	for _, flag := range []string{"port", "origin"} { // the hub says both
		c.MarkFlagsMutuallyExclusive("jupyterhub", flag)
	}
	return c
}

func (p *program) class(ctx context.Context, portAsked bool, f classFlags) error {
	switch {
	case f.json && !f.status:
		return &usageError{"class: --json goes with --status"}
	case f.status && f.forget != "":
		return &usageError{"class: --status or --forget: one at a time"}
	case f.days < 1:
		return &usageError{fmt.Sprintf("class: --keep %d: say a number of days from 1", f.days)}
	}
	state, err := run.StateFolder(p.Getenv, "") // whoever teaches has one class, whichever student they play
	if err != nil {
		return &environmentError{err}
	}
	folder := filepath.Join(state, "class")
	store, err := class.OpenStore(ctx, cmp.Or(f.store, filepath.Join(folder, "class.db")))
	if err != nil {
		return &environmentError{err}
	}
	defer store.Close()
	switch {
	case f.status:
		return p.classStatus(ctx, store, folder, f.json)
	case f.forget != "":
		n, err := class.Forget(ctx, store, folder, f.forget)
		if err != nil {
			return &environmentError{err}
		}
		p.tell(p.Out, "%d runs of %s are forgotten", n, f.forget)
		return nil
	}
	if f.handed != "" {
		if _, err := os.ReadDir(f.handed); err != nil {
			return &usageError{fmt.Sprintf("class: --handed: %v", err)}
		}
	}
	socket := cmp.Or(f.socket, p.Getenv("LABRUN_CLASS"))
	if socket == "" {
		return &usageError{"class: where do runs report? Say --socket PATH, and give students LABRUN_CLASS=PATH: " +
			"a file's name in a folder that they can reach, such as /run/labrun/class"}
	}
	origins, err := parseOrigins(f.origins)
	if err != nil {
		return err
	}
	var hub *jupyterhub.Contract
	if f.hub {
		if hub, err = p.hub(ctx, jupyterhub.ReadService); err != nil {
			return err
		}
	}
	its, err := class.New(ctx, class.Options{
		Store: store, Folder: folder, Handed: f.handed, Keep: time.Duration(f.days) * 24 * time.Hour, Now: time.Now,
		Tell: func(format string, args ...any) { p.tell(p.Err, format, args...) },
	})
	if err != nil {
		return &environmentError{err}
	}
	defer its.Close()
	gate, err := attach.OpenGate(socket)
	if err != nil {
		return &environmentError{fmt.Errorf("class: %w", err)}
	}
	defer gate.Close()
	listener, err := p.listen(hub, f.port, portAsked)
	if err != nil {
		return err
	}
	secret, err := serve.Secret(folder)
	if err != nil {
		listener.Close()
		return &environmentError{err}
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	server := serve.New(serve.Options{
		Page: web.Files(), Missing: web.Missing(), Secret: secret, Origins: origins, Version: version(), Language: p.spoken(),
		State: folder, Sessions: class.Doors(folder), Owner: os.Getuid(), Hub: hub, Class: its,
		Tell: func(format string, args ...any) { p.tell(p.Err, format, args...) },
	}, port)
	if hub == nil {
		p.announce(server, "class", port, secret, origins, f.noOpen)
	} else {
		p.tell(p.Out, "the class is at %s, as JupyterHub %s says", hub.Prefix, hub.Version)
	}
	p.tell(p.Out, "it hears the runs that have LABRUN_CLASS=%s; Ctrl-C ends it, and students go on", socket)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	showing := make(chan error, 1)
	go func() {
		defer cancel()
		showing <- server.Serve(ctx, listener)
	}()
	err = its.Collect(ctx, gate)
	cancel()
	if err = errors.Join(err, <-showing); err != nil {
		return &environmentError{fmt.Errorf("class: %w", err)}
	}
	return nil
}

// classStatus says how the students stand.
func (p *program) classStatus(ctx context.Context, store *class.Store, folder string, asJSON bool) error {
	runs, err := class.Look(ctx, store, folder)
	if err != nil {
		return &environmentError{err}
	}
	if p.student.id != "" {
		runs = slices.DeleteFunc(runs, func(r *class.Run) bool { return r.Student != p.student.id })
	}
	o := class.NewOverview(runs, time.Now())
	if asJSON {
		similar := map[string][]class.Similar{}
		for _, m := range o.Missions {
			similar[m.Mission] = class.FindSimilar(runs, m.Mission)
		}
		encoder := json.NewEncoder(p.Out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			class.Overview
			Similar map[string][]class.Similar `json:"similar"` // by mission
			Kept    []*class.Run               `json:"kept"`    // all that there is
		}{o, similar, runs})
	}
	if len(o.Students) == 0 {
		fmt.Fprintln(p.Err, "no student's run has reported yet")
		return nil
	}
	table := tabwriter.NewWriter(p.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "STUDENT\tMISSION\tDONE\tAT\tSINCE\tHINTS\tMISTAKES\tSTATE")
	for _, s := range o.Students {
		at, since := "-", "-"
		if s.At > 0 {
			at, since = fmt.Sprintf("%d %s", s.At, markdown.Clean(s.Step)), o.At.Sub(s.Since).Round(time.Second).String()
		}
		student := markdown.Clean(s.Student)
		if s.Account != s.Student {
			student += " (" + markdown.Clean(s.Account) + ")"
		}
		fmt.Fprintf(table, "%s\t%s\t%d/%d\t%s\t%s\t%d\t%d\t%s\n", student, markdown.Clean(s.Mission), s.Done, s.Steps, at, since,
			s.Hints, s.Missed, classState(s))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, m := range o.Missions {
		fmt.Fprintf(p.Out, "\n%s: %s\n", markdown.Clean(m.Mission), markdown.Clean(m.Title))
		table := tabwriter.NewWriter(p.Out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(table, "STEP\tHERE\tSTUCK\tDONE\tHALF WITHIN\tHINTS\tMISTAKES")
		for i, s := range m.Steps {
			median := "-"
			if s.Median > 0 {
				median = time.Duration(s.Median * float64(time.Second)).Round(time.Second).String()
			}
			fmt.Fprintf(table, "%d %s\t%d\t%d\t%d\t%s\t%d\t%d\n", i+1, markdown.Clean(s.Title), s.Here, s.Stuck, s.Done, median, s.Hints, s.Missed)
		}
		if err := table.Flush(); err != nil {
			return err
		}
		for _, s := range class.FindSimilar(runs, m.Mission) {
			fmt.Fprintf(p.Out, "%s and %s have in common: %s few others made; %d of %d pauses; %s done within seconds of one another\n",
				markdown.Clean(s.Students[0]), markdown.Clean(s.Students[1]), report.Count(len(s.Mistakes), "mistake"), s.Alike, s.Pauses,
				report.Count(s.Together, "instruction"))
		}
	}
	return nil
}

// classState is how a student's run is, in words.
func classState(s class.Student) string {
	var words []string
	switch {
	case s.Stuck:
		words = append(words, "stuck")
	case s.Ended != "":
		words = append(words, s.Ended)
	case s.Live:
		words = append(words, "at work")
	default:
		words = append(words, "away")
	}
	if !s.Handed.IsZero() {
		words = append(words, "handed in")
	}
	if s.Invited {
		words = append(words, "asks for help")
	}
	return strings.Join(words, ", ")
}
