package mission

import (
	"testing"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/script"
)

// screenLab is a mission on a fake machine with a screen and no serial port. It is called router, as a classroom's is.
const screenLab = `mission(title = "Lab", api = 1)
router = machine("router", image = "crt")

def begin():
    """Begin"""
    boot(router)
    login(router)

def look():
    """Look"""
    send(router, "echo 'a  b'")
    wait_screen(router, pattern = "(?m)^a  b$", hint = "Type ` + "`echo 'a  b'`" + `.")

def is_there():
    wait_screen(router, pattern = "(?m)^4[2]$", hint = "It is not there.")

def reckon():
    """Reckon"""
    task(router, "Have the screen show 6 times 7.", solution = "echo $((6*7))", check = is_there,
        hints = ["` + "`echo $((6*7))`" + `"], wrong = ["echo 41"])

step(begin)
step(look)
step(reckon)
`

// openScreenLab opens a cache with the fake machine, and returns the names of its images.
func openScreenLab(t *testing.T) ([]string, *image.Store) {
	store, err := image.Open(labtest.Options(t))
	if err != nil {
		t.Fatal(err)
	}
	return []string{"crt"}, store
}

func TestScreenIsProved(t *testing.T) {
	labtest.Parallel(t)
	images, store := openScreenLab(t)
	defer store.Close()
	m, err := Load(t.Context(), folder("lab.star", screenLab), "lab.star", "lab.star", script.Options{Images: images})
	if err != nil {
		t.Fatal(err)
	}
	events := &event.Log{}
	l, err := lab.New(m.Config(), lab.Options{Store: store, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	trials := 0
	err = m.Prove(t.Context(), l, events, Proof{Begins: func(Trial, int) {}, Tell: func(trial Trial) {
		trials++
		if trial.Failure != "" || trial.NotTried != "" {
			t.Errorf("step %d, %s: %s%s", trial.Step, trial.Name, trial.Failure, trial.NotTried)
		}
	}})
	if err != nil || trials < 10 {
		t.Errorf("%d trials, %v", trials, err)
	}
}

func TestGuidedAtAScreen(t *testing.T) {
	labtest.Parallel(t)
	images, store := openScreenLab(t)
	c := openClassroomOf(t, screenLab, images, store, 0)
	c.reads("Switch on router")
	c.says("do")
	c.reads("> On router, log in: user root")
	c.says("do")
	c.reads("echo 'a  b'")
	c.types("echo 'a b'")
	c.types("echo 'a  b'")
	c.reads("Step 2 is done.")
	c.reads("6 times 7")
	c.types("echo 43")
	c.reads("It is not there.")
	c.types("echo 4''2")
	c.reads("Step 3 is done.")
	c.finishes(nil)
}
