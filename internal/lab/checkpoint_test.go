package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/labtest"
)

// typeAt types a line at a machine's console and returns what it printed.
func typeAt(t *testing.T, ctx context.Context, m *Machine, line string) string {
	t.Helper()
	c, err := m.Console()
	if err == nil {
		err = c.Send(ctx, line+"\n")
	}
	if err == nil {
		err = c.Finished(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(c.Output())
}

// TestCheckpoint: a whole lab goes back to where it was: what was in memory and on
// disk, on each machine, and the network between them.
func TestCheckpoint(t *testing.T) {
	labtest.Parallel(t)
	ctx := context5(t)
	config := Config{Networks: []string{"lan"}, Machines: []MachineConfig{
		{Name: "router7", Image: "router7", NICs: []NICConfig{{Uplink: true}, {Network: "lan"}}},
		{Name: "mini", Image: "mini", NICs: []NICConfig{{Network: "lan"}}},
		{Name: "later", Image: "mini", NICs: []NICConfig{{Network: "lan"}}},
	}}
	l := newLab(t, config)
	router, mini, later := l.Machine("router7"), l.Machine("mini"), l.Machine("later")
	if err := l.Boot(ctx, router, mini); err != nil {
		t.Fatal(err)
	}
	if _, err := router.WaitPrompt(ctx); err != nil {
		t.Fatal(err)
	}
	if err := mini.Own().Login(ctx, "", ""); err != nil {
		t.Fatal(err)
	}
	addr, err := mini.Address(ctx, "lan")
	if err != nil {
		t.Fatal(err)
	}
	typeAt(t, ctx, mini, "here=then; echo on disk >/root/file; sleep 1000 & echo $!")
	dir := filepath.Join(t.TempDir(), "one")
	started := time.Now()
	if err := l.Checkpoint(ctx, dir); err != nil {
		t.Fatal(err)
	}
	t.Logf("saved in %v", time.Since(started).Round(time.Millisecond))
	if err := l.Checkpoint(ctx, filepath.Join(t.TempDir(), "two")); err != nil {
		t.Errorf("a second one: %v", err)
	}
	if got := typeAt(t, ctx, mini, "echo $here"); got != "then" {
		t.Errorf("the lab does not run on: %q", got)
	}

	typeAt(t, ctx, mini, "here=now; rm /root/file; kill %1")
	if err := l.Boot(ctx, later); err != nil {
		t.Fatal(err)
	}
	router.stop()
	for try := range 2 { // the same checkpoint serves more than once
		started = time.Now()
		if err := l.Restore(ctx, dir); err != nil {
			t.Fatal(err)
		}
		t.Logf("restored in %v", time.Since(started).Round(time.Millisecond))
		if later.Running() {
			t.Error("a machine that was off is on")
		}
		c, err := mini.Console()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Expect(ctx, console.Prompt(console.ShellPrompt)); err != nil {
			t.Fatal(err)
		}
		if text := c.Tail(4); !strings.Contains(text, "here=then") {
			t.Errorf("the console shows %q", text)
		}
		got := typeAt(t, ctx, mini, "cat /root/file; echo $here; jobs")
		if !strings.HasPrefix(got, "on disk") {
			t.Errorf("try %d: the file holds %q", try, got)
		}
		if !testing.Short() && !(strings.HasPrefix(got, "on disk\nthen\n") && strings.Contains(got, "sleep 1000")) { // a fake's shell has lost them
			t.Errorf("try %d: the shell knows %q", try, got)
		}
		if got := typeAt(t, ctx, router, "ping -c 2 -W 5 "+addr.String()); !strings.Contains(got, " 0% packet loss") {
			t.Errorf("try %d: the network: %s", try, got)
		}
		if seen := watched(t, ctx, mini); seen != addr {
			t.Errorf("try %d: mini is at %v, and the switch says %v", try, addr, seen)
		}
		asked := time.Now().Unix()
		r, err := mini.Run(ctx, "date +%s", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if now, answered := int64(atoi(r.Stdout)), time.Now().Unix(); now < asked-2 || now > answered+2 {
			t.Errorf("the clock says %d, between %d and %d of the host's", now, asked, answered)
		}
		typeAt(t, ctx, mini, "here=again; rm /root/file")
	}

	// A cable that was out then is out again, and can be put back.
	cable := func(in bool, carrier string) {
		t.Helper()
		if err := mini.SetCable(ctx, "lan", in); err != nil {
			t.Fatal(err)
		}
		if got := typeAt(t, ctx, mini, "cat /sys/class/net/eth0/carrier"); got != carrier {
			t.Errorf("with the cable in: %v, the carrier is %q", in, got)
		}
	}
	cable(false, "0")
	cut := filepath.Join(t.TempDir(), "cut")
	if err := l.Checkpoint(ctx, cut); err != nil {
		t.Fatal(err)
	}
	cable(true, "1")
	if err := l.Restore(ctx, cut); err != nil {
		t.Fatal(err)
	}
	if got := typeAt(t, ctx, mini, "cat /sys/class/net/eth0/carrier"); got != "0" {
		t.Errorf("the cable was out at the checkpoint; the carrier is %q", got)
	}
	if got := typeAt(t, ctx, router, "ping -c 1 -W 2 "+addr.String()); !strings.Contains(got, "100% packet loss") {
		t.Errorf("with the cable out: %s", got)
	}
	cable(true, "1")
	if got := typeAt(t, ctx, router, "ping -c 2 -W 5 "+addr.String()); !strings.Contains(got, " 0% packet loss") {
		t.Errorf("with the cable back in: %s", got)
	}

	// What does not fit is not restored.
	var stale *StaleError
	if err := l.Restore(ctx, t.TempDir()); !errors.As(err, &stale) {
		t.Errorf("an empty folder: %v", err)
	}
	if !mini.Running() {
		t.Error("a refused checkpoint has stopped the lab")
	}
	config.Machines[1].Memory = 160
	other := newLab(t, config)
	if err := other.Restore(ctx, dir); !errors.As(err, &stale) || stale.Off {
		t.Errorf("a machine of another size: %v", err)
	}
	if err := os.Truncate(filepath.Join(dir, "mini.state"), 100); err != nil {
		t.Fatal(err)
	}
	if err := l.Restore(ctx, dir); !errors.As(err, &stale) || !stale.Off || router.Running() || mini.Running() {
		t.Errorf("a damaged state: %v; on: %v, %v", err, router.Running(), mini.Running())
	}
	if err := l.Boot(ctx, router); err != nil {
		t.Errorf("the lab cannot be used any more: %v", err)
	}
}

// A machine that started from a template needs it no more: others may give it up meanwhile.
func TestCheckpointWithoutItsTemplate(t *testing.T) {
	labtest.Parallel(t)
	store := freshStore(t)
	l, _, _ := booted(t, oneRouter, store) // makes it
	l.Close()
	l, router, _ := booted(t, oneRouter, store)
	g, err := router.current()
	if err != nil || g.template == "" {
		t.Fatalf("the router did not start from its template: %v", err)
	}
	if err := store.DiscardTemplate(g.template); err != nil {
		t.Fatal(err)
	}
	ctx, dir := context5(t), filepath.Join(t.TempDir(), "one")
	if err := l.Checkpoint(ctx, dir); err != nil {
		t.Fatal(err)
	}
	if err := l.Restore(ctx, dir); err != nil {
		t.Fatal(err)
	}
	usable(t, router)
}

// TestHangsAtACheckpoint: when a machine does not answer that was restored, the lab goes back
// once more; if that helps no more, the machines are off, and nobody waits for them.
func TestHangsAtACheckpoint(t *testing.T) {
	labtest.Parallel(t)
	l, router, _ := booted(t, oneRouter, openStore(t))
	ctx, dir := context5(t), filepath.Join(t.TempDir(), "one")
	if err := l.Checkpoint(ctx, dir); err != nil {
		t.Fatal(err)
	}
	const never, usual = time.Nanosecond, resyncLimit
	again := usual
	var notices []string
	l.options.Events.Attach(func(r event.Record) {
		if e, ok := r.Event.(event.Notice); ok {
			notices, l.resyncLimit = append(notices, e.Text), again
		}
	})
	const told = "router7 did not go on from its saved state: it hangs, as may happen under emulation; the lab goes back once more"
	l.resyncLimit = never
	if err := l.Restore(ctx, dir); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(notices, []string{told}) {
		t.Errorf("it told %q", notices)
	}
	usable(t, router)

	l.resyncLimit, again = never, never
	var stale *StaleError
	if err := l.Restore(ctx, dir); !errors.As(err, &stale) || !stale.Off || router.Running() {
		t.Errorf("when it hangs again: %v; it runs: %v", err, router.Running())
	}
}

func atoi(text string) int {
	n, _ := strconv.Atoi(strings.TrimSpace(text))
	return n
}
