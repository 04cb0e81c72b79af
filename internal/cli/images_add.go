package cli

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/disk"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/qemu"
)

func (p *program) newAddImage() *cobra.Command {
	var wish image.Wish
	var prompt string
	c := &cobra.Command{
		Use:   "add NAME FILE-OR-URL",
		Short: "let machines boot from a disk image of your own: a floppy disk, a CD, a hard disk",
		Long: `add copies a disk image into the cache: a floppy disk, a CD (ISO 9660) or a hard disk (raw, qcow2, VMDK, VDI,
VHD or VHDX), also one that is compressed (gz, xz, bz2, zst) or in an archive (tar, zip). It says what it has found.

A NAME that labrun knows keeps its profile, and the disk takes the place of its sources. Any other name is a new
image: machine("NAME") has a screen, and what the flags below say. On a terminal labrun asks for what no flag
says and no disk tells; elsewhere it takes what systems of that kind know. docs/disks.md has more.`,
		Args: cobra.ExactArgs(2),
		RunE: p.withStore(func(c *cobra.Command, store cache, args []string) error {
			if err := wish.Validate(); err != nil {
				return &usageError{fmt.Sprintf("images add: %v", err)}
			}
			if prompt != "" {
				var err error
				if wish.Prompt, err = regexp.Compile(prompt); err != nil {
					return &usageError{fmt.Sprintf("images add: --prompt: %v", err)}
				}
			}
			return p.addImage(c, store, args[0], args[1], wish)
		}),
	}
	f := c.Flags()
	f.IntVar(&wish.Memory, "memory", 0, "MiB that its machines get")
	f.IntVar(&wish.CPUs, "cpus", 0, "virtual CPUs that they get")
	f.StringVar(&wish.NICModel, "nic-model", "", "their network cards: "+strings.Join(image.NICModels, ", "))
	f.StringVar(&wish.DiskBus, "disk-bus", "", "where they find a hard disk: "+strings.Join(image.DiskBuses, ", "))
	f.StringVar(&wish.Board, "board", "", "what their processor sits on: pc, q35, isapc (older than PCI)")
	f.BoolVar(&wish.NoACPI, "no-acpi", false, "for systems that are older than ACPI and trip over it")
	f.StringVar(&wish.Display, "display", "", "vga, a screen, or none, a console on the first serial port")
	f.StringVar(&wish.Medium, "medium", "", "what the file is to be taken for, if it is not what it looks like: disk, floppy, cd")
	f.StringVar(&wish.Firmware, "firmware", "", "what boots it, if both can: bios, uefi")
	f.StringVar(&wish.Member, "member", "", "the `file` of an archive that holds several disks")
	f.StringVar(&prompt, "prompt", "", "a `regexp` for the last line while a new image waits for input, such as '^A:.*>$'")
	return c
}

func (p *program) addImage(c *cobra.Command, store cache, name, from string, wish image.Wish) error {
	_, _, wish.UEFI = qemu.UEFI()
	known := store.Names()
	told, asked := false, false
	wish.Ask = func(found disk.Image, guess image.Hardware) (image.Hardware, error) {
		told = true
		store.endBar()
		fmt.Fprintf(p.Out, "%s: this is %v\n", name, found)
		if like := builtins.Suggest(name, known); like != "" && !slices.Contains(known, name) {
			fmt.Fprintf(p.Out, "%s is a new name%s\n", name, like)
		}
		in := p.keyboard()
		if in == nil {
			return image.Hardware{}, nil
		}
		asked = true
		return askHardware(c.Context(), in, p.Err, c.Flags().Changed, found, guess)
	}
	img, err := store.Add(c.Context(), name, from, wish)
	if err != nil {
		return err
	}
	store.endBar()
	if !told {
		fmt.Fprintf(p.Out, "%s: this is %s\n", name, img.Found)
	} else if !asked {
		fmt.Fprintln(p.Out, "what no disk tells was guessed; --memory, --nic-model, --disk-bus, --board and --no-acpi say otherwise")
	}
	fmt.Fprintf(p.Out, "%s: %s, %s\n  sha256 %s\n", name, img.Source, img.Describe(), img.DiskSHA256)
	if sources := store.Sources(name); len(sources) > 0 {
		fmt.Fprintf(p.Out, "`labrun images remove %s` returns to its own sources\n", name)
	} else {
		fmt.Fprintf(p.Out, "machine(%q) boots it; `labrun images remove %s` forgets it\n", name, name)
	}
	return nil
}

// question is one that nothing in a disk answers.
type question struct {
	flag, text string
	usual      string
	choices    []string // empty: a number
	set        func(h *image.Hardware, answer string)
}

// askHardware asks at a terminal for what is not said by flags. Enter alone takes what is
// usual.
func askHardware(
	ctx context.Context, in io.Reader, out io.Writer, said func(flag string) bool, found disk.Image, guess image.Hardware,
) (h image.Hardware, err error) {
	acpi := "yes"
	if guess.NoACPI {
		acpi = "no"
	}
	questions := []question{
		{"memory", "How many MiB of memory", strconv.Itoa(guess.Memory), nil, func(h *image.Hardware, a string) { h.Memory, _ = strconv.Atoi(a) }},
		{"board", "Which board (isapc is older than PCI)", cmp.Or(guess.Board, "pc"), []string{"pc", "q35", "isapc"}, func(h *image.Hardware, a string) { h.Board = a }},
		{"nic-model", "Which network card has it a driver for", guess.NICModel, image.NICModels, func(h *image.Hardware, a string) { h.NICModel = a }},
		{"disk-bus", "Which disk has it a driver for", guess.DiskBus, image.DiskBuses, func(h *image.Hardware, a string) { h.DiskBus = a }},
		{"no-acpi", "Does it get along with ACPI (from about 1999 on)", acpi, []string{"yes", "no"}, func(h *image.Hardware, a string) { h.NoACPI = a == "no" }},
	}
	lines := make(chan string)
	stop := make(chan struct{})
	defer close(stop)
	go func() { // a read cannot be ended: after an interrupt it ends with the process
		defer close(lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			select {
			case lines <- s.Text():
			case <-stop:
				return
			}
		}
	}()
	fmt.Fprintln(out, "What no disk tells; Enter takes what stands in brackets:")
	for _, q := range questions {
		pointless := q.flag == "disk-bus" && (found.Medium != disk.Hard || h.Board == "isapc") ||
			q.flag == "nic-model" && h.Board == "isapc"
		for !said(q.flag) && !pointless {
			fmt.Fprintf(out, "  %s%s? [%s] ", q.text, among(q.choices), q.usual)
			select {
			case <-ctx.Done():
				fmt.Fprintln(out)
				return h, context.Cause(ctx)
			case line, ok := <-lines:
				line = strings.TrimSpace(line)
				if !ok || line == "" {
					line = q.usual
				}
				var tried image.Hardware
				q.set(&tried, line)
				if q.choices == nil && tried.Memory == 0 || q.choices != nil && !slices.Contains(q.choices, line) {
					fmt.Fprintf(out, "  %q is no answer to that.\n", line)
					continue
				}
				if err := tried.Validate(); err != nil {
					fmt.Fprintf(out, "  %v.\n", err)
					continue
				}
				if line != q.usual {
					q.set(&h, line)
				}
			}
			break
		}
	}
	return h, nil
}

func among(choices []string) string {
	if len(choices) == 0 {
		return ""
	}
	return ": " + strings.Join(choices, ", ")
}
