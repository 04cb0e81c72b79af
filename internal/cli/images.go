package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/markdown"
	"github.com/labrun/labrun/internal/qemu"
	"github.com/labrun/labrun/internal/report"
)

// cache is an open image cache whose progress is shown.
type cache struct {
	*image.Store
	show func(event.Record)
}

// endBar leaves a bar of progress on a line of its own, before something else is written.
func (c cache) endBar() { c.show(event.Record{}) }

// withStore runs an images subcommand on an open cache.
func (p *program) withStore(
	run func(c *cobra.Command, store cache, args []string) error,
) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		lock, err := p.lockIn(".")
		if err != nil {
			return err
		}
		events := &event.Log{}
		show := report.NewTerminal(
			p.Out, p.Err, report.StyleOf(p.Out, p.Getenv), report.StyleOf(p.Err, p.Getenv), false,
		).Record
		events.Attach(show)
		store, err := p.store(lock, progressTo(events))
		if err != nil {
			return err
		}
		defer store.Close()
		if err := run(c, cache{store, show}, args); err != nil {
			var usage *usageError
			if c.Context().Err() != nil || errors.As(err, &usage) {
				return err
			}
			return &environmentError{err}
		}
		return nil
	}
}

// named returns the images that the arguments name; none means all.
func named(store cache, args []string) ([]string, error) {
	if len(args) == 0 {
		return store.Names(), nil
	}
	for _, name := range args {
		if _, ok := store.Profile(name); !ok {
			return nil, unknownImage(store, name)
		}
	}
	return args, nil
}

func (p *program) newImages() *cobra.Command {
	root := &cobra.Command{
		Use:   "images",
		Short: "list, get, check and remove the images that machines boot from",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &usageError{
					fmt.Sprintf(
						"images: there is no %q: it is one of list, show, templates, fetch, build, verify, add, remove, push, pull, export, import, gc", args[0],
					),
				}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.AddCommand(
		p.newListImages(),
		&cobra.Command{
			Use: "show NAME…", Short: "what is inside: programs, services, how to log in",
			Args: cobra.MinimumNArgs(1), RunE: p.withStore(p.showImages),
		},
		&cobra.Command{
			Use: "templates", Short: "list the saved machines that others start from", Args: cobra.NoArgs,
			RunE: p.withStore(p.listTemplates),
		},
		&cobra.Command{
			Use: "fetch [NAME…]", Short: "get images ready, trying every source again",
			RunE: p.withStore(p.makeImages(false)),
		},
		&cobra.Command{
			Use: "build [NAME…]", Short: "make images anew, even if they are there",
			RunE: p.withStore(p.makeImages(true)),
		},
		&cobra.Command{
			Use: "verify [NAME…]", Short: "read images again and compare their digests",
			RunE: p.withStore(p.verifyImages),
		},
		p.newAddImage(),
		&cobra.Command{
			Use: "remove NAME", Short: "forget an image that was added", Args: cobra.ExactArgs(1),
			RunE: p.withStore(p.removeImage),
		},
		p.newPushImage(), p.newPullImage(), p.newExportImages(), p.newImportImages(),
		&cobra.Command{
			Use: "gc", Short: "remove what no image needs any more", Args: cobra.NoArgs,
			RunE: p.withStore(p.collectImages),
		},
	)
	return root
}

// listed is an image in machine-readable output.
type listed struct {
	Name     string   `json:"name"`
	Summary  string   `json:"summary"`
	Sources  []string `json:"sources"`
	Ready    bool     `json:"ready"`
	Source   string   `json:"source,omitempty"`
	StandIn  string   `json:"stand_in,omitempty"`
	Bytes    int64    `json:"bytes,omitempty"`
	Kernel   string   `json:"kernel,omitempty"`
	Initrd   string   `json:"initrd,omitempty"`
	Cmdline  string   `json:"cmdline,omitempty"`
	Disk     string   `json:"disk,omitempty"`
	Format   string   `json:"disk_format,omitempty"`
	Digest   string   `json:"digest,omitempty"`
	Debian   string   `json:"debian,omitempty"`
	Packages string   `json:"packages,omitempty"`
	image.Hardware
}

func (p *program) newListImages() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "list", Short: "what there is, and where it comes from", Args: cobra.NoArgs}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line, with the files of ready images")
	c.RunE = p.withStore(func(c *cobra.Command, store cache, _ []string) error {
		list, err := store.List(c.Context())
		if err != nil {
			return err
		}
		if !asJSON {
			return p.listImages(list)
		}
		encoder := json.NewEncoder(p.Out)
		for _, s := range list {
			profile, _ := store.Profile(s.Name)
			l := listed{Name: s.Name, Summary: s.Summary, Sources: s.Sources, Bytes: s.Size, Hardware: profile.Hardware}
			if i := s.Image; i != nil {
				l.Ready, l.Source, l.StandIn, l.Digest = true, i.Source, i.StandIn, i.Digest
				l.Hardware, l.Debian, l.Packages = i.Hardware, i.Debian, i.Packages
				l.Kernel, l.Initrd, l.Cmdline, l.Disk, l.Format = i.Kernel, i.Initrd, i.Cmdline, i.Disk, i.DiskFormat
			}
			if err := encoder.Encode(l); err != nil {
				return err
			}
		}
		return nil
	})
	return c
}

