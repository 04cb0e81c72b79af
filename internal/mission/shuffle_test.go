package mission

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/labtest"
	"github.com/labrun/labrun/internal/script"
)

func TestOrder(t *testing.T) {
	t.Parallel()
	source := "mission(title = \"Lab\", api = 1)\n"
	for _, step := range strings.Fields("step challenge challenge challenge challenge challenge step challenge challenge") {
		name := fmt.Sprintf("f%d", strings.Count(source, "def "))
		source += fmt.Sprintf("def %s():\n    \"\"\"F\"\"\"\n%s(%s)\n", name, step, name)
	}
	m := load(t, folder("lab.star", source))
	if got := m.order(0); !slices.IsSorted(got) || len(got) != 9 {
		t.Errorf("without a seed: %v", got)
	}
	orders := map[string]bool{}
	for seed := range uint64(50) {
		got := m.order(seed)
		if !slices.Equal(got, m.order(seed)) || got[0] != 0 || got[6] != 6 {
			t.Errorf("seed %d: %v", seed, got)
		}
		sorted := slices.Clone(got)
		slices.Sort(sorted[1:6])
		slices.Sort(sorted[7:])
		if !slices.IsSorted(sorted) {
			t.Errorf("seed %d mixes boards: %v", seed, got)
		}
		orders[fmt.Sprint(got)] = true
	}
	if len(orders) < 25 {
		t.Errorf("50 seeds give %d orders", len(orders))
	}
}

// Played by labrun in another order, and the order is said.
func TestShuffledRun(t *testing.T) {
	t.Parallel()
	m, events := load(t, folder("lab.star", boardOfTwo)), &event.Log{}
	var told []string
	events.Attach(func(r event.Record) {
		switch e := r.Event.(type) {
		case event.Said:
			told = append(told, e.Text)
		case event.Notice:
			told = append(told, e.Text)
		}
	})
	seed := uint64(1)
	for m.order(seed)[1] == 1 {
		seed++
	}
	passed, err := m.Run(t.Context(), openLab(t, m, events), events, Start{Shuffle: seed})
	want := []string{
		"begin", fmt.Sprintf("the challenges are played in the order 2, 1 (--shuffle %d)", seed), "second",
		"first is set up", "first", "end",
	}
	if err != nil || passed != 4 || !slices.Equal(told, want) {
		t.Errorf("%d passed, %v, told %q", passed, err, told)
	}
}

// orderTrials proves the orders of a mission on a fake router, and returns the failures.
func orderTrials(t *testing.T, source string) (trials int, failures []string) {
	t.Helper()
	lock, store := openFakes(t)
	defer store.Close()
	m, err := Load(t.Context(), folder("lab.star", source), "lab.star", "lab.star", script.Options{Images: lock.Names()})
	if err != nil {
		t.Fatal(err)
	}
	events := &event.Log{}
	l, err := lab.New(m.Config(), lab.Options{Store: store, Events: events, Cold: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	err = m.ProveOrders(t.Context(), l, events, 1, Proof{Begins: func(Trial, int) {}, Tell: func(trial Trial) {
		trials++
		if trial.Failure != "" {
			failures = append(failures, trial.Failure)
			t.Logf("%d, %s: %s", trial.Step, trial.Name, trial.Failure)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return trials, failures
}

func TestOrdersOfAGoodBoard(t *testing.T) {
	labtest.Parallel(t)
	trials, failures := orderTrials(t, threeChallenges)
	if want := 1 + 3 + 3 + 2 + 3 + 1; trials != want || len(failures) > 0 {
		t.Errorf("%d trials, want %d; failures: %q", trials, want, failures)
	}
}

// Which of two challenges spoils the other is found, and how, once.
func TestChallengesThatSpoilEachOther(t *testing.T) {
	labtest.Parallel(t)
	for _, test := range []struct{ name, old, new, want string }{
		{
			"a solution solves another", `solution = "echo right >/root/a"`, `solution = "echo right >/root/a; cp /root/a /root/c"`,
			"challenge 1 «Mend A» spoils challenge 3 «Make C»: its check holds before anything was done for it, after it",
		},
		{
			"a set-up undoes another", "def b_ready():\n", "def b_ready():\n    run(router, \"rm -f /root/a\")\n",
			"the set-up of challenge 2 «Mend B» undoes challenge 1 «Mend A», whose check held before",
		},
		{
			"a solution undoes another", `solution = "echo right >/root/c"`, `solution = "echo right >/root/c; rm -f /root/b"`,
			"solving challenge 3 «Make C» undoes challenge 2 «Mend B», whose check held before",
		},
		{
			"a set-up fails after another", "def b_ready():\n", "def b_ready():\n    run(router, \"test ! -e /root/c\", check = True)\n",
			"challenge 3 «Make C» spoils challenge 2 «Mend B»: its set-up fails after it: ",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, failures := orderTrials(t, strings.Replace(threeChallenges, test.old, test.new, 1))
			found := 0
			for _, failure := range failures {
				if strings.HasPrefix(failure, test.want) {
					found++
				}
			}
			if found != 1 {
				t.Errorf("found %q, want once %q", failures, test.want)
			}
		})
	}
}
