package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/markdown"
	"github.com/labrun/labrun/internal/mission"
	"github.com/labrun/labrun/internal/pc"
	"github.com/labrun/labrun/internal/run"
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
	if len(args) == 0 {
		if err := pc.Export(f.output, web.Files(), "machine.html", nil); err != nil {
			return &environmentError{err}
		}
		p.tell(p.Out, "%s is a page with a PC for disk images: put the folder on a web server", f.output)
		return nil
	}
	if _, err := os.Lstat(f.output); err == nil {
		return &usageError{fmt.Sprintf("export: %s is there already: name a folder that is not", f.output)}
	}
	m, lock, err := p.find(ctx, c, args[0])
	if err != nil {
		return err
	}
	var reasons []string
	for _, machine := range m.Config().Machines {
		profile, _ := lock.Profile(machine.Image)
		if why := lab.Browsable(machine, profile); why != "" {
			reasons = append(reasons, machine.Name+": "+why)
		}
	}
	if len(reasons) > 0 {
		return &usageError{"export: not all machines of this mission can live in a page:\n  " + strings.Join(reasons, "\n  ")}
	}
	store, err := p.store(lock, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	files, err := p.exportedMission(ctx, m, store)
	if err != nil {
		return err
	}
	if err := pc.Export(f.output, web.Files(), "exported.html", files); err != nil {
		return &environmentError{err}
	}
	p.tell(p.Out, "%s is a page with this mission: put the folder on a web server", f.output)
	return nil
}

// exportedMission plays a mission, and returns what its page needs besides the page's own files.
func (p *program) exportedMission(ctx context.Context, m *mission.Mission, store *image.Store) (map[string][]byte, error) {
	p.tell(p.Err, "labrun plays the mission once, to hear what there is to do")
	state, err := p.recordsState()
	if err != nil {
		return nil, err
	}
	running, err := run.Start(ctx, m, run.Options{
		Store: store, Events: &event.Log{}, State: state, Failed: func(err error) { p.explain(ctx, err) },
	})
	if err != nil {
		return nil, err
	}
	result := running.Wait()
	if result.Err != nil {
		return nil, errReported(result.ExitCode())
	}
	page := exportedPage{
		Title: m.Title(), Language: cmp.Or(p.spoken(), "en"), Steps: []exportedStep{},
	}
	accounts := map[string]string{}
	files := map[string][]byte{}
	for i, machine := range m.Config().Machines {
		img, err := store.Ensure(ctx, machine.Image)
		if err != nil {
			return nil, &environmentError{err}
		}
		profile, _ := store.Profile(machine.Image)
		accounts[machine.Name] = profile.Console.User + " / " + profile.Console.Password
		p.tell(p.Err, "%s gets ready for the browser, which takes a minute the first time", machine.Name)
		file, err := pc.State(ctx, lab.States(store), web.Files(), pc.Kernel{
			Kernel: img.Kernel, Initrd: img.Initrd, Cmdline: profile.Cmdline, Memory: cmp.Or(machine.Memory, img.Memory),
		})
		if err != nil {
			return nil, &environmentError{err}
		}
		name := filepath.Base(file)
		if files["states/"+name], err = os.ReadFile(file); err != nil {
			return nil, &environmentError{err}
		}
		packages, err := os.ReadFile(filepath.Join(filepath.Dir(img.Kernel), "packages"))
		if err != nil {
			return nil, &environmentError{err}
		}
		files["states/packages.txt"] = append(files["states/packages.txt"], packages...)
		described := exportedMachine{
			Name: machine.Name, State: name, MAC: fmt.Sprintf("52:55:00:aa:01:%02x", i),
			Setup: profile.Guest.SetHostname(cmp.Or(machine.Hostname, machine.Name)) + "; " + profile.Guest.Cards,
		}
		if len(machine.NICs) > 0 {
			described.Network = machine.NICs[0].Network
			described.Setup += "; " + awaitCard
		}
		page.Machines = append(page.Machines, described)
	}
	page.Steps = exportedSteps(result.Events, accounts)
	if files["mission.json"], err = json.Marshal(page); err != nil {
		return nil, err
	}
	return files, nil
}

// awaitCard waits until a guest's DHCP client has begun, which takes away the addresses that
// somebody has given its card by then.
const awaitCard = "n=0; until ip link show eth0 | grep -q ,UP || [ $n = 100 ]; do n=$((n + 1)); sleep 0.1; done"

// exportedPage is a mission as its page has it (web/page/exported.js).
type exportedPage struct {
	Title    string            `json:"title"`
	Language string            `json:"language"`
	Machines []exportedMachine `json:"machines"`
	Steps    []exportedStep    `json:"steps"`
}

type exportedMachine struct {
	Name    string `json:"name"`
	State   string `json:"state"` // its file in states/
	MAC     string `json:"mac"`
	Network string `json:"network"` // whose members hear each other; empty: it has no card
	Setup   string `json:"setup"`   // what its control shell is told when it goes on
}

type exportedStep struct {
	Title string         `json:"title"`
	HTML  string         `json:"html"`
	Items []exportedItem `json:"items"`
}

type exportedItem struct {
	Kind    string `json:"kind"` // boot, login, type, see, check, say, other
	Machine string `json:"machine,omitempty"`
	Text    string `json:"text,omitempty"`
	HTML    string `json:"html,omitempty"`
}

// exportedSteps is what was done in a run, for somebody who is to do it. The accounts are
// those of the machines' images.
func exportedSteps(records []event.Record, accounts map[string]string) []exportedStep {
	kinds := map[string]string{"boot": "boot", "login": "login", "send": "type"}
	var steps []exportedStep
	for _, record := range records {
		var item exportedItem
		switch e := record.Event.(type) {
		case event.StepStarted:
			steps = append(steps, exportedStep{Title: e.Title, HTML: markdown.HTML(e.Narration), Items: []exportedItem{}})
			continue
		case event.Acted:
			item = exportedItem{Kind: cmp.Or(kinds[e.Verb], "other"), Machine: e.Machine, Text: e.Text}
			switch item.Kind {
			case "login":
				item.Text = cmp.Or(e.Text, accounts[e.Machine])
			case "other":
				item.Text = strings.TrimSpace(fmt.Sprintf("%s: %s %s", e.Machine, e.Verb, e.Text))
			}
		case event.Checked:
			item = exportedItem{Kind: "check", Text: fmt.Sprintf("%s: %s", e.Builtin, e.What)}
			if e.Builtin == "assert_contains" {
				item = exportedItem{Kind: "see", Text: e.What}
			}
		case event.Said:
			item = exportedItem{Kind: "say", HTML: markdown.HTML(e.Text)}
		case event.Asked:
			item = exportedItem{Kind: "say", HTML: markdown.HTML(e.Question)}
		default:
			continue
		}
		last := len(steps) - 1
		if last < 0 {
			continue
		}
		for name := range strings.SplitSeq(item.Machine, ", ") { // some are switched on together
			item.Machine = name
			steps[last].Items = append(steps[last].Items, item)
		}
	}
	return steps
}