func (p *program) listImages(list []image.Status) error {
	table := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "IMAGE\tREADY\tSIZE\tFROM\tWHAT")
	for _, s := range list {
		ready, size, from := "no", "-", strings.Join(s.Sources, ", else ")
		if s.Image != nil {
			ready, size, from = "yes", fmt.Sprintf("%.0f MB", float64(s.Size)/1e6), s.Image.Source
			switch {
			case s.Image.StandIn != "":
				ready = "stand-in " + s.Image.StandIn
			case s.Image.BIOS:
				from += ": " + s.Image.Hardware.Describe()
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", s.Name, ready, size, from, s.Summary)
	}
	return table.Flush()
}

// showImages tells what an author of missions asks about images.
func (p *program) showImages(_ *cobra.Command, store cache, args []string) error {
	names, err := named(store, args)
	if err != nil {
		return err
	}
	for _, name := range names {
		about, _ := store.Profile(name)
		login := about.Console.User
		if about.Console.Password != "" {
			login += ", password " + about.Console.Password
		}
		var cards []string
		for _, n := range about.NICs {
			cards = append(cards, n.Name)
		}
		fmt.Fprintf(p.Out, "%s: %s\n", name, about.Summary)
		img, ready := store.Cached(name)
		made := ""
		if ready {
			about.Hardware = img.Hardware
			if img.Packages != "" {
				made = fmt.Sprintf("packages of Debian %s, in the versions that %s lists", img.Debian, img.Packages)
			}
		}
		if ready && img.BIOS {
			fmt.Fprintf(p.Out, "  (Here %s is used: what is in it only you know. labrun has no control channel to it.)\n", img.Source)
			about.Hostname, about.Runs, about.Has, about.Lacks = "", "", nil, nil
		}
		if ready && img.StandIn != "" {
			fmt.Fprintf(p.Out, "  (Here the stand-in %s is used, because %s.)\n", img.StandIn, img.Why)
			if other, ok := store.Profile(img.StandIn); ok {
				about.Runs, about.Has, about.Lacks = other.Runs, other.Has, other.Lacks
			}
		}
		for _, row := range [][2]string{
			{"calls itself", about.Hostname},
			{"log in as", login},
			{"machine", about.Hardware.Describe()},
			{"cards", strings.Join(cards, ", then ")},
			{"runs", about.Runs},
			{"made of", made},
			{"has", strings.Join(about.Has, " ")},
			{"lacks", strings.Join(about.Lacks, " ")},
		} {
			if row[1] != "" {
				fmt.Fprintf(
					p.Out, "  %-13s %s\n", row[0],
					strings.ReplaceAll(markdown.Wrap(row[1], 100), "\n", "\n"+strings.Repeat(" ", 16)),
				)
			}
		}
	}
	return nil
}

func (p *program) makeImages(force bool) func(*cobra.Command, cache, []string) error {
	return func(c *cobra.Command, store cache, args []string) error {
		names, err := named(store, args)
		if err != nil {
			return err
		}
		for _, name := range names {
			img, err := store.Build(c.Context(), name, force)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.Out, "%s: %s", name, img.Source)
			if img.StandIn != "" {
				fmt.Fprintf(p.Out, " (the stand-in %s: %s)", img.StandIn, img.Why)
			}
			fmt.Fprintln(p.Out)
		}
		return p.makeTemplates(c.Context(), store, names)
	}
}

