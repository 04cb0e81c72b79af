package mission

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/script"
)

// TestEditedMeanwhile: what an author saves while a student is at work is what the student is asked next. What cannot be
// loaded or does not fit is told to who watches, and the mission goes on as it was.
func TestEditedMeanwhile(t *testing.T) {
	editPause = 5 * time.Millisecond
	t.Cleanup(func() { editPause = time.Second })
	file := filepath.Join(t.TempDir(), "lab.star")
	const source = `mission(title = "Lab", api = 1, needs = ["host"])

def there():
    return False

def one():
    """One

    The first text.
    """
    host = terminal("host")
    task(host, "The first goal.", solution = "true", check = there, hints = ["The first hint."])

def two():
    """Two

    Another.
    """
    say("at the end")

step(one)
step(two)
`
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil { // as editors save
			t.Fatal(err)
		}
	}
	write(source)
	m, err := LoadFile(t.Context(), file, script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	editions := NewEditions(m)
	told := make(chan string, 10)
	editions.Tell = func(text string) { told <- text }
	said, typing, ended := leadThrough(t, editions)
	hears := func(what string) {
		t.Helper()
		for {
			select {
			case line := <-said:
				if strings.Contains(line, what) {
					return
				}
			case err := <-ended:
				t.Fatalf("it ended with %v before %q", err, what)
			}
		}
	}
	tells := func(what string) {
		t.Helper()
		if text := <-told; !strings.Contains(text, what) {
			t.Fatalf("who watches is told %q, want %q", text, what)
		}
	}
	hears("Goal:The first goal.")

	second := strings.NewReplacer("first text", "second text", "first goal", "second goal", "first hint", "second hint").Replace(source)
	write(second)
	tells("was edited: the text of step 1")
	hears("The second text.")
	hears("Goal:The second goal.")
	fmt.Fprintln(typing, "hint")
	hears("The second hint.")

	write(strings.Replace(second, "step(two)", "step(two", 1))
	tells("lab.star:23")
	write(strings.Replace(second, "step(two)", "", 1))
	tells("it has other steps")
	write(second + "alpine = network(\"other\")\n")
	tells("it declares other networks")

	// The check, too: now it holds.
	write(strings.Replace(second, "return False", "return True", 1))
	tells("what its steps do")
	hears("at the end")
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// TestAuthorGoesAnywhere: who writes a mission goes to any step, forwards past steps that labrun plays then, and back; a
// student is told who may.
func TestAuthorGoesAnywhere(t *testing.T) {
	labtest.Parallel(t)
	const source = `
mission(title = "Lab", api = 1)

router = machine("router", image = "mini")

def one():
    """One

    Begin.
    """
    boot(router, student = False)
    login(router)
    run(router, "echo one >>/root/done", check = True)
    say("one was at work")
    ask("Is this the first?", answer = "yes")

def two():
    """Two

    Go on.
    """
    run(router, "echo two >>/root/done", check = True)
    ask("Is this the second?", answer = "yes")

def three():
    """Three

    End.
    """
    say("Done: " + ", ".join(read_file(router, "/root/done").split()))
    ask("Is this the third?", answer = "yes")

step(one)
step(two)
step(three)
`
	lock, store := openImages(t)
	t.Cleanup(func() { store.Close() })
	c := openClassroomFor(t, t.TempDir(), source, lock.Names(), store, 0, true)
	c.reads("## Step 1 of 3: One")
	c.says("do")
	c.reads("Is this the first?")
	c.says("goto 4")
	c.reads("There is no step 4: they are 1 to 3.")
	c.says("goto 1")
	c.reads("You are at step 1 already.")
	c.says("goto 3")
	c.reads("## Step 3 of 3: Three")
	c.reads("Done: one, two")
	c.says("goto 2") // which has no saved state: it was played
	c.reads("## Step 2 of 3: Two")
	c.reads("Is this the second?")
	c.says("yes")
	c.reads("## Step 3 of 3: Three")
	c.reads("Done: one, two")
	c.says("yes")
	c.finishes(nil)

	lock, other := openImages(t)
	t.Cleanup(func() { other.Close() })
	c = openClassroomFor(t, t.TempDir(), source, lock.Names(), other, 0, false)
	c.reads("## Step 1 of 3: One")
	c.says("goto 3")
	c.reads("labrun --guide --author")
}
