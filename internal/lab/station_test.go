package lab

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/attach"
	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/labtest"
)

// manned is a machine with three consoles: niko's and a login prompt's besides its own.
var manned = MachineConfig{Name: "debian", Image: "debian", NICs: []NICConfig{{Network: "lan"}}, Consoles: []ConsoleConfig{
	{Name: "niko", User: "niko"}, {Name: "spare"},
}}

// makeUser makes the user niko as a set-up of a mission does.
const makeUser = `mkdir -p /home/niko; echo niko:x:1000:1000::/home/niko:/bin/sh >>/etc/passwd`

// shellAt waits for a shell at a console.
func shellAt(t *testing.T, ctx context.Context, s Station) *console.Console {
	t.Helper()
	c, err := s.Console()
	if err == nil {
		_, err = s.WaitPrompt(ctx, console.ShellPrompt)
	}
	if err != nil {
		t.Fatalf("%s: %v", s.Name(), err)
	}
	return c
}

// say types a line at a console and returns what it printed.
func say(t *testing.T, ctx context.Context, c *console.Console, line string) string {
	t.Helper()
	err := c.Send(ctx, line+"\n")
	if err == nil {
		err = c.Finished(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(c.Output())
}

// TestStations: a machine has more consoles than one. Whom it does not have yet is let in when they are there, comes
// back after a logout, a reboot and from a checkpoint, and nobody hears what is said elsewhere.
func TestStations(t *testing.T) {
	labtest.Parallel(t)
	ctx, l := fakes(t, manned)
	m := l.Machine("debian")
	niko, _ := l.Station("debian/niko")
	spare, _ := l.Station("debian/spare")
	if got := strings.Join(l.Consoles(), " "); got != "debian debian/niko debian/spare" {
		t.Errorf("the consoles are %s", got)
	}

	// The first has no user yet, and says so.
	c, err := niko.Console()
	if err == nil {
		_, err = c.Expect(ctx, console.Text("there is no user niko here yet"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Run(ctx, makeUser, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := niko.Login(ctx, "", ""); err != nil {
		t.Fatal(err)
	}
	if got := say(t, ctx, c, "echo $USER at $(tty)"); got != "niko at /dev/ttyS2" {
		t.Errorf("niko's shell says %q", got)
	}

	// The second has a login prompt.
	if match, err := spare.WaitPrompt(ctx); err != nil || match.Prompt != console.LoginPrompt {
		t.Fatalf("the spare console shows %v, %v", match.Prompt, err)
	}
	if err := spare.Login(ctx, "", ""); err != nil {
		t.Fatal(err)
	}
	other, _ := spare.Console()
	if got := say(t, ctx, other, "tty; cd /srv"); got != "/dev/ttyS3" {
		t.Errorf("the spare console is %q", got)
	}
	if strings.Contains(c.Tail(100), "ttyS3") || strings.Contains(other.Tail(100), "ttyS2") {
		t.Error("one console hears what is said at the other")
	}

	// Out, and in again.
	say(t, ctx, c, "cd /opt")
	if err := c.Send(ctx, "exit\n"); err != nil {
		t.Fatal(err)
	}
	shellAt(t, ctx, niko)
	if got := say(t, ctx, c, "pwd"); got != "/home/niko" {
		t.Errorf("after a logout niko is in %s", got)
	}

	// A size of its own.
	(viewerSide{l}).Resize(ctx, niko.Name(), 132, 43)
	if got := say(t, ctx, c, "stty size"); got != "43 132" {
		t.Errorf("niko's terminal has the size %s", got)
	}

	// Saved and restored.
	say(t, ctx, c, "cd /srv; echo before")
	dir := filepath.Join(t.TempDir(), "saved")
	if err := l.Checkpoint(ctx, dir); err != nil {
		t.Fatal(err)
	}
	say(t, ctx, c, "cd /; echo after")
	if err := l.Restore(ctx, dir); err != nil {
		t.Fatal(err)
	}
	c = shellAt(t, ctx, niko)
	if text := c.Tail(100); !strings.Contains(text, "before") || strings.Contains(text, "after") {
		t.Errorf("niko's console shows %q", text)
	}
	if got := say(t, ctx, c, "pwd; echo $USER"); got != "/srv\nniko" || c.User() != "niko" {
		t.Errorf("niko is restored as %q, and is said to be %q", got, c.User())
	}
	other = shellAt(t, ctx, spare)
	if got := say(t, ctx, other, "pwd"); got != "/srv" || other.User() != "root" {
		t.Errorf("at the spare console is %q in %s", other.User(), got)
	}

	// The guest boots anew.
	mark := c.Mark()
	if err := mustConsole(t, m).Send(ctx, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Run(ctx, "reboot", time.Minute); err == nil {
		t.Log("the guest has answered before it went down")
	}
	for !strings.Contains(c.Since(mark), "niko@") {
		if _, err := c.Expect(ctx, console.Text("niko@")); err != nil {
			t.Fatal(err)
		}
	}
	shellAt(t, ctx, niko)
	if got := say(t, ctx, c, "pwd"); got != "/home/niko" {
		t.Errorf("after a reboot niko is in %s", got)
	}

	// The machine is started anew.
	if err := m.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if err := l.Boot(ctx, m); err != nil {
		t.Fatal(err)
	}
	c = shellAt(t, ctx, niko)
	if got := say(t, ctx, c, "echo $USER"); got != "niko" {
		t.Errorf("after a restart %q is at niko's console", got)
	}
	if err := l.TakeDown(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(l.options.Records, "debian*.niko.cast"))
	if len(files) != 3 {
		t.Errorf("niko's console is recorded in %v", files)
	}
}

func mustConsole(t *testing.T, m *Machine) *console.Console {
	t.Helper()
	c, err := m.Console()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestStationsComeWithTemplates: a machine with more consoles goes on from the same saved state as one without.
func TestStationsComeWithTemplates(t *testing.T) {
	labtest.Parallel(t)
	ctx := context5(t)
	store := labtest.Store(t)
	plain := manned
	plain.Consoles = nil
	for i, config := range []MachineConfig{plain, manned, manned} {
		if i == 2 {
			config.Hostname = "renamed"
		}
		l := newLabWith(t, Config{Networks: []string{"lan"}, Machines: []MachineConfig{config}}, Options{Store: store})
		if err := l.Boot(ctx, l.Machine("debian")); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Machine("debian").Run(ctx, makeUser, time.Minute); err != nil { // it is settled, so saved
			t.Fatal(err)
		}
		if g, _ := l.Machine("debian").current(); g.warm != (i > 0) {
			t.Errorf("machine %d is restored: %v", i, g.warm)
		}
		if i > 0 {
			niko, _ := l.Station("debian/niko")
			c := shellAt(t, ctx, niko)
			if got := say(t, ctx, c, "echo $USER"); got != "niko" {
				t.Errorf("machine %d: %q is at niko's console", i, got)
			}
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestPlayedConsole: at a console where labrun plays somebody, others only look.
func TestPlayedConsole(t *testing.T) {
	labtest.Parallel(t)
	config := manned
	config.Consoles = []ConsoleConfig{{Name: "niko", User: "root", Played: true}}
	ctx := context5(t)
	l := newLabWith(t, Config{Networks: []string{"lan"}, Machines: []MachineConfig{config}}, Options{
		Store: labtest.Store(t), Cold: true, Interactive: true,
	})
	if err := l.Boot(ctx, l.Machine("debian")); err != nil {
		t.Fatal(err)
	}
	for name, typing := range map[string]bool{"debian": true, "debian/niko": false} {
		seat, err := attach.Sit(ctx, l.Session(), name, attach.SeatOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if seat.Typing() != typing {
			t.Errorf("at %s one may type: %v", name, seat.Typing())
		}
		seat.Close()
	}
	if _, err := attach.Sit(ctx, l.Session(), "debian/nobody", attach.SeatOptions{}); err == nil ||
		!strings.Contains(err.Error(), "debian, debian/niko") {
		t.Errorf("at a console that there is not: %v", err)
	}
}

// TestNoStations: what can have no further consoles says why.
func TestNoStations(t *testing.T) {
	labtest.Parallel(t)
	store := labtest.Store(t)
	for image, why := range map[string]string{"router7": "no users who log in", "crt": "no control channel"} {
		_, err := New(Config{Machines: []MachineConfig{{Name: "m", Image: image, Consoles: []ConsoleConfig{{Name: "x"}}}}},
			Options{Store: store})
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", image, err)
		}
	}
}

// The further consoles of TestHostname's machines, whose systems are real.
var (
	serverConsoles = []ConsoleConfig{{Name: "nini", User: "nini"}, {Name: "niko", User: "niko"}}
	deskConsoles   = []ConsoleConfig{{Name: "second", User: "root"}, {Name: "spare"}}
)

// realStations: people are logged in at the further consoles of Debian and of Alpine, and each has a shell of their own.
func realStations(t *testing.T, l *Lab) {
	t.Helper()
	ctx := context5(t)
	for _, c := range []struct{ name, user, tty string }{
		{"server/nini", "nini", "/dev/ttyS2"}, {"server/niko", "niko niko club", "/dev/ttyS3"},
		{"desk/second", "root", "/dev/ttyS2"}, {"desk/spare", "root", "/dev/ttyS3"},
	} {
		s, _ := l.Station(c.name)
		if err := s.Login(ctx, "", ""); err != nil {
			t.Fatal(err)
		}
		at, err := s.Console()
		if err != nil {
			t.Fatal(err)
		}
		who, groups, _ := strings.Cut(c.user, " ")
		if got := say(t, ctx, at, "id -un; tty; here=$(id -un)"); got != who+"\n"+c.tty {
			t.Errorf("%s: at its console is %q", c.name, got)
		}
		if got := say(t, ctx, at, "id -Gn"); groups != "" && got != groups {
			t.Errorf("%s: %s is in the groups %q", c.name, who, got)
		}
	}
}

// restoredStations: who was logged in there before a checkpoint is at the same shell after it.
func restoredStations(t *testing.T, l *Lab) {
	t.Helper()
	ctx := context5(t)
	for _, who := range []string{"nini", "niko"} {
		s, _ := l.Station("server/" + who)
		at := shellAt(t, ctx, s)
		if got := say(t, ctx, at, "echo $here; here=gone; cd /"); got != who {
			t.Errorf("after a checkpoint %s's shell knows %q", who, got)
		}
	}
}
