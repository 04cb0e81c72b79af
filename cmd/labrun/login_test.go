package main

import (
	"path/filepath"
	"testing"
)

// TestGuidedPeople: a step that wants somebody else at a console is not content with whoever
// sits there; and of several people at one machine's consoles, each is asked at their own.
func TestGuidedPeople(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a virtual machine: run without -short")
	}
	file := filepath.Join(t.TempDir(), "who.star")
	save(t, file, `mission(title = "Who", api = 1)
pc = machine("pc", image = "debian", hostname = "pc")
niko = console(pc, "niko", user = "niko")
nora = console(pc, "nora", user = "nora", played = True)

def who():
    """Who"""
    boot(pc)
    run(pc, "for who in nini niko nora; do id $who || useradd -m -s /bin/bash $who; done; echo nini:green | chpasswd", check = True)
    login(pc)
    login(pc, user = "nini", password = "green")
    send(pc, "id -un")
    assert_contains(pc, "nini", hint = "Type `+"`id -un`"+`.")

def together():
    """Together"""
    send(niko, "tty")
    assert_contains(niko, "/dev/ttyS", hint = "Type `+"`tty`"+` at niko's console.")
    send(nora, "echo 'for niko' >/tmp/note; cat /tmp/note")
    assert_contains(nora, "for niko")
    send(niko, "cat /tmp/note")
    assert_contains(niko, "for niko", hint = "Read /tmp/note.")
    task(niko, "Take the note home.", solution = "cp /tmp/note ~", check = lambda: run(pc, "stat -c %U /home/niko/note").stdout == "niko\n",
        hints = ["`+"`cp`"+`"])

step(who)
step(together)
`)
	env := []string{"XDG_STATE_HOME=" + t.TempDir()}
	guide := sits(t, "the student at the guide", env, "--guide", "--lang", "en", file)
	guide.sees("labrun will lead you through 2 steps")
	guide.sees("> Switch on pc")
	pc := guide.attaches("the student at pc", env, "pc")
	pc.sees("Enter")
	pc.types("")
	login := func(user, password string) {
		t.Helper()
		pc.sees("pc login: $")
		pc.types(user)
		pc.sees("assword: $")
		pc.typesPassword(password)
	}
	guide.sees("> On pc, log in: user root")
	login("root", "root")
	guide.sees("> On pc, root is logged in. Type exit there, then log in: user nini, password green")
	pc.sees("root@pc:~# $")
	pc.types("exit")
	login("root", "root")
	guide.sees("Not yet: root is logged in at pc: type exit there, then log in as nini.")
	pc.sees("root@pc:~# $")
	pc.types("exit")
	login("nini", "green")
	guide.sees("> On pc, type: id -un")
	pc.types("id -un")
	guide.sees("> On pc/niko, type: tty")
	niko := guide.attaches("the student at pc/niko", env, "pc/niko")
	niko.sees(`niko@pc:~. $`)
	pc.types("tty") // by nini, at another console
	pc.sees("/dev/ttyS0")
	niko.types("tyt")
	guide.sees("Not yet")
	niko.types("tty")
	guide.sees("nora is at work on pc/nora, and types: `echo 'for niko' >/tmp/note; cat /tmp/note")
	guide.sees("> On pc/niko, type: cat /tmp/note")
	niko.types("cat /tmp/note")
	guide.sees("Take the note home.")
	pc.types("cp /tmp/note .") // nini has it, and niko has not
	niko.types("cp /tmp/not ~")
	guide.sees("Not yet")
	niko.types("cp /tmp/note ~")
	guide.sees("Mission complete: all 2 steps are done.")
	guide.sees("The machines stay on")
	guide.types("quit")
	guide.leaves(0)
}
