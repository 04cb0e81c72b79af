package console

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// Whoever types a command of their own does not type it into somebody's half line.
func TestAtRest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		half func(g *guest) // types half a line
		done func(g *guest) // ends it
	}{
		{"entered",
			func(g *guest) { g.relay("ip a"); g.print("ip a") },
			func(g *guest) { g.relay("\r"); g.print("\r\nlan0\r\n# ") }},
		{"taken back",
			func(g *guest) { g.relay("ip"); g.print("ip") },
			func(g *guest) { g.relay("\x7f\x7f"); g.print("\b \b\b \b") }},
		{"taken back at once",
			func(g *guest) { g.relay("ip"); g.print("ip") },
			func(g *guest) { g.relay("\x15"); g.print("\b\b\x1b[J") }},
		{"cancelled",
			func(g *guest) { g.relay("ip a"); g.print("ip a") },
			func(g *guest) { g.relay("\x03"); g.print("^C\r\n# ") }},
		{"completed and entered",
			func(g *guest) { g.relay("unam\t"); g.print("uname ") },
			func(g *guest) { g.relay("\r"); g.print("\r\nLinux\r\n# ") }},
		{"from the history and back",
			func(g *guest) { g.relay("\x1b[A"); g.print("uname") },
			func(g *guest) { g.relay("\x1b[B"); g.print("\b\b\b\b\b\x1b[J") }},
		{"begun by labrun",
			func(g *guest) { g.send("ip a"); g.print("ip a") },
			func(g *guest) {
				if err := sendRaw(g, "\r"); err != nil {
					g.t.Fatal(err)
				}
				g.print("\r\nlan0\r\n# ")
			}},
		{"a command that runs",
			func(g *guest) { g.send("ip a\n"); g.print("ip a\r\nlan0\r\n") },
			func(g *guest) { g.print("lan1\r\n# ") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuest(t, machine)
			g.print("# ")
			if err := g.c.AtRest(g.ctx()); err != nil {
				t.Fatal(err)
			}
			tt.half(g)
			err := g.c.AtRest(expired(t))
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "nothing typed at it") {
				t.Errorf("half a line: %v", err)
			}
			rested := make(chan error, 1)
			go func() { rested <- g.c.AtRest(g.ctx()) }()
			tt.done(g)
			if err := <-rested; err != nil {
				t.Error(err)
			}
		})
	}
}

// Keys that come one by one are of the line that the first of them began.
func TestLoginKeyByKey(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("os25 login: ")
	for _, key := range []string{"n", "i", "n", "i"} {
		g.relay(key)
		g.print(key)
	}
	g.relay("\r")
	g.print("\r\nPassword: ")
	if line := g.c.LastLine(); line.Prompt != LoginPrompt || g.c.User() != "nini" {
		t.Errorf("line %+v, user %q", line, g.c.User())
	}
}
