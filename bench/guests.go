package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/labrun/labrun/internal/console"
)

const (
	// guestBytes is what one guest sends the other at a time, in MiB.
	guestBytes = 64
	// guestLimit is for one answer of a guest, when eight of them share the machine.
	guestLimit = 3 * time.Minute
)

// A guestPair is two guests with something between their cards.
type guestPair struct {
	name  string
	wires func(ctx context.Context, w *wiring) ([2]netdev, error)

	guests [2]*guest
	rates  []float64 // Mbit/s
	trips  []float64 // ms
}

// pairs begins with labrun's switch, then what it is compared with.
func pairs() []guestPair {
	return []guestPair{
		{name: "labrun's switch", wires: throughSwitch},
		{name: "QEMU's socket back end", wires: throughSocket},
		{name: "QEMU's stream back end, no switch", wires: throughStream},
		{name: "QEMU's hub, in a QEMU of its own", wires: throughHub},
	}
}

// measureGuests has all pairs up at once, so that their rounds can take turns.
func measureGuests(ctx context.Context, rounds int) ([]guestPair, error) {
	w := &wiring{}
	defer w.close()
	image, err := imageNamed(ctx, "alpine")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "labrun-bench-*")
	if err != nil {
		return nil, err
	}
	w.later(func() { os.RemoveAll(dir) })
	all := pairs()
	for i := range all {
		p := &all[i]
		fmt.Fprintf(os.Stderr, "switch: two guests and %s between them\n", p.name)
		wires, err := p.wires(ctx, w)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		for k, n := range wires {
			if p.guests[k], err = w.boot(
				ctx, image, n, filepath.Join(dir, fmt.Sprintf("%d-%d.qcow2", i, k)), k+1,
			); err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
		}
		for k, g := range p.guests {
			if err := g.settle(ctx, k+1); err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	for range rounds {
		for i := range all {
			p := &all[i]
			if err := p.round(ctx); err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			fmt.Fprintf(
				os.Stderr, "switch: %s: %.0f Mbit/s, %.3f ms\n", p.name, p.rates[len(p.rates)-1],
				p.trips[len(p.trips)-1],
			)
		}
	}
	return all, nil
}

var pingMean = regexp.MustCompile(`min/avg/max = [\d.]+/([\d.]+)/`)

func (p *guestPair) round(ctx context.Context) error {
	from, to := p.guests[0], p.guests[1]
	said, err := from.run(ctx, "ping -q -c 50 -i 0.02 10.9.0.2")
	if err != nil {
		return err
	}
	mean := pingMean.FindStringSubmatch(said)
	if mean == nil {
		return fmt.Errorf("ping said %q", said)
	}
	trip, err := strconv.ParseFloat(mean[1], 64)
	if err != nil {
		return err
	}
	// Alpine's nc ends when both ways have ended.
	if _, err := to.run(
		ctx, "nc -l -p 5001 </dev/null >/dev/null & until netstat -ltn | grep -q :5001; do :; done",
	); err != nil {
		return err
	}
	start := time.Now()
	if _, err := from.run(
		ctx, fmt.Sprintf("dd if=/dev/zero bs=64k count=%d 2>/dev/null | nc 10.9.0.2 5001", guestBytes*16),
	); err != nil {
		return err
	}
	p.rates = append(p.rates, guestBytes*8*(1<<20)/1e6/time.Since(start).Seconds())
	p.trips = append(p.trips, trip)
	return nil
}

// imageFiles is what `labrun images list --json` says of an image.
type imageFiles struct {
	Name, Kernel, Initrd, Cmdline, Disk string
	DiskFormat                          string `json:"disk_format"`
}

func imageNamed(ctx context.Context, name string) (image imageFiles, err error) {
	out, err := exec.CommandContext(ctx, "./labrun", "images", "list", "--json").Output()
	if err != nil {
		return image, fmt.Errorf("labrun images list: %w", err)
	}
	for line := range bytes.Lines(out) {
		if err := json.Unmarshal(line, &image); err != nil {
			return image, fmt.Errorf("labrun images list: %w", err)
		}
		if image.Name == name && image.Kernel != "" {
			return image, nil
		}
	}
	return image, fmt.Errorf("labrun images list: %s is not there", name)
}

// A guest is an Alpine at its shell.
type guest struct{ console *console.Console }

// overlay makes a disk that keeps a guest's changes to its image.
func (image imageFiles) overlay(ctx context.Context, disk string) error {
	out, err := exec.CommandContext(
		ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-F", image.DiskFormat, "-b", image.Disk, disk,
	).CombinedOutput()
	if err != nil {
		return fmt.Errorf("qemu-img create: %w: %s", err, out)
	}
	return nil
}

// machine starts an image on its overlay, with args for what differs, and returns its console.
func (w *wiring) machine(
	ctx context.Context, image imageFiles, disk string, files []*os.File, args ...string,
) (*console.Console, error) {
	own, its, err := socketPair()
	if err != nil {
		return nil, err
	}
	w.later(func() { own.Close() })
	err = w.start(ctx, files, its, append([]string{"-nodefaults", "-no-user-config", "-display", "none",
		"-machine", "pc,usb=off", "-cpu", "max",
		"-kernel", image.Kernel, "-initrd", image.Initrd, "-append", image.Cmdline,
		"-serial", "stdio", "-device", "virtio-rng-pci", "-drive",
		"if=virtio,cache=unsafe,format=qcow2,file=" + disk}, args...)...)
	if err != nil {
		return nil, err
	}
	return console.New(own, console.Options{}), nil
}

// boot starts an Alpine with one card.
func (w *wiring) boot(ctx context.Context, image imageFiles, n netdev, disk string, number int) (*guest, error) {
	if err := image.overlay(ctx, disk); err != nil {
		return nil, err
	}
	c, err := w.machine(ctx, image, disk, n.files, "-m", "128", "-smp", "2", "-accel", "tcg,thread=multi,tb-size=128",
		"-netdev", n.option, "-device",
		fmt.Sprintf("virtio-net-pci,romfile=,netdev=net,mac=52:55:00:bb:00:%02x", number))
	if err != nil {
		return nil, err
	}
	return &guest{c}, nil
}

// settle logs in and gives the card an address.
func (g *guest) settle(ctx context.Context, number int) error {
	ctx, cancel := context.WithTimeout(ctx, guestLimit)
	defer cancel()
	for _, step := range []struct{ await, typed string }{{"login: ", "root\n"}, {"assword: ", "root\n"}, {"# ", ""}} {
		if _, err := g.console.Expect(ctx, console.Text(step.await)); err != nil {
			return err
		}
		if step.typed == "" {
			break
		}
		time.Sleep(150 * time.Millisecond) // BusyBox drops what is typed too soon
		if err := g.console.Send(ctx, step.typed); err != nil {
			return err
		}
	}
	_, err := g.run(
		ctx,
		fmt.Sprintf(
			"kill $(cat /run/udhcpc.eth0.pid); ip addr add 10.9.0.%d/24 dev eth0 && ip link set eth0 up", number,
		),
	)
	return err
}

var ended = regexp.MustCompile(`(?s)(.*)done (\d+)\n`)

// run types a command and returns what it prints.
func (g *guest) run(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, guestLimit)
	defer cancel()
	if err := g.console.Send(ctx, command+"; echo d''one $?\n"); err != nil {
		return "", err
	}
	m, err := g.console.Expect(ctx, console.Pattern(ended))
	if err != nil {
		return "", err
	}
	if m.Groups[1] != "0" {
		return "", fmt.Errorf("%s: status %s: %s", command, m.Groups[1], m.Groups[0])
	}
	return m.Groups[0], nil
}
