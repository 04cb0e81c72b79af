package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/image"
)

// Commands that move finished images between computers: docs/bundles.md.

// moved is a bundle in machine-readable output.
type moved struct {
	Image  string `json:"image"`
	Bundle string `json:"bundle,omitempty"` // what images.lock says to get it
	Digest string `json:"digest"`           // of the bundle
	Bytes  int64  `json:"bytes"`
	Here   bool   `json:"here,omitempty"` // it was here before
	Source string `json:"source,omitempty"`
}

// mover tells what became of bundles.
type mover struct {
	asJSON bool
	out    io.Writer
}

// mover is made before the work: what else is said does not get between JSON.
func (p *program) mover(asJSON bool) mover {
	m := mover{asJSON, p.Out}
	if asJSON {
		p.Out = p.Err
	}
	return m
}

// tell prints what became of bundles, by line, unless that is to be JSON.
func (m mover) tell(store cache, list []image.Bundle, line func(image.Bundle) string) error {
	encoder := json.NewEncoder(m.out)
	store.endBar()
	for _, b := range list {
		if !m.asJSON {
			fmt.Fprintln(m.out, line(b))
			continue
		}
		one := moved{Image: b.Image, Bundle: b.Ref, Digest: b.Digest, Bytes: b.Bytes, Here: b.Here}
		if img, ok := store.Cached(b.Image); ok {
			one.Source = img.Source
		}
		if err := encoder.Encode(one); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) newPushImage() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "push NAME HOST/PATH:TAG",
		Short: "send a finished image to a registry, for computers that cannot make it",
		Long: `push sends an image that is ready here to an OCI registry, such as ghcr.io, as a bundle, and says its digest, by which
` + "`labrun images pull`" + ` gets it and an images.lock can name it. What the registry has is not sent again. The login is that of
Docker's tools: ` + "`docker login HOST`" + `, podman's or the login action of GitHub. docs/bundles.md has more.`,
		Example: "  labrun images push debian ghcr.io/course/debian:v1",
		Args:    cobra.ExactArgs(2),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	c.RunE = p.withStore(func(c *cobra.Command, store cache, args []string) error {
		if _, err := named(store, args[:1]); err != nil {
			return err
		}
		m := p.mover(asJSON)
		b, err := store.Push(c.Context(), args[0], args[1])
		if err != nil {
			return err
		}
		return m.tell(store, []image.Bundle{b}, func(b image.Bundle) string {
			return fmt.Sprintf("%s: %s, as %s; in images.lock it is\n  bundle = %q", b.Image, megabytes(b.Bytes), args[1], b.Ref)
		})
	})
	return c
}

func (p *program) newPullImage() *cobra.Command {
	var as string
	var asJSON bool
	c := &cobra.Command{
		Use:   "pull HOST/PATH:TAG|HOST/PATH@sha256:DIGEST…",
		Short: "get finished images from a registry",
		Long: `pull gets bundles that ` + "`labrun images push`" + ` has sent: finished images, for which this computer needs none of the tools
that make them. Each is compared with its digest before it is used; one that breaks off goes on where it was when
pull is said again. A bundle of what this labrun would make itself counts as that; any other takes the place of the
image's sources until ` + "`labrun images remove NAME`" + `. docs/bundles.md has more.`,
		Example: "  labrun images pull ghcr.io/course/debian:v1",
		Args:    cobra.MinimumNArgs(1),
	}
	c.Flags().StringVar(&as, "as", "", "the `image` that it is to be here, instead of the one that it was")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object for each")
	c.RunE = p.withStore(func(c *cobra.Command, store cache, args []string) error {
		if as != "" && len(args) > 1 {
			return &usageError{"images pull: --as is for one bundle"}
		}
		m := p.mover(asJSON)
		var names []string
		for _, ref := range args {
			b, err := store.Pull(c.Context(), ref, as)
			if err != nil {
				return err
			}
			names = append(names, b.Image)
			if err := m.tellArrived(store, []image.Bundle{b}); err != nil {
				return err
			}
		}
		return p.makeTemplates(c.Context(), store, names)
	})
	return c
}

// tellArrived tells which images bundles have become.
func (m mover) tellArrived(store cache, list []image.Bundle) error {
	return m.tell(store, list, func(b image.Bundle) string {
		img, ok := store.Cached(b.Image)
		switch {
		case !ok: // another labrun has removed it meanwhile
			return b.Image + ": it is not here any more"
		case b.Here:
			return fmt.Sprintf("%s: it is here already: %s", b.Image, img.Source)
		}
		text := fmt.Sprintf("%s: %s", b.Image, img.Source)
		if store.Added(b.Image) {
			text += fmt.Sprintf("; `labrun images remove %s` forgets it", b.Image)
		}
		return text
	})
}

func (p *program) newExportImages() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "export FILE [NAME…]",
		Short: "write finished images to one file, for computers without a network",
		Long: `export writes images that are ready here, or those of them that are named, to one file, an OCI image layout in a tar.
` + "`labrun images import FILE`" + ` takes them on another computer. docs/bundles.md has more.`,
		Example: "  labrun images export week1.tar router7 debian alpine",
		Args:    cobra.MinimumNArgs(1),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object for each image")
	c.RunE = p.withStore(func(c *cobra.Command, store cache, args []string) error {
		names, err := named(store, args[1:])
		if err != nil {
			return err
		}
		if len(args) == 1 {
			names = names[:0:0]
			for _, name := range store.Names() {
				if _, ok := store.Cached(name); ok {
					names = append(names, name)
				}
			}
			if len(names) == 0 {
				return fmt.Errorf("export: no image is here yet: `labrun images fetch` gets them")
			}
		}
		m := p.mover(asJSON)
		list, err := store.Export(c.Context(), args[0], names...)
		if err != nil {
			return err
		}
		return m.tell(store, list, func(b image.Bundle) string { return fmt.Sprintf("%s: %s", b.Image, megabytes(b.Bytes)) })
	})
	return c
}

func (p *program) newImportImages() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "take the images of a file that export has written",
		Long: `import takes the images of a file that ` + "`labrun images export`" + ` has written. Each is compared with its digest, and
becomes what ` + "`labrun images pull`" + ` would make it.`,
		Args: cobra.ExactArgs(1),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object for each image")
	c.RunE = p.withStore(func(c *cobra.Command, store cache, args []string) error {
		m := p.mover(asJSON)
		list, err := store.Import(c.Context(), args[0])
		if told := m.tellArrived(store, list); err == nil {
			err = told
		}
		if err != nil {
			return err
		}
		var names []string
		for _, b := range list {
			names = append(names, b.Image)
		}
		return p.makeTemplates(c.Context(), store, names)
	})
	return c
}

func megabytes(bytes int64) string {
	if bytes < 1e6 {
		return fmt.Sprintf("%d kB", (bytes+999)/1000)
	}
	return fmt.Sprintf("%.0f MB", float64(bytes)/1e6)
}
