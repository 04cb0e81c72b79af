package lab

import (
	"context"
	"time"
)

// shutdownLimit is how long a guest that is to be restarted may take to power off.
// One that hangs, which is a reason to restart it, never does.
const shutdownLimit = 10 * time.Second

// Restart switches a machine off and on again; one that is off is only switched
// on. What it wrote to its disk stays. Where somebody was at work on it, it
// is brought to a shell again, logged in as its image's own user, so that they can
// go on.
func (l *Lab) Restart(ctx context.Context, m *Machine) error {
	atWork := false
	if c, err := m.Console(); err == nil {
		atWork = c.LastLine().Number > 0
		polite, cancel := context.WithTimeout(ctx, shutdownLimit)
		m.Shutdown(polite) // it is off afterwards, however it took that
		cancel()
	}
	if err := l.Boot(ctx, m); err != nil {
		return err
	}
	if !atWork {
		return nil
	}
	if user, _ := m.Own().Credentials("", ""); user != "" {
		return m.Own().Login(ctx, "", "")
	}
	_, err := m.WaitPrompt(ctx)
	return err
}
