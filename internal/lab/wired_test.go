package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/qemu"
)

// These tests have fake machines.

// wiredLab boots a router, and a server that is called name, until the router has lent the server an address.
func wiredLab(t *testing.T, store *image.Store, name string) (server *Machine, news *told) {
	t.Helper()
	ctx := context5(t)
	news = listen()
	l := newLabWith(t, Config{Networks: []string{"lan"}, Machines: []MachineConfig{
		oneRouter.Machines[0], {Name: "debian", Image: "debian", Hostname: name, NICs: []NICConfig{{Network: "lan"}}},
	}}, Options{Store: store, Events: &news.Log})
	if err := l.Boot(ctx, l.Machines()...); err != nil {
		t.Fatal(err)
	}
	router, server := l.Machine("router7"), l.Machine("debian")
	leases, err := router.Leases(ctx, []*Machine{server})
	if err != nil {
		t.Fatal(err)
	}
	own, err := server.Address(ctx, "lan")
	if err != nil {
		t.Fatal(err)
	}
	if len(leases) != 1 || leases[0].Addr != own.String() || leases[0].Hostname != name {
		t.Errorf("%s, which has %v, was lent %+v", name, own, leases)
	}
	connected(t, router)
	if err := server.Own().Login(ctx, "", ""); err != nil {
		t.Fatal(err)
	}
	if got := typeAt(t, ctx, server, "hostname"); got != name {
		t.Errorf("%s is called %q", name, got)
	}
	return server, news
}

// goesOn reports from which kind of template the machine went on.
func goesOn(t *testing.T, m *Machine) string {
	t.Helper()
	g, err := m.current()
	if err != nil {
		t.Fatal(err)
	}
	switch g.template {
	case "":
		return "none"
	case m.templateKey(true):
		return "wired"
	case m.templateKey(false):
		return "bare"
	}
	return g.template
}

// TestWired: what a machine needs its network cards and its name for happens once, and what has to do with time and
// with other machines each time. A name of its own makes another wired template, of the bare one, without a boot.
func TestWired(t *testing.T) {
	labtest.Parallel(t)
	store := labtest.Store(t)
	for _, c := range []struct {
		name, from string
		templates  int
	}{{"alpha", "none", 4}, {"alpha", "wired", 4}, {"beta", "bare", 5}, {"beta", "wired", 5}} {
		server, news := wiredLab(t, store, c.name)
		if from := goesOn(t, server); from != c.from {
			t.Errorf("%s went on from: %s; want %s", c.name, from, c.from)
		}
		console, err := server.Console()
		if err != nil {
			t.Fatal(err)
		}
		if prompts := strings.Count(console.Since(0), c.name+" login:"); c.from == "wired" && prompts != 1 {
			t.Errorf("there are %d login prompts of %s", prompts, c.name)
		}
		server.lab.Close() // it waits for the templates to be kept
		if notices, _ := news.all(); notices != "" {
			t.Errorf("%s told %q", c.name, notices)
		}
		if n := countTemplates(t, store); n != c.templates {
			t.Errorf("after %s there are %d templates, want %d", c.name, n, c.templates)
		}
	}
}

// TestCableOfTheWired: a cable that was out when the machine was saved is like any other.
func TestCableOfTheWired(t *testing.T) {
	labtest.Parallel(t)
	store := labtest.Store(t)
	for range 2 {
		server, _ := wiredLab(t, store, "alpha")
		ctx := context5(t)
		for _, in := range []bool{false, true} {
			if err := server.SetCable(ctx, "lan", in); err != nil {
				t.Fatal(err)
			}
			r, err := server.Run(ctx, "cat /sys/class/net/eth0/carrier", patience)
			if want := map[bool]string{false: "0\n", true: "1\n"}[in]; err != nil || r.Stdout != want {
				t.Errorf("with the cable in (%v) its carrier is %+v, %v", in, r, err)
			}
		}
		server.lab.Close()
	}
}

// TestTwinsShareATemplate: machines of one lab that have the same image go on from its bare template, but the first.
func TestTwinsShareATemplate(t *testing.T) {
	labtest.Parallel(t)
	store := labtest.Store(t)
	config := Config{Networks: []string{"lan"}, Machines: []MachineConfig{
		{Name: "one", Image: "debian", NICs: []NICConfig{{Network: "lan"}}},
		{Name: "two", Image: "debian", NICs: []NICConfig{{Network: "lan"}}},
	}}
	if why, err := MakeTemplate(context5(t), "debian", Options{Store: store}); why != "" || err != nil {
		t.Fatal(why, err)
	}
	l := newLabWith(t, config, Options{Store: store})
	if err := l.Boot(context5(t), l.Machines()...); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"one": "wired", "two": "bare"} {
		if from := goesOn(t, l.Machine(name)); from != want {
			t.Errorf("%s went on from: %s; want %s", name, from, want)
		}
	}
	l.Close()
	if n := countTemplates(t, store); n != 2 {
		t.Errorf("there are %d templates", n)
	}
}

// TestUselessWired: where the wired template is of no use the machine goes on from the bare one, and makes another.
func TestUselessWired(t *testing.T) {
	labtest.Parallel(t)
	store := labtest.Store(t)
	for i, c := range []struct{ from, notice string }{
		{"none", ""}, {"bare", "finds its network cards anew, because its state with them was of no use"}, {"wired", ""},
	} {
		server, news := wiredLab(t, store, "alpha")
		key := server.templateKey(true)
		if from := goesOn(t, server); from != c.from {
			t.Errorf("it went on from: %s; want %s", from, c.from)
		}
		server.lab.Close()
		if notices, _ := news.all(); c.notice == "" && notices != "" || !strings.Contains(notices, c.notice) {
			t.Errorf("it told %q", notices)
		}
		if i == 0 {
			state := filepath.Join(store.Dir(), "templates", key, qemu.SavedState)
			if err := errors.Join(os.Remove(state), os.WriteFile(state, []byte("nonsense"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestManyNames: where each student's machine has another name, most share the memory of the bare template.
func TestManyNames(t *testing.T) {
	labtest.Parallel(t)
	store := labtest.Store(t)
	for i := range mostNamed + 1 {
		want := "bare"
		if i == 0 {
			want = "none"
		}
		l := newLabWith(t, Config{Machines: []MachineConfig{{Name: "mini", Image: "mini", Hostname: fmt.Sprint("desk-", i)}}}, Options{Store: store})
		mini := l.Machine("mini")
		if err := l.Boot(context5(t), mini); err != nil {
			t.Fatal(err)
		}
		if err := mini.Own().Login(context5(t), "", ""); err != nil {
			t.Fatal(err)
		}
		if from := goesOn(t, mini); from != want {
			t.Errorf("machine %d went on from: %s", i, from)
		}
		if got := typeAt(t, context5(t), mini, "hostname"); got != fmt.Sprint("desk-", i) {
			t.Errorf("machine %d is called %q", i, got)
		}
		l.Close()
	}
	if n := countTemplates(t, store); n != mostNamed {
		t.Errorf("there are %d templates", n)
	}
}
