package lab

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/console"
)

// renamePrompt bounds the wait for a login prompt with the new name.
const renamePrompt = 10 * time.Second

// renamed reports whether the lab gives the machine a name. A disk image of somebody's
// own has no control channel for it.
func (m *Machine) renamed() bool {
	return m.config.Hostname != "" && !m.image.BIOS && m.profile.Control != ""
}

// hostname is the command that gives a guest the name that the lab declares; ":" if it
// keeps its image's. It is given once, so that a student may give another.
func (m *Machine) hostname() string {
	if !m.renamed() {
		return ":"
	}
	return m.profile.Guest.SetHostname(m.config.Hostname)
}

// repeatPrompt has a login prompt that was printed with the image's name printed again.
// Nobody's typing may come in between: getty throws away what arrives before its
// prompt, so what is typed is held until the guest has settled.
func (m *Machine) repeatPrompt(g *guest) {
	if !m.renamed() || g.console.Waiting() != console.LoginPrompt {
		return
	}
	ctx, cancel := context.WithTimeout(g.ctx, renamePrompt)
	defer cancel()
	want, seen, shown := []byte(m.config.Hostname+" login:"), []byte(nil), make(chan struct{})
	if strings.Contains(g.console.Tail(1), string(want)) {
		return
	}
	stop := g.console.Watch(func(chunk []byte) {
		before := bytes.Contains(seen, want)
		if seen = append(seen, chunk...); !before && bytes.Contains(seen, want) {
			close(shown)
		}
	})
	defer stop()
	if _, err := g.port.Write([]byte("\r")); err != nil {
		return // the machine is gone, and whoever needs it is told
	}
	select {
	case <-shown:
	case <-ctx.Done(): // it shows the old name
	}
}
