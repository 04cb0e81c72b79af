package lab

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/event"
)

const (
	// A guest that prints nothing for so long may be waiting for Enter. BusyBox
	// activates a console only then, and a daemon's message may have hidden a
	// prompt that is already there.
	pokeSoon = 700 * time.Millisecond // for an image known to need it
	pokeLate = 15 * time.Second       // for any other
	// BusyBox asks for it («Please press Enter to activate this console. »); where
	// that is the last thing said, there is nothing to wait for.
	invitation = "press Enter"
	pokeLook   = 100 * time.Millisecond
	// The pauses between two looks at something in a guest that sends no event
	// when it changes: the first is short, each is twice as long as the one before.
	pollFirst = 30 * time.Millisecond
	pollEvery = 250 * time.Millisecond
)

// WaitPrompt waits until the console waits for input and returns which kind of
// prompt it shows. A console that stays silent is sent Enter, except at a
// password prompt.
func (m *Machine) WaitPrompt(ctx context.Context, kinds ...console.PromptKind) (console.Match, error) {
	g, err := m.current()
	if err != nil {
		return console.Match{}, err
	}
	// A machine that a template is made of is left alone until that is done.
	select {
	case <-g.line.open:
	case <-g.failed:
	case <-ctx.Done():
	}
	c := g.console
	silence, look := pokeLate, pokeSoon
	if m.profile.Console.Poke {
		silence, look = pokeSoon, pokeLook
	}
	poked := time.Now() // from then on the guest is given the time to answer
	for {
		// Wait in slices; the deadline is still ctx's.
		slice, cancel := context.WithTimeoutCause(ctx, look, errSilent)
		match, err := m.expectPrompt(slice, g, kinds)
		cancel()
		if err == nil || !errors.Is(err, errSilent) {
			return match, err
		}
		still := time.Since(c.LastByte())
		invited := m.profile.Console.Poke && still > pokeLook && strings.Contains(c.Tail(1), invitation)
		if !invited && min(still, time.Since(poked)) < silence || c.Waiting() == console.PasswordPrompt {
			continue
		}
		if err := c.SendRaw(ctx, []byte("\r")); err != nil {
			return match, err
		}
		poked = time.Now()
	}
}

// AwaitPrompt is WaitPrompt without a finger on the keyboard: where a person sits
// at the console, it is for them to press Enter.
func (m *Machine) AwaitPrompt(ctx context.Context, kinds ...console.PromptKind) (console.Match, error) {
	g, err := m.current()
	if err != nil {
		return console.Match{}, err
	}
	return m.expectPrompt(ctx, g, kinds)
}

