package builtins

import (
	"time"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/lab"
)

func networks() []Entry {
	const group = "Networks"
	return []Entry{{
		Name: "address", Group: group, Phase: Acting, call: addressOf, Result: Text, Returns: "string",
		Params: []Param{m,
			{Name: "network", Kind: Network, Default: "None", Doc: "which of its networks; the first if not given"}, timeout("120")},
		Summary: "a machine's IPv4 address; waits until it has one",
		Example: `send(alpine, "ping -c 1 " + address(debian))`,
	}, {
		Name: "read_leases", Group: group, Phase: Acting, call: readLeases,
		Result: Leases, Returns: "list of structs: `num`, `addr`, `hardware_addr`, `hostname`, `hostname_override`, `expiry`, `last_ack`",
		Params: []Param{
			{Name: "router", Kind: Machine, Doc: "a machine whose image keeps a lease file"},
			{Name: "wait_for", Kind: Machines, Default: "[]", Doc: "wait until all of these have a lease"}, hint, timeout("120")},
		Summary: "the DHCP leases a router has given",
		Example: `for lease in read_leases(router, wait_for = [debian, alpine]):
    say(lease.hostname + " has " + lease.addr)`,
	}, {
		Name: "mac", Group: group, Phase: Acting, call: macOf, Result: Text, Returns: "string",
		Params: []Param{m,
			{Name: "network", Kind: Network, Default: "None", Doc: "which of its networks; the first if not given"}},
		Summary: "the hardware address of a machine's network card",
		Example: `assert_contains(output(router), mac(debian))`,
	}, {
		Name: "unplug", Group: group, Phase: Acting, call: unplug,
		Params: []Param{m,
			{Name: "network", Kind: Network, Default: "None", Doc: "which of its networks; the first if not given"}},
		Summary: "pull the cable out of a machine's network card",
		Detail: "The machine sees that its card has lost its carrier. Nobody asks a student to do it: it happens to them. Put the cable back in the same step: " +
			"a machine that is started again, or that goes on from a saved state, has all its cables in.",
		Example: `unplug(debian)
assert_true(run(alpine, "ping -c 1 -W 2 " + peer).status != 0, "debian is cut off")
plug(debian)`,
	}, {
		Name: "plug", Group: group, Phase: Acting, call: plug,
		Params: []Param{m,
			{Name: "network", Kind: Network, Default: "None", Doc: "which of its networks; the first if not given"}},
		Summary: "put the cable back that unplug has pulled out",
		Example: `plug(debian)`,
	}}
}

func unplug(c *call) (starlark.Value, error) { return nil, c.setCable(false) }

func plug(c *call) (starlark.Value, error) { return nil, c.setCable(true) }

func (c *call) setCable(in bool) error {
	c.acted(c.machine("machine").name(), c.networkName())
	return c.guest("machine").SetCable(c.ctx, c.networkName(), in)
}

func (c *call) networkName() string {
	if v, ok := c.value("network"); ok {
		return v.(*network).label
	}
	return ""
}

func addressOf(c *call) (starlark.Value, error) {
	ctx, cancel := c.within()
	defer cancel()
	addr, err := c.guest("machine").Address(ctx, c.networkName())
	if err != nil {
		return nil, err
	}
	return starlark.String(addr.String()), nil
}

func macOf(c *call) (starlark.Value, error) {
	card, err := c.guest("machine").Card(c.networkName())
	if err != nil {
		return nil, err
	}
	return starlark.String(c.guest("machine").MAC(card)), nil
}

func readLeases(c *call) (starlark.Value, error) {
	var wanted []*lab.Machine
	for _, v := range c.list("wait_for") {
		wanted = append(wanted, c.lab.Machine(v.(*machine).config.Name))
	}
	ctx, cancel := c.within()
	defer cancel()
	leases, err := c.lab.Machine(c.machine("router").config.Name).Leases(ctx, wanted)
	if err != nil {
		return nil, err
	}
	values := make([]starlark.Value, len(leases))
	for i, l := range leases {
		values[i] = record("lease", starlark.StringDict{
			"num": starlark.MakeInt(l.Num), "addr": starlark.String(l.Addr),
			"hardware_addr": starlark.String(l.HardwareAddr), "hostname": starlark.String(l.Hostname),
			"hostname_override": starlark.String(l.HostnameOverride),
			"expiry":            starlark.String(l.Expiry.Format(time.RFC3339)), "last_ack": starlark.String(l.LastAck.Format(time.RFC3339)),
		})
	}
	return starlark.NewList(values), nil
}