// installed reports whether the emulator of a processor is there.
func installed(arch string) bool {
	a, ok := qemu.ArchOf(arch)
	return ok && a.Installed() == nil
}

// makeTemplates boots each image once, so that its machines start at once from
// then on. Without QEMU there is nothing to do.
func (p *program) makeTemplates(ctx context.Context, store cache, names []string) error {
	// What a lab would tell of images and acceleration is not asked for here.
	events := &event.Log{}
	events.Attach(func(r event.Record) {
		if _, ok := r.Event.(event.Progress); ok {
			store.show(r)
		}
	})
	for _, name := range names {
		if profile, _ := store.Profile(name); !installed(profile.Arch) {
			continue
		}
		why, err := lab.MakeTemplate(ctx, name, lab.Options{Store: store.Store, Events: events})
		if err != nil {
			return err
		}
		if why != "" {
			fmt.Fprintf(p.Out, "%s: its machines always boot, because %s\n", name, why)
		}
	}
	return nil
}

func (p *program) listTemplates(_ *cobra.Command, store cache, _ []string) error {
	list, err := store.Templates()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TEMPLATE\tMACHINE\tSIZE\tUSED")
	for _, t := range list {
		fmt.Fprintf(table, "%s\t%s\t%.0f MB\t%s\n", t.Key, t.Shape, float64(t.Size)/1e6, t.Used.Format(time.DateTime))
	}
	return table.Flush()
}

func (p *program) verifyImages(c *cobra.Command, store cache, args []string) error {
	names, err := named(store, args)
	if err != nil {
		return err
	}
	var faults []error
	for _, name := range names {
		if _, ok := store.Cached(name); !ok && len(args) == 0 {
			continue
		}
		if err := store.Verify(c.Context(), name); err != nil {
			faults = append(faults, err)
			continue
		}
		img, _ := store.Cached(name)
		fmt.Fprintf(p.Out, "%s: ok%s\n", name, packagesOf(img))
	}
	return errors.Join(faults...)
}

// packagesOf tells what an image was made of: two computers that tell the same have
// the same lab.
func packagesOf(img *image.Image) string {
	if img == nil || img.Packages == "" {
		return ""
	}
	list, err := os.ReadFile(img.Packages)
	if err != nil {
		return ""
	}
	return fmt.Sprintf(
		", of Debian %s, %s with the versions %.6x", img.Debian,
		report.Count(bytes.Count(list, []byte("\n")), "package"), sha256.Sum256(list),
	)
}

func (p *program) removeImage(c *cobra.Command, store cache, args []string) error {
	if _, ok := store.Profile(args[0]); !ok {
		return unknownImage(store, args[0])
	}
	was, err := store.Remove(c.Context(), args[0])
	if err != nil {
		return err
	}
	then := "labrun has no such image any more"
	if sources := store.Sources(args[0]); len(sources) > 0 {
		then = "from now on: " + strings.Join(sources, ", else ")
	}
	fmt.Fprintf(p.Out, "%s: removed %s; %s\n", args[0], was, then)
	return nil
}

func (p *program) collectImages(c *cobra.Command, store cache, _ []string) error {
	result, err := store.GC(c.Context())
	for _, path := range result.Removed {
		fmt.Fprintf(p.Out, "removed %s\n", path)
	}
	for _, path := range result.InUse {
		fmt.Fprintf(p.Out, "kept %s: another labrun uses it\n", path)
	}
	fmt.Fprintf(p.Out, "freed %.0f MB\n", float64(result.Freed)/1e6)
	return err
}

func unknownImage(store cache, name string) error {
	return &usageError{
		fmt.Sprintf(
			"images: %s is not in images.lock%s: there are %s", name, builtins.Suggest(name, store.Names()),
			strings.Join(store.Names(), ", "),
		),
	}
}
