package builtins

import (
	"context"
	"fmt"
	"math"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"

	"github.com/labrun/labrun/internal/console"
	"github.com/labrun/labrun/internal/control"
	"github.com/labrun/labrun/internal/lab"
)

// talker is a value that has a console.
type talker interface {
	starlark.Value
	name() string
	console(*Session) (*console.Console, error)
	waitPrompt(context.Context, *Session) (console.Match, error)
	awaitPrompt(context.Context, *Session) (console.Match, error) // presses nothing
	played() bool                                                 // labrun alone types there
}

// stationed is a value whose console is one of a machine's.
type stationed interface {
	talker
	station(*Session) lab.Station
}

// machine is a declared machine.
type machine struct {
	config lab.MachineConfig
}

// network is a declared network.
type network struct {
	label string
}

// uplink is a network card's way out of the lab.
type uplink struct{ label string }

// terminal is a shell on the host.
type terminal struct{ shell *lab.Terminal }

var (
	_ starlark.HasAttrs = (*machine)(nil)
	_ starlark.HasAttrs = (*network)(nil)
	_ stationed         = (*machine)(nil)
	_ talker            = (*terminal)(nil)
)

func (m *machine) String() string        { return fmt.Sprintf("machine(%q)", m.config.Name) }
func (m *machine) Type() string          { return "machine" }
func (m *machine) Freeze()               {} // immutable once declared
func (m *machine) Truth() starlark.Bool  { return true }
func (m *machine) Hash() (uint32, error) { return starlark.String(m.config.Name).Hash() }
func (m *machine) AttrNames() []string   { return []string{"image", "name"} }
func (m *machine) Attr(name string) (starlark.Value, error) {
	switch name {
	case "name":
		return starlark.String(m.config.Name), nil
	case "image":
		return starlark.String(m.config.Image), nil
	}
	return nil, nil
}

func (m *machine) name() string { return m.config.Name }
func (m *machine) played() bool { return false }
func (m *machine) station(s *Session) lab.Station {
	return s.lab.Machine(m.config.Name).Own()
}
func (m *machine) console(s *Session) (*console.Console, error) { return m.station(s).Console() }
func (m *machine) waitPrompt(ctx context.Context, s *Session) (console.Match, error) {
	return m.station(s).WaitPrompt(ctx)
}

func (m *machine) awaitPrompt(ctx context.Context, s *Session) (console.Match, error) {
	return m.station(s).AwaitPrompt(ctx)
}

func (n *network) String() string        { return fmt.Sprintf("network(%q)", n.label) }
func (n *network) Type() string          { return "network" }
func (n *network) Freeze()               {}
func (n *network) Truth() starlark.Bool  { return true }
func (n *network) Hash() (uint32, error) { return starlark.String(n.label).Hash() }
func (n *network) AttrNames() []string   { return []string{"name"} }
func (n *network) Attr(name string) (starlark.Value, error) {
	if name == "name" {
		return starlark.String(n.label), nil
	}
	return nil, nil
}

func (u *uplink) String() string        { return fmt.Sprintf("uplink(%q)", u.label) }
func (u *uplink) Type() string          { return "uplink" }
func (u *uplink) Freeze()               {}
func (u *uplink) Truth() starlark.Bool  { return true }
func (u *uplink) Hash() (uint32, error) { return starlark.String(u.label).Hash() }

func (t *terminal) String() string        { return fmt.Sprintf("terminal(%q)", t.shell.Name()) }
func (t *terminal) Type() string          { return "terminal" }
func (t *terminal) Freeze()               {}
func (t *terminal) Truth() starlark.Bool  { return true }
func (t *terminal) Hash() (uint32, error) { return starlark.String(t.shell.Name()).Hash() }

func (t *terminal) name() string                               { return t.shell.Name() }
func (t *terminal) played() bool                               { return false }
func (t *terminal) console(*Session) (*console.Console, error) { return t.shell.Console(), nil }
func (t *terminal) waitPrompt(ctx context.Context, _ *Session) (console.Match, error) {
	return t.shell.Console().Expect(ctx, console.Prompt())
}

func (t *terminal) awaitPrompt(ctx context.Context, s *Session) (console.Match, error) {
	return t.waitPrompt(ctx, s)
}

// record makes a value with named fields.
func record(kind string, fields starlark.StringDict) starlark.Value {
	return starlarkstruct.FromStringDict(starlark.String(kind), fields)
}

// result is how a command ended: a struct that is true if it ended well, since
// somebody who writes assert_true(run(…)) means that.
type result struct {
	*starlarkstruct.Struct
	ended control.Result
}

func resultValue(r control.Result) *result {
	return &result{starlarkstruct.FromStringDict(starlark.String("result"), starlark.StringDict{
		"status": starlark.MakeInt(r.Status), "stdout": starlark.String(r.Stdout),
		"stderr": starlark.String(r.Stderr), "seconds": starlark.Float(math.Round(r.Seconds*100) / 100),
	}), r}
}

func (r *result) Type() string         { return "result" }
func (r *result) Truth() starlark.Bool { return r.ended.Status == 0 }

// CompareSameType compares the fields.
func (r *result) CompareSameType(op syntax.Token, other starlark.Value, depth int) (bool, error) {
	return r.Struct.CompareSameType(op, other.(*result).Struct, depth)
}

func stringList(texts []string) *starlark.List {
	values := make([]starlark.Value, len(texts))
	for i, t := range texts {
		values[i] = starlark.String(t)
	}
	return starlark.NewList(values)
}
