package lab

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/labtest"
)

// A fake's getty reads whole lines, as a real one does whose terminal was reset under it.

// resetUnderGetty boots a fake mini that has to be savable as the real one has, within limit, and is not.
func resetUnderGetty(t *testing.T, store *image.Store, limit time.Duration) (*Lab, *Machine, *told) {
	t.Helper()
	news := listen()
	l := newLabWith(t, Config{Machines: []MachineConfig{{Name: "mini", Image: "mini"}}}, Options{Store: store, Events: &news.Log})
	l.savableLimit = limit
	mini := l.Machine("mini")
	mini.profile.Guest.Savable = "" // as in Linux
	if err := l.Boot(context5(t), mini); err != nil {
		t.Fatal(err)
	}
	return l, mini, news
}

// TestNotSavedWithAWrongTerminal: what stands on the console is a login prompt, but no state is saved in which nobody
// can log in. The machine itself goes on.
func TestNotSavedWithAWrongTerminal(t *testing.T) {
	labtest.Parallel(t)
	store := labtest.Store(t)
	l, mini, news := resetUnderGetty(t, store, 100*time.Millisecond)
	if err := mini.Own().Login(context5(t), "", ""); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if notices, _ := news.all(); !strings.Contains(notices, "its terminal is not as its prompt needs it") {
		t.Errorf("it told %q", notices)
	}
	if n := countTemplates(t, store); n != 0 {
		t.Errorf("%d templates were made", n)
	}
}

// TestSavedOnceItsTerminalIsRight: a machine is saved as soon as it may be.
func TestSavedOnceItsTerminalIsRight(t *testing.T) {
	labtest.Parallel(t)
	store := labtest.Store(t)
	l, mini, news := resetUnderGetty(t, store, patience)
	ctx := context5(t)
	g, err := mini.current()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.shell.Run(ctx, "until [ -e /run/stage ]; do sleep 0.1; done; stty -F /dev/ttyS0 -icanon", patience); err != nil {
		t.Fatal(err)
	}
	if err := mini.Own().Login(ctx, "", ""); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if notices, _ := news.all(); notices != "" || countTemplates(t, store) != 1 {
		t.Errorf("%d templates were made, and it told %q", countTemplates(t, store), notices)
	}
}

// TestBadTemplateIsGivenUp: a saved state in which the image's own password is not taken is there once, not for ever; one
// in which a mission tries another password stays.
func TestBadTemplateIsGivenUp(t *testing.T) {
	labtest.Parallel(t)
	ctx, store := context5(t), labtest.Store(t)
	restored := func(change func(*Machine)) (*Machine, *told) {
		t.Helper()
		if why, err := MakeTemplate(ctx, "mini", Options{Store: store}); why != "" || err != nil {
			t.Fatal(why, err)
		}
		news := listen()
		l := newLabWith(t, Config{Networks: []string{"lan"}, Machines: []MachineConfig{
			{Name: "mini", Image: "mini", NICs: []NICConfig{{Network: "lan"}}},
		}}, Options{Store: store, Events: &news.Log})
		mini := l.Machine("mini")
		change(mini)
		if err := l.Boot(ctx, mini); err != nil {
			t.Fatal(err)
		}
		if _, machines := news.all(); !strings.Contains(machines, "warm") {
			t.Fatalf("it was not restored: %s", machines)
		}
		return mini, news
	}
	var refused *LoginError

	mini, news := restored(func(*Machine) {})
	if err := mini.Own().Login(ctx, "root", "wrong"); !errors.As(err, &refused) {
		t.Errorf("a wrong password led to %v", err)
	}
	if notices, _ := news.all(); notices != "" || countTemplates(t, store) != 2 {
		t.Errorf("after a wrong password there are %d templates, and it told %q", countTemplates(t, store), notices)
	}

	mini, news = restored(func(m *Machine) { m.profile.Console.Password = "as it once was" })
	if err := mini.Own().Login(ctx, "", ""); !errors.As(err, &refused) {
		t.Errorf("a guest that takes no password led to %v", err)
	}
	if notices, _ := news.all(); !strings.Contains(notices, "its saved state is given up") || countTemplates(t, store) != 0 {
		t.Errorf("after a bad restore there are %d templates, and it told %q", countTemplates(t, store), notices)
	}
}
