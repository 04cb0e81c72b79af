package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/event"
	"github.com/labrun/labrun/internal/host"
)

const (
	// A guest that prints nothing for so long may be waiting for Enter. BusyBox
	// activates a console only then, and a daemon's message may have hidden a
	// prompt that is already there.
	pokeSoon = 700 * time.Millisecond // for an image known to need it; then after twice as long, up to
	pokeSlow = 6 * time.Second
	pokeLate = 15 * time.Second // for any other, and where nothing but noise is printed
	// BusyBox asks for it ("Please press Enter to activate this console. "); where
	// that is the last thing said, there is nothing to wait for.
	invitation = "press Enter"
	pokeLook   = 25 * time.Millisecond
	// The pauses between two looks at something in a guest that sends no event
	// when it changes: the first is short, each is twice as long as the one before.
	pollFirst = 30 * time.Millisecond
	pollEvery = 250 * time.Millisecond
)

// ErrNoPrompts is why no prompt of a machine is waited for: its image is known to have none.
var ErrNoPrompts = errors.New("its image has no prompts: wait for what stands on its screen, with wait_for or wait_screen")

// WaitPrompt is that of the machine's own console.
func (m *Machine) WaitPrompt(ctx context.Context, kinds ...console.PromptKind) (console.Match, error) {
	return m.Own().WaitPrompt(ctx, kinds...)
}

// WaitPrompt waits until the console waits for input and returns which kind of
// prompt it shows. A console that stays silent is sent Enter, except at a
// password prompt.
func (s Station) WaitPrompt(ctx context.Context, kinds ...console.PromptKind) (console.Match, error) {
	m := s.machine
	g, c, err := s.current()
	if err != nil {
		return console.Match{}, err
	}
	if prompts(m.profile.Console) == (console.Prompts{}) {
		return console.Match{}, ErrNoPrompts
	}
	// A machine that a template is made of is left alone until that is done.
	if g.open != nil {
		select {
		case <-g.open:
		case <-g.failed:
		case <-ctx.Done():
		}
	}
	return pressing(ctx, c, m.profile.Console.Poke, func(ctx context.Context) (console.Match, error) {
		return m.expectPrompt(ctx, g, c, kinds)
	})
}

// pressing waits with wait, and presses Enter at a console that stays silent; eager
// says that its guest is known to need it. Each Enter may make the guest complain that
// there is no shell yet, so they become seldom, and one that it has not taken notice of
// is not followed by others: they would all be answered at once.
func pressing(
	ctx context.Context, c *console.Console, eager bool, wait func(context.Context) (console.Match, error),
) (console.Match, error) {
	look, pause := pokeSoon, pokeSoon
	if eager {
		look = pokeLook
	}
	began := time.Now()
	poked := began // from then on the guest is given the time to answer
	for first := true; ; {
		// Wait in slices; the deadline is still ctx's.
		slice, cancel := context.WithTimeoutCause(ctx, look, errSilent)
		match, err := wait(slice)
		cancel()
		if err == nil || !errors.Is(err, errSilent) {
			var late *console.WaitError
			if errors.As(err, &late) {
				late.Waited = time.Since(began) // it knows of the last slice alone
			}
			return match, err
		}
		last := c.LastByte()
		silent, given := time.Since(last), time.Since(poked)
		press := min(given, time.Since(c.LastText())) >= pokeLate
		if eager && !last.IsZero() && (first || last.After(poked)) {
			invited := silent > pokeLook && strings.Contains(c.Tail(1), invitation)
			press = press || invited || min(silent, given) >= pause
		}
		if !press || c.Waiting() == console.PasswordPrompt {
			continue
		}
		if err := c.SendRaw(ctx, []byte("\r")); err != nil {
			return match, err
		}
		if !first {
			pause = min(2*pause, pokeSlow)
		}
		first, poked = false, time.Now()
	}
}

// AwaitPrompt is WaitPrompt without a finger on the keyboard: where a person sits
// at the console, it is for them to press Enter.
func (s Station) AwaitPrompt(ctx context.Context, kinds ...console.PromptKind) (console.Match, error) {
	g, c, err := s.current()
	if err != nil {
		return console.Match{}, err
	}
	return s.machine.expectPrompt(ctx, g, c, kinds)
}

// expectPrompt waits for a prompt at one of a machine's consoles, and announces its first one.
func (m *Machine) expectPrompt(
	ctx context.Context, g *guest, c *console.Console, kinds []console.PromptKind,
) (console.Match, error) {
	match, err := c.Expect(ctx, console.Prompt(kinds...))
	if err == nil {
		g.up.Store(true)
		g.ready.Do(func() {
			// Nobody may have looked at the prompt for a while.
			e := event.Machine{
				Name: m.Name(), State: "ready", Seconds: c.LastByte().Sub(g.process.Started()).Seconds(),
			}
			if g.warm {
				e.Detail = "warm"
			}
			m.lab.options.Events.Emit(e)
		})
	}
	return match, err
}

var errSilent = errors.New("the console is silent")

// Login goes through login and password prompts until a shell prompt waits. A
// console that is at a shell already is left there, unless somebody else has logged
// in: that one leaves first. Empty arguments mean those of Credentials.
func (s Station) Login(ctx context.Context, user, password string) error {
	m := s.machine
	user, password = s.Credentials(user, password)
	g, c, err := s.current()
	if err != nil {
		return err
	}
	tried, left := 0, 0
	for {
		prompt, err := s.WaitPrompt(ctx)
		if tried > 0 && (errors.Is(
			err, context.DeadlineExceeded,
		) || err == nil && prompt.Prompt == console.LoginPrompt) {
			m.distrust(g, user, password)
		}
		if err != nil {
			return err
		}
		switch prompt.Prompt {
		case console.ShellPrompt:
			g.entered.Store(true)
			if !c.OtherUser(user) {
				return nil
			}
			if left++; left > mostShells {
				return fmt.Errorf(
					"login on %s: %s is logged in, and `exit` does not lead to a login prompt", s.Name(), c.User(),
				)
			}
			err = c.Type(ctx, "exit\n")
		case console.LoginPrompt:
			if user == "" {
				return fmt.Errorf("login on %s: the image has no user of its own: say login(%s, user=…, password=…)",
					s.Name(), m.Name())
			}
			// A login prompt again means that the last try was refused; one
			// more may follow a line that a daemon garbled.
			if tried++; tried > 2 {
				return &LoginError{Machine: s.Name(), User: user, Tail: c.Tail(6)}
			}
			err = c.Type(ctx, user+"\n")
		case console.PasswordPrompt:
			err = c.Type(ctx, password+"\n")
		}
		if err != nil {
			return err
		}
	}
}

// mostShells is how many shells one in the other are left to get to a login prompt.
const mostShells = 4

// LoginError says that a guest refused a user and password.
type LoginError struct{ Machine, User, Tail string }

func (e *LoginError) Error() string {
	return fmt.Sprintf("login on %s as %s: the user or the password was refused twice; the console's last lines:\n%s",
		e.Machine, e.User, e.Tail)
}

// pause waits before the next look, after so many; it returns ctx's cause if that
// ends first.
func pause(ctx context.Context, try int) error {
	return host.Sleep(ctx, min(pollFirst<<min(try, 8), pollEvery))
}
