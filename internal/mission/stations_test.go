package mission

import (
	"testing"

	"github.com/labrun/labrun/internal/labtest"
)

// typesAt enters a line at a console, key by key.
func (c *classroom) typesAt(name, line string) {
	c.t.Helper()
	station, _ := c.lab.Station(name)
	terminal, err := station.Console()
	for _, key := range line + "\r" {
		if err == nil {
			err = terminal.Relay(c.t.Context(), []byte(string(key)))
		}
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// TestGuidedConsoles: instructions name the console of a machine that is meant, and what counts is what is typed there.
// Whom labrun plays types by themselves, once, however often the step is looked at again.
func TestGuidedConsoles(t *testing.T) {
	labtest.Parallel(t)
	lock, store := openFakes(t)
	c := openClassroomOf(t, `
mission(title = "Lab", api = 1)

router = machine("router", image = "debian")
niko = console(router, "niko", user = "niko")
nini = console(router, "nini", user = "root", played = True)

def made():
    return run(router, "test -e /srv/mine").status == 0

def work():
    """Work

    Two are at work.
    """
    boot(router, student = False)
    run(router, "mkdir -p /home/niko; echo niko:x:1000:1000::/home/niko:/bin/sh >>/etc/passwd", check = True)
    login(niko)
    send(niko, "echo I am $USER")
    assert_contains(niko, "I am niko", hint = "At niko's console.")
    login(nini)
    send(nini, "echo theirs >>/srv/theirs; cat /srv/theirs")
    assert_contains(nini, "theirs")
    assert_equal(read_file(router, "/srv/theirs"), "theirs\n")
    send(niko, "cat /srv/theirs")
    assert_equal(run(router, "cat /srv/seen").stdout, "yes\n", hint = "Say yes in /srv/seen.")
    task(niko, "Make a file /srv/mine.", solution = "touch /srv/mine", check = made, hints = ["touch makes one."])
    say("Theirs: " + read_file(router, "/srv/theirs"))

step(work)
`, lock.Names(), store, 0)
	c.reads("## Step 1 of 1: Work")
	c.reads("> On router/niko, type:\n    echo I am $USER")
	c.types("echo I am niko") // at the other console, where it does not count
	c.typesAt("router/niko", "echo I am who?")
	c.reads("Not yet")
	c.typesAt("router/niko", "echo I am $USER")
	c.reads("root is at work on router/nini, and types: `echo theirs >>/srv/theirs")
	c.reads("> On router/niko, type:\n    cat /srv/theirs")
	c.typesAt("router/niko", "cat /srv/theirs")
	c.reads("Say yes in /srv/seen.")
	c.typesAt("router/niko", "echo yes >/srv/seen") // the check is made again
	c.reads("Make a file /srv/mine.")
	c.typesAt("router/niko", "touch /srv/nothing")
	c.reads("Not yet")
	c.says("do")
	c.reads("Theirs: theirs\n")
	c.reads("Step 1 is done.")
	c.finishes(nil)
}
