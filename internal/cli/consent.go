package cli

import (
	"bufio"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/internal/mission"
)

// consent is what the user lets a mission do besides running its machines. It is the
// value of --allow.
type consent struct{ host bool }

func (a *consent) flag(c *cobra.Command) {
	c.Flags().Var(a, "allow", "`host`: let the mission run commands on this computer")
}

// Set is for the flag.
func (a *consent) Set(what string) error {
	if what != "host" {
		return fmt.Errorf("only host can be allowed")
	}
	a.host = true
	return nil
}

// String is for the flag: what is allowed.
func (a *consent) String() string {
	if a.host {
		return "host"
	}
	return ""
}

// Type is for the flag.
func (a *consent) Type() string { return "host" }

// missing reports whether a mission wants more than its user has allowed yet. One that came
// with labrun is trusted as labrun is.
func (a consent) missing(m *mission.Mission) bool {
	return slices.Contains(m.Declared().Needs, "host") && !a.host && !m.BuiltIn()
}

// askHost asks for the user's consent to shells on the host, where there is a
// terminal to ask on. Its error is one of usage, not a failed check: nothing is
// wrong with the lab.
func (p *program) askHost(unattended bool) error {
	in := p.keyboard()
	if in == nil || unattended {
		return &usageError{"the mission wants to run commands on this computer: if you trust it, say --allow host"}
	}
	fmt.Fprint(p.Err, "This mission wants to run commands on this computer, with your rights. Do you trust it? [y/N] ")
	answer, _ := bufio.NewReader(in).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a == "y" || a == "yes" {
		return nil
	}
	return &usageError{"the mission was not allowed to run commands on this computer"}
}
