package builtins

import (
	"fmt"
	"slices"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/host"
)

func computer() []Entry {
	const group = "The host"
	return []Entry{{
		Name:   "stats",
		Group:  group,
		Phase:  Acting,
		Effect: Looks,
		call:   stats,
		Result: Stats,
		Returns: "struct: `cpus`, virtual; `cpu_seconds`, processor time used since boot; `memory`, MiB promised; " +
			"`resident`, MiB in use; `seconds`, since boot; `waited`, seconds for which its CPUs were ready " +
			"to run and no real one was free",
		Params:  []Param{m},
		Summary: "what a machine costs its host",
		Detail: "`waited` tells whether a machine was slow because it had to share: it is of all its virtual " +
			"CPUs together, and `None` where this computer's kernel does not count it.",
		Example: `before = stats(debian).cpu_seconds`,
	}, {
		Name:    "host_cpus",
		Group:   group,
		Phase:   Acting,
		Effect:  Knows,
		call:    hostCPUs,
		Result:  Integer,
		Returns: "int",
		Summary: "how many real CPUs this run may use, container limits included",
		Example: `say("%d CPUs" % host_cpus())`,
	}, {
		Name:   "host_load",
		Group:  group,
		Phase:  Acting,
		Effect: Looks,
		call:   hostLoad,
		Result: Load,
		Returns: "struct, in seconds of all CPUs together: `cpu_seconds`, used since this computer was started; " +
			"`others`, of these by programs that are no part of the lab; `stolen`, wanted and given to " +
			"others by the host that this computer is a virtual machine of",
		Summary: "what this computer's CPUs have done so far, for the lab and for others",
		Detail: "Take it twice: the difference tells whether something else was at work while you measured. It is counted in hundredths of a second, and of the whole computer also where labrun is in a container. " +
			"`in_turns` of [`@labrun//measure.star`](libraries.md) measures with it.",
		Example: `before = host_load().others
run(debian, "sleep 2")
say("others used %s s of CPU time" % (host_load().others - before))`,
	}, {
		Name:    "terminal",
		Group:   group,
		Phase:   Acting,
		Effect:  Opens,
		call:    openTerminal,
		Result:  Terminal,
		Returns: "terminal",
		Params:  []Param{{Name: "name", Kind: Text, Doc: "what to call it"}},
		Summary: "open a shell on the host",
		Detail: "For missions declared with `mission(…, needs = [\"host\"])`, and only if the user agrees: by " +
			"`--allow host`, or by answering yes at the start. Without that the mission does not begin, and " +
			"labrun's exit code is 2.",
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
	waited := starlark.Value(starlark.None)
	if usage.Waited >= 0 {
		waited = seconds(usage.Waited)
	}
	return record("stats", starlark.StringDict{
		"waited": waited,
		"cpus":   starlark.MakeInt(guest.Config().CPUs), "memory": starlark.MakeInt(guest.Config().Memory),
		"cpu_seconds": seconds(usage.CPU), "resident": starlark.MakeInt64(usage.Resident >> 20),
		"seconds": seconds(usage.Alive),
	}), nil
}

func hostLoad(c *call) (starlark.Value, error) {
	load, err := c.lab.HostLoad()
	if err != nil {
		return nil, err
	}
	return record("load", starlark.StringDict{
		"cpu_seconds": seconds(load.Busy), "others": seconds(load.Others), "stolen": seconds(load.Stolen),
	}), nil
}

func hostCPUs(*call) (starlark.Value, error) { return starlark.MakeInt(host.CPUs()), nil }

func openTerminal(c *call) (starlark.Value, error) {
	if !slices.Contains(c.declared.Needs, "host") {
		return nil, fmt.Errorf(
			`terminal: the mission does not say that it needs the host: write mission(…, needs = ["host"])`,
		)
	}
	t, err := c.lab.OpenTerminal(c.text("name"))
	if err != nil {
		return nil, err
	}
	return &terminal{shell: t}, nil
}
