package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/console"
)

// coldBoot is how a Debian is booted.
type coldBoot struct {
	smp, accel, nic, firmware string
	cmdline                   func(string) string
}

// coldCase differs from labrun's way in one thing.
type coldCase struct {
	name   string
	change func(*coldBoot)
}

func without(words ...string) func(string) string {
	return func(cmdline string) string {
		return strings.Join(
			slices.DeleteFunc(strings.Fields(cmdline), func(w string) bool { return slices.Contains(words, w) }), " ",
		)
	}
}

var coldCases = []coldCase{
	{"as labrun boots it", func(*coldBoot) {}},
	{"the card keeps its option ROM", func(b *coldBoot) { b.nic = "virtio-net-pci,netdev=net" }},
	{"one virtual CPU", func(b *coldBoot) { b.smp = "1" }},
	{"all virtual CPUs in one thread", func(b *coldBoot) { b.accel = "tcg,thread=single,tb-size=256" }},
	{"QEMU's default translation buffer", func(b *coldBoot) { b.accel = "tcg,thread=multi" }},
	{"a translation buffer of 32 MiB", func(b *coldBoot) { b.accel = "tcg,thread=multi,tb-size=32" }},
	{"the kernel's messages on the console (no quiet)", func(b *coldBoot) { b.cmdline = without("quiet") }},
	{"the kernel tests its ciphers", func(b *coldBoot) { b.cmdline = without("cryptomgr.notests") }},
	{"RCU grace periods as they come", func(b *coldBoot) { b.cmdline = without("rcupdate.rcu_expedited=1") }},
	{"qboot instead of SeaBIOS", func(b *coldBoot) { b.firmware = "qboot.rom" }},
}

// measureCold boots a Debian alone, again and again, until its login prompt.
func measureCold(ctx context.Context, rounds int) (string, chart, error) {
	image, err := imageNamed(ctx, "debian")
	if err != nil {
		return "", chart{}, err
	}
	took := make([][]float64, len(coldCases))
	for range rounds {
		for i, c := range coldCases {
			b := coldBoot{
				"2", "tcg,thread=multi,tb-size=256", "virtio-net-pci,romfile=,netdev=net", "",
				func(s string) string { return s },
			}
			c.change(&b)
			seconds, err := b.boot(ctx, image)
			if ctx.Err() != nil {
				return "", chart{}, context.Cause(ctx)
			}
			if err != nil {
				fmt.Fprintf(os.Stderr, "cold, %s: %v\n", c.name, err)
				continue
			}
			took[i] = append(took[i], seconds)
			fmt.Fprintf(os.Stderr, "cold, %s: %.2f s\n", c.name, seconds)
		}
	}
	var rows [][]string
	ch := chart{title: "Debian alone, from QEMU's start to its login prompt", unit: "s"}
	for i, c := range coldCases {
		m := median(took[i])
		rows = append(rows, []string{c.name, number("%.2f s", m), number("%+.2f s", m-median(took[0]))})
		ch.bars = append(ch.bars, bar{c.name, m, i == 0})
	}
	return "One thing changed at a time, without labrun: QEMU, and a reader that looks for `login: `.\n\n" +
		table([]string{"Debian, cold", "to the login prompt", "difference"}, rows), ch, nil
}

// boot boots a Debian and returns how long its login prompt took.
func (b coldBoot) boot(ctx context.Context, image imageFiles) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, guestLimit)
	defer cancel()
	dir, err := os.MkdirTemp("", "labrun-bench-*")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	disk := filepath.Join(dir, "disk.qcow2")
	if err := image.overlay(ctx, disk); err != nil {
		return 0, err
	}
	w := &wiring{}
	defer w.close()
	args := []string{
		"-m", "256", "-smp", b.smp, "-accel", b.accel, "-netdev", "user,id=net,restrict=on", "-device", b.nic,
	}
	if b.firmware != "" {
		args = append(args, "-bios", b.firmware)
	}
	image.Cmdline = b.cmdline(image.Cmdline)
	start := time.Now()
	c, err := w.machine(ctx, image, disk, nil, args...)
	if err != nil {
		return 0, err
	}
	_, err = c.Expect(ctx, console.Text("login: "))
	return time.Since(start).Seconds(), err
}
