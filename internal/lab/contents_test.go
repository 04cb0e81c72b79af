package lab

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestImagesHaveWhatTheLockSays: authors of missions rely on it.
func TestImagesHaveWhatTheLockSays(t *testing.T) {
	needsMachines(t)
	ctx := context5(t)
	store := openStore(t)
	var config Config
	for _, name := range store.Names() {
		if p, _ := store.Profile(name); p.Console.User == "" && p.Control == "" {
			continue // it has no shell, and programs are not what it has
		}
		config.Machines = append(config.Machines, MachineConfig{Name: name, Image: name})
	}
	l := newLabWith(t, config, Options{Store: store})
	for _, m := range l.Machines() {
		if err := l.Boot(ctx, m); err != nil {
			t.Fatal(err)
		}
		about := m.Profile()
		if other, ok := store.Profile(cmp.Or(m.image.StandIn, m.image.Name)); ok {
			about = other // what stands in for an image has its own programs
		}
		all := append(append([]string{}, about.Has...), about.Lacks...)
		r, err := m.Run(ctx, fmt.Sprintf("PATH=$PATH:/sbin:/usr/sbin; for p in %s; do command -v $p >/dev/null && echo $p; done; true", strings.Join(all, " ")), time.Minute)
		if err != nil || r.Status != 0 {
			t.Fatalf("%s: %+v, %v", m.Name(), r, err)
		}
		if got := strings.Fields(r.Stdout); strings.Join(got, " ") != strings.Join(about.Has, " ") || len(got) == 0 {
			t.Errorf("%s has\n\t%v\nand not\n\t%v", m.Name(), got, about.Has)
		}
		m.stop()
	}
}
