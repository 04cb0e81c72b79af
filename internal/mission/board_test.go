package mission

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/guide"
	"github.com/labrun/labrun/internal/labtest"
)

// threeChallenges is a mission with a step, a board and a step. The set-ups count how often they are played.
const threeChallenges = `mission(title = "Lab", api = 1)
lan = network("lan")
router = machine("router", image = "router7", nics = [uplink(), lan])

def begin():
    """Begin"""
    boot(router, student = False)
    wait_prompt(router)

def counted(name):
    run(router, "echo x >>/root/set-up-%s; echo wrong >/root/%s" % (name, name), check = True)

def has(name):
    return run(router, "cat /root/%s" % name).stdout == "right\n"

def a_ready():
    counted("a")

def a_done():
    return has("a")

def a():
    """Mend A

    The file /root/a has to say right.
    """
    task(router, "Let /root/a say right.", solution = "echo right >/root/a", check = a_done, hints = ["echo"])

def b_ready():
    counted("b")

def b_done():
    return has("b")

def b():
    """Mend B"""
    task(router, "Let /root/b say right.", solution = "echo right >/root/b", check = b_done, hints = ["echo"])

def c_done():
    return has("c")

def c():
    """Make C"""
    task(router, "Let /root/c say right.", solution = "echo right >/root/c", check = c_done, hints = ["echo"])

def end():
    """The end"""
    assert_equal(ask("Over?", choices = ["yes", "no"], answer = "yes"), "yes")

step(begin)
challenge(a, setup = a_ready)
challenge(b, setup = b_ready)
challenge(c)
step(end)
`

// setUps is how often a challenge's set-up was played.
func (c *classroom) setUps(name string) int {
	c.t.Helper()
	result, err := c.router.Run(c.t.Context(), "cat /root/set-up-"+name+" 2>/dev/null; true", reviewTime)
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.Count(result.Stdout, "x")
}

// killed is what a labrun that is killed at this moment leaves of the progress.
func (c *classroom) killed() string {
	c.t.Helper()
	folder := c.t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(c.kept)); err != nil {
		c.t.Fatal(err)
	}
	return folder
}

// atBoard begins a guided run of the three challenges, and waits for the board.
func atBoard(t *testing.T) *classroom {
	t.Helper()
	lock, store := openFakes(t)
	return atBoardOf(t, openClassroomOf(t, threeChallenges, lock.Names(), store, 0))
}

func atBoardOf(t *testing.T, c *classroom) *classroom {
	t.Helper()
	c.reads("> Wait for the prompt of router.")
	c.says("do")
	c.reads("Step 1 is done.")
	c.reads("## Challenges: 0 of 3 solved")
	c.reads("> Which challenge?")
	return c
}

func TestBoardInAnyOrder(t *testing.T) {
	labtest.Parallel(t)
	c := atBoard(t)
	for line, answer := range map[string]string{
		"goto 4":  "There is no challenge 4: they are numbered from 1 to 3.",
		"goto":    "Which challenge? Say its number",
		"reset 1": "You have not been at challenge 1 yet",
		"yes":     "I do not know «yes».",
		"leave":   "I do not know «leave».",
	} {
		c.says(line)
		c.reads(answer)
	}
	c.says("goto 2")
	c.reads("## Challenge 2 of 3: Mend B")
	c.reads("> Your task on router: Let /root/b say right.")
	c.says("goto 2")
	c.reads("You are at challenge 2 already.")
	c.types("echo right >/root/b")
	c.reads("Challenge 2 is solved.")
	c.reads("## Challenges: 1 of 3 solved")
	c.reads("✓  2. Mend B (solved ")
	c.says("goto 1")
	c.reads("The file /root/a has to say right.")
	c.says("goto 3")
	c.reads("## Challenge 3 of 3: Make C")
	c.types("echo wrong >/root/b; echo right >/root/c")
	c.reads("Challenge 3 is solved.")
	c.reads("## Challenges: 2 of 3 solved\n")
	c.reads("…  1. Mend A (begun)\n    !  2. Mend B (solved ")
	c.says("goto 1")
	c.reads("> Your task on router: Let /root/a")
	c.says("do")
	c.reads("Challenge 1 is solved.")
	c.reads("## Challenges: 3 of 3 solved")
	c.reads("> Which challenge?") // since one has changed
	if n := c.setUps("a"); n != 1 {
		c.t.Errorf("the set-up of A was played %d times", n)
	}
	c.says("goto 2")
	c.reads("> Your task on router: Let /root/b")
	c.types("echo right >/root/b")
	c.reads("Challenge 2 is solved.")
	c.reads("## Challenges: 3 of 3 solved")
	c.reads("## Step 5 of 5: The end")
	c.says("1")
	c.reads("Step 5 is done.")
	c.finishes(nil)
}

