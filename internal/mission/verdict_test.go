package mission

import (
	"fmt"
	"strings"
	"testing"

	"github.com/labrun/labrun/internal/event"
)

// What times show that were taken in turns; those of a busy computer, which are real
// ones, show nothing, whatever their medians say.
func TestVerdict(t *testing.T) {
	type times struct{ seconds, waited string } // by round
	var source strings.Builder
	source.WriteString(`load("@labrun//measure.star", "verdict")
mission(title = "Lab", api = 1)

def taken(seconds, waited):
    return [{"seconds": s, "waited": w} for s, w in zip(seconds, waited)]

def judge():
    """Judge"""
`)
	var want []string
	for _, c := range []struct {
		name          string
		alone, beside times
		shows         string
	}{
		{
			"two CPUs that are idle",
			times{"0.10, 0.11, 0.12", "0.08, 0.15, 0.1"},
			times{"0.16, 0.18, 0.25", "0.46, 0.37, 0.4"},
			"slower",
		},
		{
			"another program on one of them",
			times{"0.28, 0.36, 0.24", "0.33, 0.37, 0.25"},
			times{"0.72, 0.64, 0.39", "0.63, 0.44, 0.66"},
			"slower",
		},
		{
			"CPUs for everybody",
			times{"0.20, 0.21, 0.25", "0.01, 0, 0.02"},
			times{"0.22, 0.2, 0.23", "0.01, 0.02, 0.03"},
			"same",
		},
		{
			"0.9 times as long, while others had the computer",
			times{"0.60, 0.33, 0.24", "0.71, 0.44, 0.48"},
			times{"0.31, 0.28, 0.45", "0.68, 0.58, 0.62"},
			"unclear",
		},
		{
			"0.7 times as long",
			times{"0.38, 0.24, 0.14", "0.67, 0.47, 0.33"},
			times{"0.17, 0.39, 0.17", "0.54, 0.72, 0.5"},
			"unclear",
		},
		{
			"longer each time, but not alone before",
			times{"0.31, 0.32, 0.33", "0.6, 0.5, 0.4"},
			times{"0.6, 0.7, 0.8", "0.8, 0.9, 0.8"},
			"unclear",
		},
		{
			"longer at the median, and not each time",
			times{"0.10, 0.11, 0.24", "0.1, 0.1, 0.2"},
			times{"0.2, 0.2, 0.2", "0.4, 0.4, 0.4"},
			"unclear",
		},
		{
			"longer, and not for want of a CPU",
			times{"0.2, 0.2, 0.2", "0.1, 0.1, 0.1"},
			times{"0.3, 0.3, 0.3", "0.1, 0.1, 0.1"},
			"unclear",
		},
		{
			"as long, though it had to wait",
			times{"0.2, 0.2, 0.2", "0.1, 0.1, 0.1"},
			times{"0.2, 0.21, 0.2", "0.3, 0.3, 0.3"},
			"unclear",
		},
		{
			"shorter",
			times{"0.2, 0.2, 0.2", "0, 0, 0"},
			times{"0.1, 0.1, 0.1", "0, 0, 0"},
			"unclear",
		},
		{
			"longer, by a kernel that counts no waiting",
			times{"0.2, 0.2, 0.2", "None, None, None"},
			times{"0.3, 0.4, 0.3", "None, None, None"},
			"slower",
		},
		{
			"as long, by a kernel that counts no waiting",
			times{"0.2, 0.2, 0.2", "None, None, None"},
			times{"0.2, 0.2, 0.2", "None, None, None"},
			"unclear",
		},
	} {
		fmt.Fprintf(&source, "    say(%q + verdict(taken([%s], [%s]), taken([%s], [%s])))\n", c.name+": ",
			c.alone.seconds, c.alone.waited, c.beside.seconds, c.beside.waited)
		want = append(want, c.name+": "+c.shows)
	}
	source.WriteString("\nstep(judge)\n")
	m := load(t, folder("lab.star", source.String()))
	events := &event.Log{}
	var got []string
	events.Attach(func(r event.Record) {
		if e, ok := r.Event.(event.Said); ok {
			got = append(got, e.Text)
		}
	})
	if _, err := m.Run(t.Context(), openLab(t, m, events), events, Start{}); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
