package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/lan"
)

// watcher is a page that looks at the network of a lab through its door.
type watcher struct {
	t       *testing.T
	lines   chan []byte
	ended   chan error
	drawing attach.Drawing
	passed  []string // what was told of each packet
	numbers []int
}

func watch(t *testing.T, ctx context.Context, l *Lab) *watcher {
	w := &watcher{t: t, lines: make(chan []byte), ended: make(chan error, 1)}
	go func() {
		w.ended <- attach.Network(ctx, l.Session(), func(line []byte) error {
			select {
			case w.lines <- bytes.Clone(line):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	}()
	return w
}

// sees waits until what is seen is as wanted.
func (w *watcher) sees(what string, wanted func() bool) {
	w.t.Helper()
	for !wanted() {
		select {
		case line := <-w.lines:
			w.take(line)
		case err := <-w.ended:
			w.t.Fatalf("never saw %s: %v\n%+v\n%q", what, err, w.drawing, w.passed)
		}
	}
}

func (w *watcher) take(line []byte) {
	w.t.Helper()
	var told struct {
		Kind    string
		Packets []struct {
			N                              int
			Card, From, To, Protocol, Info string
		}
	}
	err := json.Unmarshal(line, &told)
	if err == nil && told.Kind == "drawing" {
		w.drawing = attach.Drawing{}
		err = json.Unmarshal(line, &w.drawing)
	}
	if err != nil {
		w.t.Errorf("%s: %v", line, err)
	}
	for _, p := range told.Packets {
		w.passed = append(w.passed, strings.Join([]string{p.Card, p.From, p.To, p.Protocol, p.Info}, " "))
		w.numbers = append(w.numbers, p.N)
	}
}

func (w *watcher) machine(i int) attach.DrawnMachine {
	if i >= len(w.drawing.Machines) {
		return attach.DrawnMachine{Cards: make([]attach.DrawnCard, 2)}
	}
	return w.drawing.Machines[i]
}

// TestDrawing: who looks at a lab sees machines go on and off, cables, addresses and packets.
func TestDrawing(t *testing.T) {
	labtest.Parallel(t)
	ctx := context5(t)
	l := newLabWith(t, Config{Networks: []string{"lan"}, Machines: []MachineConfig{
		{Name: "router7", Image: "router7", NICs: []NICConfig{{Uplink: true}, {Network: "lan"}}}, fakeDebian,
	}}, Options{Store: labtest.Store(t), Records: t.TempDir(), Cold: true})
	router, debian := l.Machine("router7"), l.Machine("debian")

	w := watch(t, ctx, l)
	w.sees("the lab", func() bool { return len(w.drawing.Machines) == 2 })
	want := attach.Drawing{Networks: []string{"lan"}, Machines: []attach.DrawnMachine{
		{Name: "router7", Cards: []attach.DrawnCard{
			{Name: "uplink0", MAC: router.MAC(0), Uplink: true, Plugged: true, Addresses: []string{}},
			{Name: "lan0", MAC: router.MAC(1), Network: "lan", Plugged: true, Addresses: []string{}},
		}},
		{Name: "debian", Cards: []attach.DrawnCard{
			{Name: "eth0", MAC: debian.MAC(0), Network: "lan", Plugged: true, Addresses: []string{}},
		}},
	}}
	got, _ := json.Marshal(w.drawing)
	if wanted, _ := json.Marshal(want); !bytes.Equal(got, wanted) {
		t.Errorf("before the boot it is %s\nwant %s", got, wanted)
	}
	var refused *attach.RefusedError
	if err := attach.Capture(ctx, l.Session(), "lan", new(bytes.Buffer)); !errors.As(err, &refused) {
		t.Errorf("a capture before the boot: %v", err)
	}

	if err := l.Boot(ctx, router, debian); err != nil {
		t.Fatal(err)
	}
	w.sees("both on", func() bool { return w.machine(0).On && w.machine(1).On })
	w.sees("a lease", func() bool { return slices.Equal(w.machine(1).Cards[0].Addresses, []string{"10.254.0.2"}) })
	w.sees("DHCP", func() bool {
		return slices.Contains(w.passed, "router7/lan0 10.254.0.1 255.255.255.255 dhcp ack 10.254.0.2")
	})
	// The switch hears of a lease before the guest has taken it.
	r, err := debian.Run(ctx, "until ping -c 1 10.254.0.1; do sleep 0.1; done", time.Minute)
	if err != nil || r.Status != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	w.sees("a ping", func() bool {
		return slices.Contains(w.passed, "debian/eth0 10.254.0.2 10.254.0.1 icmp echo request, seq 0") &&
			slices.Contains(w.passed, "router7/lan0 10.254.0.1 10.254.0.2 icmp echo reply, seq 0")
	})
	w.sees("the router's address, which it was asked for", func() bool {
		return slices.Equal(w.machine(0).Cards[1].Addresses, []string{"10.254.0.1"})
	})
	for i, n := range w.numbers {
		if n != i+1 {
			t.Fatalf("the packets are numbered %v", w.numbers)
		}
	}

	// The file has what was seen, with the same numbers.
	var file bytes.Buffer
	if err := attach.Capture(ctx, l.Session(), "lan", &file); err != nil {
		t.Fatal(err)
	}
	packets, err := lan.ReadPackets(&file)
	if err != nil || len(packets) < len(w.passed) {
		t.Fatalf("the file has %d packets, of which %d were seen, %v", len(packets), len(w.passed), err)
	}
	for i, seen := range w.passed {
		if p := packets[i]; !strings.HasPrefix(seen, p.Port+" "+p.From()+" ") || !strings.HasSuffix(seen, p.Summary()) {
			t.Errorf("packet %d is %+v, and was told as %q", i+1, p, seen)
		}
	}

	for _, in := range []bool{false, true} {
		if err := debian.SetCable(ctx, "", in); err != nil {
			t.Fatal(err)
		}
		w.sees("the cable", func() bool { return w.machine(1).Cards[0].Plugged == in })
	}
	if err := router.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	w.sees("the router off", func() bool { return !w.machine(0).On && len(w.machine(0).Cards[1].Addresses) == 0 })

	// One who comes late is told what was.
	late := watch(t, ctx, l)
	late.sees("what was", func() bool { return len(late.passed) >= len(packets) })
	if !slices.Equal(late.passed[:len(w.passed)], w.passed) {
		t.Errorf("who came late saw\n%q\nwho was there\n%q", late.passed, w.passed)
	}
	if err := l.TakeDown(); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*watcher{w, late} {
		for over := false; !over; {
			select {
			case line := <-w.lines:
				w.take(line)
			case err := <-w.ended:
				if over = true; err != nil {
					t.Errorf("the end: %v", err)
				}
			}
		}
	}
}
