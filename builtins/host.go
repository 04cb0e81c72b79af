package builtins

import (
	"fmt"
	"slices"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/lab"
)

func host() []Entry {
	const group = "The host"
	return []Entry{{
		Name: "stats", Group: group, Phase: Acting, Effect: Looks, call: stats,
		Result: Stats, Returns: "struct: `cpus`, virtual; `cpu_seconds`, processor time used since boot; `memory`, MiB promised; `resident`, MiB in use; `seconds`, since boot",
		Params:  []Param{m},
		Summary: "what a machine costs its host",
		Example: `before = stats(debian).cpu_seconds`,
	}, {
		Name: "host_cpus", Group: group, Phase: Acting, Effect: Knows, call: hostCPUs, Result: Integer, Returns: "int",
		Summary: "how many real CPUs this run may use, container limits included",
		Example: `say("%d CPUs" % host_cpus())`,
	}, {
		Name: "terminal", Group: group, Phase: Acting, Effect: Opens, call: openTerminal, Result: Terminal, Returns: "terminal",
		Params:  []Param{{Name: "name", Kind: Text, Doc: "what to call it"}},
		Summary: "open a shell on the host",
		Detail:  "For missions declared with `mission(…, needs = [\"host\"])`, and only if the user agrees: by `--allow host`, or by answering yes at the start. Without that the mission does not begin, and labrun's exit code is 2.",
		Example: `htop = terminal("host")
send(htop, "nproc")`,
	}}
}

func stats(c *call) (starlark.Value, error) {
	guest := c.guest("machine")
	usage, err := guest.Usage()
	if err != nil {
		return nil, err
	}
	return record("stats", starlark.StringDict{
		"cpus": starlark.MakeInt(guest.Config().CPUs), "memory": starlark.MakeInt(guest.Config().Memory),
		"cpu_seconds": seconds(usage.CPU), "resident": starlark.MakeInt64(usage.Resident >> 20), "seconds": seconds(usage.Alive),
	}), nil
}

func hostCPUs(*call) (starlark.Value, error) { return starlark.MakeInt(lab.HostCPUs()), nil }

func openTerminal(c *call) (starlark.Value, error) {
	if !slices.Contains(c.declared.Needs, "host") {
		return nil, fmt.Errorf(`terminal: the mission does not say that it needs the host: write mission(…, needs = ["host"])`)
	}
	t, err := c.lab.OpenTerminal(c.text("name"))
	if err != nil {
		return nil, err
	}
	return &terminal{shell: t}, nil
}
