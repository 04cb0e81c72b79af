package replay

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/labrun/labrun"
	"github.com/labrun/labrun/internal/handin"
	"github.com/labrun/labrun/internal/image"
)

const realLab = `mission(title = "An editor and a number", api = 1)
alpine = machine("alpine")

def edit():
    """Edit"""
    boot(alpine)
    login(alpine)
    task(alpine, "Write a note that says hello, with vi.", solution = "echo hello >/root/note",
        check = lambda: assert_contains(read_file(alpine, "/root/note"), "hello", hint = "It should say hello."))

def number():
    """End a process"""
    run(alpine, "setsid sleep 4321 </dev/null >/dev/null 2>&1 &", check = True)
    task(alpine, "End the process that sleeps.", solution = "pkill sleep", check = lambda: run(alpine, "pgrep sleep").status != 0)
    send(alpine, "ping -c 2 127.0.0.1")
    assert_contains(alpine, "2 packets received")

step(edit)
step(number)
`

// On a real machine a student writes with an editor, ends a process by its number, which is another
// one each time, and ends a program with Ctrl-C once it has said enough.
func TestHonestOnARealMachine(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines: run without -short")
	}
	lock, err := image.ParseLock(labrun.ImagesLock)
	if err != nil {
		t.Fatal(err)
	}
	store, err := image.Open(image.StoreOptions{Lock: lock, Recipes: labrun.Images(), Mirror: os.Getenv("LABRUN_MIRROR")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s := newSchool(t, store, realLab)
	s.plays(func(p *pupil) {
		p.asked("boot")
		p.types("alpine", "\r")
		p.enters("alpine", "login: ", "root")
		p.enters("alpine", "assword: ", "root")
		p.asked("hello, with vi")
		p.enters("alpine", "# ", "vi /root/note")
		p.reads(`(note.*0/0|/root/note.*\[New)`)
		p.types("alpine", "ihello")
		p.types("alpine", "\x1b")
		p.types("alpine", ":wq\r")
		p.asked("the process that sleeps")
		p.enters("alpine", "# ", "ps | grep [s]leep")
		p.enters("alpine", "# ", "kill "+p.reads(`(\d+) root +\d:\d\d sleep 4321`))
		p.asked("ping")
		p.enters("alpine", "# ", "ping 127.0.0.1")
		p.reads(`(seq=2)`)
		p.types("alpine", "\x03")
		p.enters("alpine", "# ", "ping -c 2 127.0.0.1")
		p.hears("completed", 1)
	})
	v := s.judges(s.handsIn())
	if v.Judgement != handin.Confirmed || v.Steps[1].Found.State != "done" {
		text, _ := json.MarshalIndent(v, "", " ")
		t.Errorf("%s", text)
	}
}
