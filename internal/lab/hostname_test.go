package lab

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/labrun/labrun/internal/console"
)

// TestHostname: a machine has the name that the lab gives it, at its prompts and after
// a reboot, and who is logged in there matters if it is asked for.
func TestHostname(t *testing.T) {
	needsMachines(t)
	for name, cold := range map[string]bool{"restored": false, "cold": true} {
		t.Run(name, func(t *testing.T) {
			ctx := context5(t)
			lab := newLab(t, Config{Networks: []string{"lan"}, Machines: []MachineConfig{
				{Name: "router7", Image: "router7", NICs: []NICConfig{{Uplink: true}, {Network: "lan"}}},
				{Name: "desk", Image: "alpine", Hostname: "desk-1", NICs: []NICConfig{{Network: "lan"}}, Consoles: deskConsoles},
				{Name: "server", Image: "debian", Hostname: "server", NICs: []NICConfig{{Network: "lan"}}, Consoles: serverConsoles},
			}})
			lab.options.Cold = cold
			router, desk, server := lab.Machine("router7"), lab.Machine("desk"), lab.Machine("server")
			if err := lab.Boot(ctx, router, desk, server); err != nil {
				t.Fatal(err)
			}
			for m, want := range map[*Machine]string{desk: "desk-1 login: ", server: "server login: "} {
				if match, err := m.WaitPrompt(ctx); err != nil || match.Text != want && !cold {
					t.Errorf("its prompt is %q, %v", match.Text, err)
				}
				if err := m.Own().Login(ctx, "", ""); err != nil {
					t.Fatal(err)
				}
			}
			if got := typeAt(t, ctx, server, `hostname; getent hosts server`); got != "server\n127.0.1.1       server" {
				t.Errorf("the server says %q", got)
			}
			if match, err := server.WaitPrompt(ctx, console.ShellPrompt); err != nil || match.Text != "root@server:~# " {
				t.Errorf("its prompt is %q, %v", match.Text, err)
			}

			if r, err := server.Run(ctx, "useradd -m -s /bin/bash nini && echo nini:nini | chpasswd && useradd -m niko && groupadd club && usermod -aG club niko", patience); err != nil || r.Status != 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			for _, who := range [][2]string{{"nini", "nini"}, {"nini", "nini"}, {"", "root"}, {"nini", "nini"}, {"root", "root"}, {"", "root"}} {
				password := who[0]
				if err := server.Own().Login(ctx, who[0], password); err != nil {
					t.Fatal(err)
				}
				if got := typeAt(t, ctx, server, "id -un"); got != who[1] {
					t.Errorf("asked for %q, it is %q", who[0], got)
				}
			}
			typeAt(t, ctx, server, "su nini") // somebody is there whom no login prompt has seen
			if err := server.Own().Login(ctx, "nini", "nini"); err != nil {
				t.Fatal(err)
			}
			if got := typeAt(t, ctx, server, "id -un"); got != "nini" {
				t.Errorf("out of two shells it is %q", got)
			}
			realStations(t, lab)
			if !cold {
				afterCheckpoint(t, lab, server)
			}
			namesOfTheirOwn(t, lab, router, desk, server)
		})
	}
}

// afterCheckpoint: who is logged in is part of a checkpoint.
func afterCheckpoint(t *testing.T, l *Lab, server *Machine) {
	ctx, dir := context5(t), filepath.Join(t.TempDir(), "checkpoint")
	if err := l.Checkpoint(ctx, dir); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"nini", "root"} {
		if err := l.Restore(ctx, dir); err != nil {
			t.Fatal(err)
		}
		if err := server.Own().Login(ctx, who, who); err != nil {
			t.Fatal(err)
		}
		if got := typeAt(t, ctx, server, "id -un"); got != who {
			t.Errorf("after a checkpoint of nini %s was asked for, and it is %q", who, got)
		}
		restoredStations(t, l)
	}
}

// namesOfTheirOwn: the router hears the names, and one that is changed stays.
func namesOfTheirOwn(t *testing.T, l *Lab, router, desk, server *Machine) {
	ctx := context5(t)
	leases, err := router.Leases(ctx, []*Machine{desk, server})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, lease := range leases {
		names = append(names, lease.Hostname)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"desk-1", "server"}) {
		t.Errorf("the router has lent addresses to %q", names)
	}
	typeAt(t, ctx, desk, "echo new >/etc/hostname")
	if err := l.Restart(ctx, desk); err != nil {
		t.Fatal(err)
	}
	if match, err := desk.WaitPrompt(ctx); err != nil || match.Text != "new:~# " {
		t.Errorf("renamed and started again, its prompt is %q, %v", match.Text, err)
	}
}
