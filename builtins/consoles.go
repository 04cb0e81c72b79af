package builtins

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/lab"
)

func consoles() []Entry {
	return []Entry{{
		Name:    "console",
		Group:   "Declaring",
		Phase:   Declaring,
		Effect:  Declares,
		call:    declareConsole,
		Result:  Seat,
		Returns: "console",
		Params: []Param{
			{Name: "machine", Kind: Machine, Doc: "whose console it is"},
			{Name: "name", Kind: Text, Doc: "a word of letters, digits and hyphens: the console is called `MACHINE/NAME`"},
			{
				Name: "user", Kind: Text, Default: `""`, Keyword: true,
				Doc: "who is logged in there from the start, without a password, and again after each logout; a login prompt waits there if not given",
			},
			{
				Name: "played", Kind: Boolean, Default: "False", Keyword: true,
				Doc: "labrun plays that person, in guided mode, too: what the script types there is typed before the student's eyes, " +
					"and the student looks on",
			},
		},
		Summary: "one more console of a machine, for another person or another shell",
		Detail: fmt.Sprintf("It stands wherever a machine's own console can: in `send`, `task`, `assert_contains` … A student opens it with "+
			"`labrun attach debian/niko`, and in the page it has a tab of its own. A machine may have %d of them.\n\n"+
			"Where there is no such user yet, the console says so, and lets them in as soon as a set-up has made them and nothing of users and groups "+
			"has changed for two seconds; `login` waits for that. Who gets other groups later has them after the next login: `send(niko, \"exit\")`.",
			lab.MostConsoles),
		Example: `debian = machine("debian")
niko = console(debian, "niko", user = "niko")`,
	}}
}

// seat is a declared console of a machine, besides its own.
type seat struct {
	of     *machine
	config lab.ConsoleConfig
}

var (
	_ starlark.HasAttrs = (*seat)(nil)
	_ stationed         = (*seat)(nil)
)

func (s *seat) String() string        { return fmt.Sprintf("console(%q)", s.name()) }
func (s *seat) Type() string          { return "console" }
func (s *seat) Freeze()               {} // immutable once declared
func (s *seat) Truth() starlark.Bool  { return true }
func (s *seat) Hash() (uint32, error) { return starlark.String(s.name()).Hash() }
func (s *seat) AttrNames() []string   { return []string{"machine", "name", "user"} }
func (s *seat) Attr(name string) (starlark.Value, error) {
	switch name {
	case "machine":
		return s.of, nil
	case "name":
		return starlark.String(s.name()), nil
	case "user":
		return starlark.String(s.config.User), nil
	}
	return nil, nil
}

func (s *seat) name() string { return lab.ConsoleName(s.of.config.Name, s.config.Name) }
func (s *seat) played() bool { return s.config.Played }
func (s *seat) station(in *Session) lab.Station {
	station, _ := in.lab.Station(s.name())
	return station
}
func (s *seat) console(in *Session) (*console.Console, error) { return s.station(in).Console() }
func (s *seat) waitPrompt(ctx context.Context, in *Session) (console.Match, error) {
	return s.station(in).WaitPrompt(ctx)
}

func (s *seat) awaitPrompt(ctx context.Context, in *Session) (console.Match, error) {
	return s.station(in).AwaitPrompt(ctx)
}

// userName is what Linux systems take for a user's name; it becomes part of a command.
var userName = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

func declareConsole(c *call) (starlark.Value, error) {
	of := c.machine("machine")
	config := lab.ConsoleConfig{Name: c.text("name"), User: c.text("user"), Played: c.boolean("played")}
	i := slices.IndexFunc(c.declared.Machines, func(m lab.MachineConfig) bool { return m.Name == of.config.Name })
	declared := &c.declared.Machines[i]
	switch {
	case !word.MatchString(config.Name):
		return nil, fmt.Errorf("console: name %q: want lower-case letters, digits and hyphens, 31 at most", config.Name)
	case slices.ContainsFunc(declared.Consoles, func(other lab.ConsoleConfig) bool { return other.Name == config.Name }):
		return nil, fmt.Errorf("console: %s has a console called %q already", of.config.Name, config.Name)
	case config.User != "" && !userName.MatchString(config.User):
		return nil, fmt.Errorf("console: user = %q: want a user's name: lower-case letters, digits, _ and -, 32 at most", config.User)
	case len(declared.Consoles) == lab.MostConsoles:
		return nil, fmt.Errorf("console: %s has %d consoles besides its own: that is as many as a machine can have",
			of.config.Name, lab.MostConsoles)
	}
	if profile, ok := c.profile(of.config.Image); ok || of.config.Kernel != nil {
		if why := lab.ConsolesRefused(of.config, profile); why != "" {
			return nil, fmt.Errorf("console: %s can have no console besides its own: %s", of.config.Name, why)
		}
	}
	declared.Consoles = append(declared.Consoles, config)
	return &seat{of: of, config: config}, nil
}

// A person types a key in pace, and a long line in lineLimit: whoever looks on is not to be kept
// waiting.
const (
	pace      = 60 * time.Millisecond
	lineLimit = 3 * time.Second
)

// perform types as a person does whom the student looks on at: key by key, and said beforehand.
func (c *call) perform(terminal *console.Console, text string, enter bool) error {
	on := c.about().(*seat)
	who := cmp.Or(on.config.User, on.config.Name)
	if terminal.Waiting() == console.PasswordPrompt {
		c.led.dialogue.Remark("persona password", who, on.name())
		return c.typeText(terminal, text, enter)
	}
	c.led.dialogue.Remark("persona types", who, on.name(), strings.Join(lines(text), "`, `"))
	return c.typeEach(terminal, text, enter, func(line string) error {
		keys := []rune(strings.ReplaceAll(line, "\n", "\r"))
		for _, key := range keys {
			err := terminal.Relay(c.ctx, []byte(string(key)))
			if err == nil {
				err = host.Sleep(c.ctx, min(pace, lineLimit/time.Duration(len(keys))))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
