package main

import (
	"math"
	"testing"
)

// What can be said without a simulation comes out of it.
func TestSimulate(t *testing.T) {
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	one := lesson{pieces: []piece{{work: 3, wide: 1.5}, {work: 1, wide: 1}}}
	alone := simulate(course{students: 1, cores: 8}, one)
	near("alone, to the prompts", alone.prompts[0], 2)
	near("alone, to the end", alone.ends[0], 3)
	near("cores", alone.busy, 4.0/3)

	ten := simulate(course{students: 10, cores: 2}, one)
	near("ten on two cores", middle(ten.prompts, 1), 15)
	near("and their end", middle(ten.ends, 1), 20)
	near("times as long", middle(ten.slower, 1), 5)

	room := simulate(course{students: 10, cores: 64, within: 100}, lesson{pieces: one.pieces, think: 60})
	near("cores enough", middle(room.prompts, 1), 2)
	near("half", middle([]float64{4, 1, 3, 2}, 0.5), 2)
}