// A challenge begins anew without harm to the others, after a question.
func TestResetOfAChallenge(t *testing.T) {
	labtest.Parallel(t)
	c := atBoard(t)
	c.says("goto 1")
	c.reads("> Your task on router: Let /root/a")
	c.types("echo right >/root/a")
	c.reads("Challenge 1 is solved.")
	c.says("goto 2")
	c.reads("> Your task on router: Let /root/b")
	c.types("rm /root/b; echo mine >/root/own")
	c.reads("Not yet:")
	c.says("redo")
	c.reads("> Begin challenge 2 («Mend B») anew? What it needs is put there again, and what")
	c.says("maybe")
	c.reads("I do not know «maybe».")
	c.says("no")
	c.reads("> Your task on router: Let /root/b")
	if n := c.setUps("b"); n != 1 {
		t.Errorf("the set-up of B was played %d times", n)
	}
	c.says("reset 2")
	c.reads("yes or no?")
	c.says("yes")
	c.reads("The challenge begins anew")
	c.reads("> Your task on router: Let /root/b")
	if n := c.setUps("b"); n != 2 {
		t.Errorf("the set-up of B was played %d times", n)
	}
	c.says("reset 1")
	c.reads("> Begin challenge 1 («Mend A») anew?")
	c.says("yes")
	c.reads("> Your task on router: Let /root/b")
	c.says("leave")
	c.reads("## Challenges: 1 of 3 solved\n")
	c.reads("!  1. Mend A (solved ") // its set-up did that
	// One without a set-up takes all machines along.
	c.says("goto 3")
	c.reads("> Your task on router: Let /root/c")
	c.types("rm /root/own")
	c.reads("Not yet:")
	c.says("reset 3")
	c.reads("> Begin challenge 3 («Make C») anew? Nothing was put there for it, so all")
	c.says("yes")
	c.reads("All machines are as they were before you entered challenge 3.")
	c.reads("> Which challenge?")
	if r, err := c.router.Run(t.Context(), "cat /root/own", reviewTime); err != nil || r.Stdout != "mine\n" {
		t.Errorf("it has %q, %v", r.Stdout, err)
	}
	c.says("next")
	c.reads("> Challenges not solved yet: 2. Go on without them?")
	c.says("no")
	c.reads("> Which challenge?")
	c.says("next")
	c.reads("yes or no?")
	c.says("y")
	c.reads("> Question: Over?")
	c.says("quit")
	c.finishes(guide.ErrQuit)
}

// atHome is for several runs of the three challenges, on one cache: each has the progress of a
// folder, and goes on there, or begins.
func atHome(t *testing.T) func(t *testing.T, kept string) *classroom {
	t.Helper()
	lock, store := openFakes(t)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(t *testing.T, kept string) *classroom {
		t.Helper()
		return openClassroomIn(t, kept, threeChallenges, lock.Names(), store, -1)
	}
}

// Whoever is killed goes on with the newest state that was saved, and no set-up is played again.
func TestBoardAfterAKill(t *testing.T) {
	labtest.Parallel(t)
	open := atHome(t)
	c := atBoardOf(t, open(t, t.TempDir()))
	c.says("goto 1")
	c.reads("> Your task on router: Let /root/a")
	c.types("echo right >/root/a")
	c.reads("> Which challenge?")
	c.says("goto 2")
	c.reads("> Your task on router: Let /root/b")
	c.types("echo half >/root/b")
	c.reads("Not yet:")
	amid := c.killed()
	c.says("leave")
	c.reads("## Challenges: 1 of 3 solved")
	c.reads("> Which challenge?")
	left := c.killed()
	c.says("goto 2")
	c.reads("> Your task on router: Let /root/b")
	c.types("echo more >/root/b")
	c.reads("Not yet:")
	c.says("quit")
	c.finishes(guide.ErrQuit)
	c.leaves()

	for _, run := range []struct{ name, folder, b string }{
		{"killed in a challenge", amid, "wrong"}, {"killed at the board", left, "half"}, {"quit", c.kept, "more"},
	} {
		t.Run(run.name, func(t *testing.T) {
			c := open(t, run.folder)
			c.reads("Welcome back.")
			c.reads("Challenges solved: 1 of 3.")
			c.reads("The machines are as you left them")
			c.reads("✓  1. Mend A (solved ")
			c.reads("…  2. Mend B (begun)")
			c.says("goto 2")
			c.reads("> Your task on router: Let /root/b")
			if r, err := c.router.Run(t.Context(), "cat /root/b", reviewTime); err != nil || r.Stdout != run.b+"\n" {
				t.Errorf("it has %q, %v", r.Stdout, err)
			}
			if a, b := c.setUps("a"), c.setUps("b"); a != 1 || b != 1 {
				t.Errorf("the set-ups were played %d and %d times", a, b)
			}
			c.types("echo right >/root/b")
			c.reads("Challenge 2 is solved.")
			c.says("goto 3")
			c.says("skip")
			c.reads("Challenge 3 is solved, by labrun for you.")
			c.reads("## Challenges: 3 of 3 solved")
			c.reads("> Question: Over?")
			c.says("quit")
			c.finishes(guide.ErrQuit)
		})
	}
}

// Where no state can be restored, labrun plays what was solved again, and what was begun begins anew.
func TestBoardWithoutItsStates(t *testing.T) {
	labtest.Parallel(t)
	open := atHome(t)
	c := atBoardOf(t, open(t, t.TempDir()))
	c.says("goto 2")
	c.reads("> Your task on router: Let /root/b")
	c.types("echo right >/root/b")
	c.reads("> Which challenge?")
	c.says("goto 1")
	c.reads("> Your task on router: Let /root/a")
	folder := c.killed()
	c.says("quit")
	c.finishes(guide.ErrQuit)
	states, _ := filepath.Glob(filepath.Join(folder, "*.machines", "board-*", "*.state"))
	if len(states) == 0 {
		t.Fatal("no state was saved")
	}
	for _, state := range states {
		if err := os.Remove(state); err != nil {
			t.Fatal(err)
		}
	}
	c = open(t, folder)
	c.reads("Welcome back.")
	c.reads("Step 1: Begin … labrun is doing it")
	c.reads("Challenge 2: Mend B … labrun is doing it")
	c.reads("…  1. Mend A (begun)\n    ✓  2. Mend B (solved ")
	c.says("goto 1")
	c.reads("> Your task on router: Let /root/a")
	if a, b := c.setUps("a"), c.setUps("b"); a != 1 || b != 1 {
		t.Errorf("the set-ups were played %d and %d times", a, b)
	}
	c.says("quit")
	c.finishes(guide.ErrQuit)
}
