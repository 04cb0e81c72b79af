package host

import (
	"testing"
	"time"
)

func TestProcessors(t *testing.T) {
	got, err := processors(files("stat", "cpu  1000 20 300 99999 88888 4 5 60 700 8\ncpu0 1 1 1 1 1 1 1 1 1 1\n"))
	if want := (Load{13290 * time.Millisecond, 600 * time.Millisecond}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for _, bad := range []string{"", "cpu 1 2 3\n", "intr 1 2 3 4 5 6 7 8 9\n", "cpu a b c d e f g h i\n"} {
		if got, err := processors(files("stat", bad)); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
	if now, err := Processors(); err != nil || now.Busy < 0 || now.Stolen < 0 {
		t.Errorf("of this computer: %+v, %v", now, err)
	}
}

func TestOwnCPU(t *testing.T) {
	before, err := OwnCPU()
	for after := before; err == nil && after == before; {
		after, err = OwnCPU() // which costs some
	}
	if err != nil {
		t.Error(err)
	}
}
