package builtins

import (
	"slices"
	"strings"
	"testing"
)

// Every builtin says what it does, and its other words fit that.
func TestEveryEntryHasAnEffect(t *testing.T) {
	for _, e := range Table() {
		switch {
		case e.Effect == 0:
			t.Errorf("%s has no effect", e.Name)
		case e.Effect.Has(Declares) != (e.Phase == Declaring):
			t.Errorf("%s %s, in phase %d", e.Name, e.Effect, e.Phase)
		case e.Demands != "" && e.param(e.Demands) == nil:
			t.Errorf("%s has no parameter %s, by which it demands", e.Name, e.Demands)
		case e.asks != "" && e.lead == nil:
			t.Errorf("%s asks a student for nothing", e.Name)
		}
		if hint := e.param("hint"); hint != nil && (hint.For != ForHint || !e.Effect.Has(Checks) && e.Demands == "") {
			t.Errorf("%s has a hint, and does not check", e.Name)
		}
	}
}

// What a task's check may call, by name: a change here is one for every mission.
func TestWhatOnlyLooks(t *testing.T) {
	var looking []string
	for _, e := range Table() {
		if e.Looks() {
			looking = append(looking, e.Name)
		}
	}
	want := []string{
		"boot_from", "output", "screen", "wait_screen", "assert_picture", "screenshot", "assert_contains", "assert_match", "assert_equal", "assert_true", "fail", "run", "read_file", "read_json",
		"address", "read_leases", "mac", "packets", "tr", "stats", "host_cpus", "host_load",
	}
	if !slices.Equal(looking, want) {
		t.Errorf("these only look: %q, want %q", looking, want)
	}
}

func TestEffectsInWords(t *testing.T) {
	for effect, want := range map[Effect]string{Looks: "looks", Talks | Waits: "waits, talks", Declares | Tells: "declares, tells", 0: ""} {
		if got := effect.String(); got != want {
			t.Errorf("%b is %q, want %q", effect, got, want)
		}
	}
	if all := Effect(1<<len(effectWords) - 1).String(); strings.Count(all, ",") != len(effectWords)-1 {
		t.Errorf("the words are %s", all)
	}
}
