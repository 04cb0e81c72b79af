package lab

import (
	"testing"

	"github.com/labrun/labrun/internal/console"
)

// TestHostname: a machine has the name that the lab gives it, at its prompts and after
// a reboot, and who is logged in there matters if it is asked for.
func TestHostname(t *testing.T) {
	for name, cold := range map[string]bool{"restored": false, "cold": true} {
		t.Run(name, func(t *testing.T) {
			ctx := context5(t)
			lab := newLab(t, Config{Machines: []MachineConfig{
				{Name: "desk", Image: "alpine", Hostname: "desk-1"}, {Name: "server", Image: "debian", Hostname: "server"},
			}})
			lab.options.Cold = cold
			desk, server := lab.Machine("desk"), lab.Machine("server")
			if err := lab.Boot(ctx, desk, server); err != nil {
				t.Fatal(err)
			}
			for m, want := range map[*Machine]string{desk: "desk-1 login: ", server: "server login: "} {
				if match, err := m.WaitPrompt(ctx); err != nil || match.Text != want && !cold {
					t.Errorf("its prompt is %q, %v", match.Text, err)
				}
				if err := m.Login(ctx, "", ""); err != nil {
					t.Fatal(err)
				}
			}
			if got := typeAt(t, ctx, server, `hostname; getent hosts server`); got != "server\n127.0.1.1       server" {
				t.Errorf("the server says %q", got)
			}
			if match, err := server.WaitPrompt(ctx, console.ShellPrompt); err != nil || match.Text != "root@server:~# " {
				t.Errorf("its prompt is %q, %v", match.Text, err)
			}

			if r, err := desk.Run(ctx, "adduser -D nini && echo nini:nini | chpasswd", patience); err != nil || r.Status != 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			for _, who := range [][2]string{{"nini", "nini"}, {"", "nini"}, {"root", "root"}, {"root", "root"}, {"", "root"}} {
				password := who[0]
				if err := desk.Login(ctx, who[0], password); err != nil {
					t.Fatal(err)
				}
				if got := typeAt(t, ctx, desk, "id -un"); got != who[1] {
					t.Errorf("asked for %q, it is %q", who[0], got)
				}
			}
			typeAt(t, ctx, desk, "su nini") // somebody is there whom no login prompt has seen
			if err := desk.Login(ctx, "nini", "nini"); err != nil {
				t.Fatal(err)
			}
			if got := typeAt(t, ctx, desk, "id -un"); got != "nini" {
				t.Errorf("out of two shells it is %q", got)
			}
		})
	}
}
