package main

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	got := table([]result{
		{name: "pexpect", rounds: []times{{30, 40}, {10, 20}, {20, 32}}},
		{name: "labrun", rounds: []times{{1, 8}, {3, 8}}},
		{name: "expect", failure: "not | there"},
	})
	for _, want := range []string{"| pexpect | 20.00 s | 1.000 | 32.00 s | 1.000 |", "| labrun | 2.00 s | 0.100 | 8.00 s | 0.250 |", `failed: not \| there`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestBetweenKeepsTheRest(t *testing.T) {
	once := between("# Title\n\nCold.\n", "one\n")
	twice := between(once+"More.\n", "two\n")
	if want := "# Title\n\nCold.\n\n" + beginMark + "\ntwo\n" + endMark + "\nMore.\n"; twice != want {
		t.Errorf("got %q, want %q", twice, want)
	}
}
