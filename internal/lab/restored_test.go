package lab

import (
	"flag"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/labtest"
)

var restores = flag.Int("restores", 5, "how many restores in a row TestRestoresInARow makes")

// TestTwins: two machines of one template are two machines.
func TestTwins(t *testing.T) {
	needsMachines(t)
	ctx := context5(t)
	l := newLab(t, Config{Networks: []string{"lan"}, Machines: []MachineConfig{
		{Name: "router7", Image: "router7", NICs: []NICConfig{{Uplink: true}, {Network: "lan"}}},
		{Name: "one", Image: "debian", NICs: []NICConfig{{Network: "lan"}}},
		{Name: "two", Image: "debian", NICs: []NICConfig{{Network: "lan"}}},
	}})
	if err := l.Boot(ctx, l.Machines()...); err != nil {
		t.Fatal(err)
	}
	twins := l.Machines()[1:]
	leases, err := l.Machines()[0].Leases(ctx, twins)
	if err != nil {
		t.Fatal(err)
	}
	if len(leases) != 2 || leases[0].Addr == leases[1].Addr || leases[0].HardwareAddr == leases[1].HardwareAddr {
		t.Errorf("the leases: %+v", leases)
	}
	for _, lease := range leases {
		if left := time.Until(lease.Expiry); left < time.Minute || left > time.Hour {
			t.Errorf("the lease of %s ends in %v", lease.Addr, left)
		}
	}
	for _, what := range []string{
		"cat /etc/machine-id", "cat /etc/ssh/ssh_host_ed25519_key.pub", "cat /proc/sys/kernel/random/uuid",
		"ssh-keyscan -t ed25519 localhost 2>/dev/null",
	} {
		var answers []string
		for _, m := range twins {
			r, err := m.Run(ctx, what, time.Minute)
			if err != nil || r.Status != 0 || strings.TrimSpace(r.Stdout) == "" {
				t.Fatalf("%s on %s: %+v, %v", what, m.Name(), r, err)
			}
			answers = append(answers, r.Stdout)
		}
		if answers[0] == answers[1] {
			t.Errorf("%s: both answer %q", what, answers[0])
		}
	}
	for _, m := range twins {
		before := float64(time.Now().UnixNano()) / 1e9
		r, err := m.Run(ctx, "date +%s.%N; systemctl is-system-running; systemctl --failed --no-legend", time.Minute)
		after := float64(time.Now().UnixNano()) / 1e9
		if err != nil {
			t.Fatal(err)
		}
		first, rest, _ := strings.Cut(r.Stdout, "\n")
		if seconds, err := strconv.ParseFloat(first, 64); err != nil || seconds < before-2 || seconds > after+2 {
			t.Errorf("%s's clock says %s between %f and %f", m.Name(), first, before, after)
		}
		if rest != "running\n" {
			t.Errorf("%s's systemd says %q", m.Name(), rest)
		}
	}
}

// TestAskedInVain: a Debian whose cable was out as its ifup asked for an address has ended that before it was saved, so that
// what follows an ifup is not done by each that goes on from there; and it asks on.
func TestAskedInVain(t *testing.T) {
	needsMachines(t)
	ctx := context5(t)
	l := newLab(t, Config{Networks: []string{"lan"}, Machines: []MachineConfig{
		{Name: "router7", Image: "router7", NICs: []NICConfig{{Uplink: true}, {Network: "lan"}}},
		{Name: "debian", Image: "debian", NICs: []NICConfig{{Network: "lan"}}},
	}})
	router, debian := l.Machine("router7"), l.Machine("debian")
	if err := l.Boot(ctx, debian); err != nil {
		t.Fatal(err)
	}
	r, err := debian.Run(ctx, "systemctl show --value --property ActiveState ifup@eth0; ip -4 -o addr show eth0", time.Minute)
	if err != nil || r.Stdout != "active\n" {
		t.Errorf("of its ifup it says: %+v, %v", r, err)
	}
	if err := l.Boot(ctx, router); err != nil {
		t.Fatal(err)
	}
	if _, err := debian.Address(ctx, "lan"); err != nil {
		t.Error(err)
	}
}

// TestRestoresInARow restores a router and a server again and again; -restores
// says how often.
func TestRestoresInARow(t *testing.T) {
	labtest.Parallel(t)
	store := openStore(t)
	for i := range *restores {
		func() {
			news := listen()
			l, err := New(Config{Networks: []string{"lan"}, Machines: []MachineConfig{
				oneRouter.Machines[0], {Name: "mini", Image: "mini", NICs: []NICConfig{{Network: "lan"}}},
			}}, Options{Store: store, Events: &news.Log})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			ctx := context5(t)
			if err := l.Boot(ctx, l.Machines()...); err != nil {
				t.Fatal(err)
			}
			router, mini := l.Machine("router7"), l.Machine("mini")
			if _, err := router.WaitPrompt(ctx); err != nil {
				t.Fatal(err)
			}
			if err := mini.Own().Login(ctx, "", ""); err != nil {
				t.Fatal(err)
			}
			usable(t, router)
			if _, err := router.Leases(ctx, []*Machine{mini}); err != nil {
				t.Fatal(err)
			}
			if r, err := mini.Run(ctx, "ping -c 1 -W 3 10.254.0.1", time.Minute); err != nil || r.Status != 0 {
				t.Fatalf("ping: %+v, %v", r, err)
			}
			if notices, machines := news.all(); i > 0 && (notices != "" || strings.Count(machines, "readywarm") != 2) {
				t.Errorf("restore %d told %q, %s", i, notices, machines)
			}
		}()
		if t.Failed() {
			t.Fatalf("in restore %d", i)
		}
	}
}

// TestHangsWhenRestored: a machine that does not go on from its saved state is started
// again, and the lab with it goes on.
func TestHangsWhenRestored(t *testing.T) {
	labtest.Parallel(t)
	ctx := context5(t)
	var notices []string
	events := &event.Log{}
	events.Attach(func(r event.Record) {
		if e, ok := r.Event.(event.Notice); ok {
			notices = append(notices, e.Text)
		}
	})
	store := openStore(t)
	l := newLabWith(t, Config{Networks: []string{"lan"}, Machines: []MachineConfig{
		{Name: "mini", Image: "mini", Hostname: "small", NICs: []NICConfig{{Network: "lan"}}},
	}}, Options{Store: store, Events: events})
	l.resyncLimit = 5 * time.Second
	mini := l.Machine("mini")
	if why, err := MakeTemplate(ctx, "mini", Options{Store: store, Events: &event.Log{}}); why != "" || err != nil {
		t.Fatal(why, err)
	}
	mini.profile.Guest.Restored = `[ -e /hung ] || { : >/hung; sync; sleep 1000; }; date -s "@$2"`
	if err := l.Boot(ctx, mini); err != nil {
		t.Fatal(err)
	}
	if err := mini.Own().Login(ctx, "", ""); err != nil {
		t.Fatal(err)
	}
	if got := typeAt(t, ctx, mini, "ls /hung; hostname; ip -o link show eth0 | wc -l"); got != "/hung\nsmall\n1" {
		t.Errorf("it says %q", got)
	}
	if r, err := mini.Run(ctx, "date +%s", time.Minute); err != nil || r.Status != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if !slices.ContainsFunc(notices, func(n string) bool { return strings.Contains(n, "did not go on from its saved state") }) {
		t.Errorf("it told %q", notices)
	}
}
