package guide

import (
	"errors"
	"os"
	"testing"
)

func TestProgress(t *testing.T) {
	folder := t.TempDir()
	names := []string{"one", "two", "three"}
	open := func() *Progress {
		p, err := OpenProgress(folder, "/labs/week 1.star")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := open()
	if next, known := p.Next(names); next != 0 || !known {
		t.Errorf("fresh: %d, %v", next, known)
	}
	p.Steps = append(p.Steps, Record{Step: "one", State: Done, Answers: []Answer{{"why", "因為"}}}, Record{Step: "two", State: Skipped})
	if err := p.Save(); err != nil {
		t.Fatal(err)
	}
	var busy *BusyError
	if _, err := OpenProgress(folder, "/labs/week 1.star"); !errors.As(err, &busy) || busy.PID != os.Getpid() {
		t.Errorf("a second guide: %v", err)
	}
	other, err := OpenProgress(folder, "/other/week 1.star")
	if err != nil || len(other.Steps) != 0 {
		t.Errorf("another mission of that name: %+v, %v", other, err)
	}
	other.Close()
	p.Close()

	p = open()
	if next, known := p.Next(names); next != 2 || !known || p.Steps[0].Answers[0].Answer != "因為" {
		t.Errorf("again: %d, %v, %+v", next, known, p)
	}
	if _, known := p.Next([]string{"one", "new", "three"}); known {
		t.Error("a changed mission is not noticed")
	}
	p.Drawn = "other draws"
	if next, known := p.Next(names); next != 0 || known {
		t.Errorf("what was done with other draws counts: %d, %v", next, known)
	}
	p.Begin()
	if next, known := p.Next(names); next != 0 || !known {
		t.Errorf("begun with them: %d, %v", next, known)
	}
	p.Close()
	file := p.file
	for n, damage := range []string{`{"mission": "torn`, `{"steps": [{"step": "one", "state": "done"}, {"step": "two", "state": "undone"}]}`, `{"steps": 3}`} {
		if err := os.WriteFile(file, []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		p = open()
		if next, _ := p.Next(names); next != 0 {
			t.Errorf("damaged: %d", next)
		}
		want := file + ".damaged" + []string{"", "-2", "-3"}[n]
		if kept, err := os.ReadFile(p.Damaged); p.Damaged != want || err != nil || string(kept) != damage {
			t.Errorf("the damaged file is at %s with %q (%v), want it at %s", p.Damaged, kept, err, want)
		}
		p.Close()
	}
	p = open()
	defer p.Close()
	if p.Damaged != "" {
		t.Errorf("what was set aside before is told again: %s", p.Damaged)
	}
}