// expectPrompt waits for a prompt and announces a machine's first one.
func (m *Machine) expectPrompt(ctx context.Context, g *guest, kinds []console.PromptKind) (console.Match, error) {
	match, err := g.console.Expect(ctx, console.Prompt(kinds...))
	if err == nil {
		g.up.Store(true)
		g.ready.Do(func() {
			// Nobody may have looked at the prompt for a while.
			e := event.Machine{Name: m.Name(), State: "ready", Seconds: g.console.LastByte().Sub(g.process.Started()).Seconds()}
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
// in: that one leaves first. Empty arguments mean the image's own user and password.
func (m *Machine) Login(ctx context.Context, user, password string) error {
	user, password = m.Credentials(user, password)
	c, err := m.Console()
	if err != nil {
		return err
	}
	tried, left := 0, 0
	for {
		prompt, err := m.WaitPrompt(ctx)
		if err != nil {
			return err
		}
		switch prompt.Prompt {
		case console.ShellPrompt:
			if !OtherUser(c, user) {
				return nil
			}
			if left++; left > mostShells {
				return fmt.Errorf("login on %s: %s is logged in, and `exit` does not lead to a login prompt", m.Name(), c.User())
			}
			err = Type(ctx, c, "exit\n")
		case console.LoginPrompt:
			if user == "" {
				return fmt.Errorf("login on %s: the image has no user of its own: say login(%s, user=…, password=…)", m.Name(), m.Name())
			}
			// A login prompt again means that the last try was refused; one
			// more may follow a line that a daemon garbled.
			if tried++; tried > 2 {
				return &LoginError{Machine: m.Name(), User: user, Tail: c.Tail(6)}
			}
			err = Type(ctx, c, user+"\n")
		case console.PasswordPrompt:
			err = Type(ctx, c, password+"\n")
		}
		if err != nil {
			return err
		}
	}
}

// mostShells is how many shells one in the other are left to get to a login prompt.
const mostShells = 4

// OtherUser reports whether somebody else than the wanted user has logged in at a
// console; no user is anybody.
func OtherUser(c *console.Console, wanted string) bool {
	who := c.User()
	return wanted != "" && who != "" && who != wanted
}

// Credentials returns the user and password given, or where they are empty those
// of the machine's image.
func (m *Machine) Credentials(user, password string) (string, string) {
	return cmp.Or(user, m.profile.Console.User), cmp.Or(password, m.profile.Console.Password)
}

const (
	// BusyBox's login prints «Password: » first and throws away what was typed
	// until then a moment later, which under emulation is long.
	passwordSettle = 150 * time.Millisecond
	// What a program prints once it has read a password is at least a newline.
	// A console that stays silent for so long has lost it.
	passwordLost = 3 * time.Second
)

// Type types text at a console, as its Send does, and makes sure that a password
// arrives: a person would notice that nothing happens and type it again.
func Type(ctx context.Context, c *console.Console, text string) error {
	if c.Waiting() != console.PasswordPrompt {
		return c.Send(ctx, text)
	}
	if err := Sleep(ctx, passwordSettle); err != nil {
		return err
	}
	answered := make(chan struct{}, 1)
	defer c.Watch(func([]byte) {
		select {
		case answered <- struct{}{}:
		default:
		}
	})()
	for {
		if err := c.Send(ctx, text); err != nil {
			return err
		}
		lost := time.NewTimer(passwordLost)
		select {
		case <-answered:
			lost.Stop()
			return nil
		case <-ctx.Done():
			lost.Stop()
			return context.Cause(ctx)
		case <-lost.C:
		}
	}
}

// LoginError says that a guest refused a user and password.
type LoginError struct{ Machine, User, Tail string }

func (e *LoginError) Error() string {
	return fmt.Sprintf("login on %s as %s: the user or the password was refused twice; the console's last lines:\n%s", e.Machine, e.User, e.Tail)
}

// Address returns the IPv4 address of the machine on a network, and waits for it
// until ctx ends. An empty network means the first card that is not the uplink.
func (m *Machine) Address(ctx context.Context, network string) (netip.Addr, error) {
	card, err := m.Card(network)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("address of %s: %w", m.Name(), err)
	}
	// Both iproute2 and BusyBox know these options.
	command := fmt.Sprintf(`for i in /sys/class/net/*; do read -r a <$i/address; [ "$a" = %s ] && ip -4 -o addr show dev ${i##*/}; done; true`, m.macs[card])
	for try := 0; ; try++ {
		result, err := m.Run(ctx, command, time.Minute)
		if err != nil && ctx.Err() == nil {
			return netip.Addr{}, err
		}
		if _, rest, ok := strings.Cut(result.Stdout, " inet "); ok {
			text, _, _ := strings.Cut(strings.TrimSpace(rest), "/")
			return netip.ParseAddr(text)
		}
		if err := pause(ctx, try); err != nil {
			return netip.Addr{}, fmt.Errorf("address of %s: its card %s on %s has none: %w: is a DHCP server on that network, and has it booted?",
				m.Name(), m.macs[card], m.config.NICs[card].Network, err)
		}
	}
}

// Card returns the number of the machine's card on a network; an empty name
// means the first card that is not the uplink.
func (m *Machine) Card(network string) (int, error) {
	for i, nic := range m.config.NICs {
		if !nic.Uplink && (network == "" || nic.Network == network) {
			return i, nil
		}
	}
	if network == "" {
		return 0, fmt.Errorf("%s has no card on any network of the lab", m.Name())
	}
	return 0, fmt.Errorf("%s has no card on network %s", m.Name(), network)
}

// SetCable pulls the cable of the machine's card on a network out, or puts it back;
// an empty name means the first card that is not the uplink. The guest sees that its
// card has lost its carrier. A machine that is started has all its cables in.
func (m *Machine) SetCable(ctx context.Context, network string, in bool) error {
	card, err := m.Card(network)
	if err != nil {
		return err
	}
	g, err := m.current()
	if err != nil {
		return err
	}
	if err := g.settle(ctx); err != nil { // its cards may still be on their way
		return err
	}
	return g.process.SetCarrier(ctx, card, in)
}

// Lease is an entry of a router's DHCP lease table, in router7's terms.
type Lease struct {
	Num              int       `json:"num"` // place in the address pool
	Addr             string    `json:"addr"`
	HardwareAddr     string    `json:"hardware_addr"`
	Hostname         string    `json:"hostname"`
	HostnameOverride string    `json:"hostname_override"`
	Expiry           time.Time `json:"expiry"`
	LastAck          time.Time `json:"last_ack"`
}

// Leases returns the DHCP leases that the router has given, once all of the
// machines in want have one; it waits for that until ctx ends. A router without a
// lease file has given none.
func (m *Machine) Leases(ctx context.Context, want []*Machine) ([]Lease, error) {
	if m.profile.Leases == "" {
		return nil, fmt.Errorf("leases of %s: its image %s is no router: its profile names no lease file", m.Name(), m.config.Image)
	}
	for try := 0; ; try++ {
		leases, err := m.leases(ctx)
		if err != nil {
			return nil, err
		}
		missing := lacking(leases, want)
		if len(missing) == 0 {
			return leases, nil
		}
		if err := pause(ctx, try); err != nil {
			return leases, fmt.Errorf("leases of %s: %s: no lease: %w", m.Name(), strings.Join(missing, ", "), err)
		}
	}
}

func (m *Machine) leases(ctx context.Context) ([]Lease, error) {
	result, err := m.Run(ctx, "cat "+m.profile.Leases+" 2>/dev/null || true", time.Minute)
	if err != nil {
		return nil, err
	}
	data := bytes.TrimSpace([]byte(result.Stdout))
	if len(data) == 0 {
		return nil, nil
	}
	var leases []Lease
	if err := json.Unmarshal(data, &leases); err != nil {
		return nil, fmt.Errorf("leases of %s: %s: %w", m.Name(), m.profile.Leases, err)
	}
	return leases, nil
}

// lacking returns the names of the machines none of whose cards has a lease.
func lacking(leases []Lease, want []*Machine) []string {
	var missing []string
	for _, m := range want {
		found := false
		for _, mac := range m.macs {
			for _, lease := range leases {
				found = found || strings.EqualFold(lease.HardwareAddr, mac)
			}
		}
		if !found {
			missing = append(missing, m.Name())
		}
	}
	return missing
}

// pause waits before the next look, after so many; it returns ctx's cause if that
// ends first.
func pause(ctx context.Context, try int) error {
	return Sleep(ctx, min(pollFirst<<min(try, 8), pollEvery))
}

// Sleep waits for a time; if ctx ends first, it returns ctx's cause.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
