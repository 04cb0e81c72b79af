package main

import (
	"path/filepath"
	"testing"
)

// TestGuidedLoginAsAnother: a step that wants somebody else at a console is not content
// with whoever sits there.
func TestGuidedLoginAsAnother(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a virtual machine: run without -short")
	}
	file := filepath.Join(t.TempDir(), "who.star")
	save(t, file, `mission(title = "Who", api = 1)
pc = machine("pc", image = "debian", hostname = "pc")

def who():
    """Who"""
    boot(pc)
    run(pc, "id nini || useradd -m -s /bin/bash nini; echo nini:green | chpasswd", check = True)
    login(pc)
    login(pc, user = "nini", password = "green")
    send(pc, "id -un")
    assert_contains(pc, "nini", hint = "Type `+"`id -un`"+`.")

step(who)
`)
	env := []string{"XDG_STATE_HOME=" + t.TempDir()}
	guide := sits(t, "the student at the guide", env, "--guide", "--lang", "en", file)
	guide.sees("labrun will lead you through one step")
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
	guide.sees("Mission complete: its one step is done.")
	guide.sees("The machines stay on")
	guide.types("quit")
	guide.leaves(0)
}
