package mission

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/script"
)

// boardOfTwo is a mission with a step, two challenges and another step, without machines.
const boardOfTwo = `mission(title = "Lab", api = 1)

def begin():
    """Begin"""
    say("begin")

def first_ready():
    say("first is set up")

def first():
    """First"""
    say("first")

def second():
    """Second

    It needs nothing.
    """
    say("second")

def end():
    """End"""
    say("end")

step(begin)
challenge(first, setup = first_ready)
challenge(second)
step(end)
`

// saidIn plays a mission from its beginning and returns what its script said.
func saidIn(t *testing.T, source string) ([]string, error) {
	t.Helper()
	m, events := load(t, folder("lab.star", source)), &event.Log{}
	var said []string
	events.Attach(func(r event.Record) {
		if e, ok := r.Event.(event.Said); ok {
			said = append(said, e.Text)
		}
	})
	_, err := m.Run(t.Context(), openLab(t, m, events), events, Start{})
	return said, err
}

func TestChallengesArePlayedInOrder(t *testing.T) {
	t.Parallel()
	said, err := saidIn(t, boardOfTwo)
	if want := []string{"begin", "first is set up", "first", "second", "end"}; err != nil || !slices.Equal(said, want) {
		t.Errorf("said %q, %v", said, err)
	}
}

// A set-up that fails is the challenge's failure, where the script has it.
func TestSetUpFails(t *testing.T) {
	t.Parallel()
	said, err := saidIn(t, strings.Replace(boardOfTwo, `say("first is set up")`, `fail("no room")`, 1))
	var failed *Error
	if !errors.As(err, &failed) || failed.Step != "First" || !strings.HasPrefix(failed.Error(), "lab.star:8:9: fail: no room") {
		t.Errorf("it ended with %v", err)
	}
	if want := []string{"begin"}; !slices.Equal(said, want) {
		t.Errorf("said %q", said)
	}
}

func TestChallengesThatCannotBe(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`challenge(f)`:              "lab.star:8:10: challenge: f has no docstring: its first line is the challenge's title",
		`challenge(g)`:              "lab.star:8:10: challenge: g has the parameter x: a challenge's function has none",
		`challenge(h, setup = g)`:   "lab.star:8:10: challenge: setup: g has the parameter x: it is called without any",
		`challenge(h, setup = "f")`: `lab.star:8:10: challenge: setup: want a function, got string "f": write its name without quotation marks`,
		`challenge(h, f)`:           "lab.star:8:10: challenge: 2 arguments are too many: it is challenge(function, *, setup = None)",
	} {
		_, err := Load(t.Context(), folder("lab.star", `mission(title = "Lab", api = 1)
def f():
    pass
def g(x):
    """G"""
def h():
    """H"""
`+line+"\n"), "lab.star", "lab.star", script.Options{})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}
