package builtins

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"github.com/labrun/labrun/internal/host"
	"github.com/labrun/labrun/internal/lab"
	"github.com/labrun/labrun/internal/lan"
)

func networks() []Entry {
	const group = "Networks"
	return []Entry{{
		Name:    "address",
		Group:   group,
		Phase:   Acting,
		Effect:  Looks | Waits,
		call:    addressOf,
		Result:  Text,
		Returns: "string",
		Params: []Param{m,
			{
				Name:    "network",
				Kind:    Network,
				Default: "None",
				Doc:     "which of its networks; the first if not given",
			}, timeout("120")},
		Summary: "a machine's IPv4 address; waits until it has one",
		Detail: "A machine with a control channel is asked. Of any other it is what the network has heard and " +
			"its card answers to now; only where that tells nothing is it asked at its console.",
		Example: `send(alpine, "ping -c 1 " + address(debian))`,
	}, {
		Name:    "read_leases",
		Group:   group,
		Phase:   Acting,
		Effect:  Looks,
		Demands: "wait_for",
		call:    readLeases,
		Result:  Leases,
		Returns: "list of structs: `num`, `addr`, `hardware_addr`, `hostname`, `hostname_override`, `expiry`, " +
			"`last_ack`",
		Params: []Param{
			{Name: "router", Kind: Machine, Doc: "a machine whose image keeps a lease file"},
			{
				Name:    "wait_for",
				Kind:    Machines,
				Default: "[]",
				Doc:     "wait until all of these have a lease",
			}, hint, timeout("120")},
		Summary: "the DHCP leases a router has given",
		Example: `for lease in read_leases(router, wait_for = [debian, alpine]):
    say(lease.hostname + " has " + lease.addr)`,
	}, {
		Name:    "mac",
		Group:   group,
		Phase:   Acting,
		Effect:  Knows,
		call:    macOf,
		Result:  Text,
		Returns: "string",
		Params: []Param{m,
			{Name: "network", Kind: Network, Default: "None", Doc: "which of its networks; the first if not given"}},
		Summary: "the hardware address of a machine's network card",
		Example: `assert_contains(output(router), mac(debian))`,
	}, {
		Name:   "unplug",
		Group:  group,
		Phase:  Acting,
		Effect: Changes,
		call:   unplug,
		Params: []Param{m,
			{Name: "network", Kind: Network, Default: "None", Doc: "which of its networks; the first if not given"}},
		Summary: "pull the cable out of a machine's network card",
		Detail: "The machine sees that its card has lost its carrier. Nobody asks a student to do it: it happens to them. Put the cable back in the same step: " +
			"a machine that is started again has all its cables in.",
		Example: `unplug(debian)
assert_true(run(alpine, "ping -c 1 -W 2 " + peer).status != 0, "debian is cut off")
plug(debian)`,
	}, {
		Name:   "plug",
		Group:  group,
		Phase:  Acting,
		Effect: Changes,
		call:   plug,
		Params: []Param{m,
			{Name: "network", Kind: Network, Default: "None", Doc: "which of its networks; the first if not given"}},
		Summary: "put the cable back that unplug has pulled out",
		Example: `plug(debian)`,
	}, {
		Name:    "packets",
		Group:   group,
		Phase:   Acting,
		Effect:  Looks,
		Demands: "count",
		call:    packets,
		verify:  (*call).countsAreNatural,
		Result:  Packets,
		Returns: "list of structs: `time`, `protocol`, `operation`, `source`, `target`, `source_mac`, " +
			"`target_mac`, `source_port`, `target_port`, `client_mac`, `your_ip`, `size`",
		Params: []Param{
			{Name: "network", Kind: Network, Doc: "the network to look at"},
			{Name: "protocol", Kind: Text, Default: `""`, Doc: "only these: one of " + strings.Join(protocols, ", ")},
			{
				Name:    "skip",
				Kind:    Integer,
				Default: "0",
				Doc:     "leave out so many of the network's first packets, of any protocol",
			},
			{
				Name:    "count",
				Kind:    Integer,
				Default: "0",
				Doc:     "wait until there are so many, and fail if they do not come",
			},
			hint, timeout("30")},
		Summary: "what has crossed a network since the lab's first boot",
		Detail: "Each packet once, in the order in which the switch got them. `operation` is a DHCP message's type (`discover`, `offer`, `request`, `ack` …), `request` or `reply` of ARP, DNS and of pings, " +
			"or TCP's flags (`syn`, `syn ack`). Of ARP, `source` is whose address it is and `target` the one asked for. `client_mac` and `your_ip` are DHCP's. What a packet has not is empty or 0. " +
			"To look at what comes from now on, remember how many there are: `before = len(packets(lan))`. " +
			fmt.Sprintf(
				"Of each network the first %d packets are kept, or the first %d MiB: if a storm fills that, a notice says so, and later ones are not seen.", lan.CapturePackets, lan.CaptureBytes>>20,
			),
		Example: `boot(debian)
for p in packets(lan, protocol = "dhcp", count = 4):
    say("%s: %s" % (p.client_mac, p.operation))`,
	}}
}

var protocols = []string{"arp", "dhcp", "dns", "icmp", "icmpv6", "ip", "ipv6", "other", "tcp", "udp"}

func (c *call) countsAreNatural() error {
	for _, name := range []string{"skip", "count"} {
		if n := c.integer(name); n < 0 {
			return fmt.Errorf("packets: %s = %d: want 0 or more", name, n)
		}
	}
	if p := c.text("protocol"); p != "" && !slices.Contains(protocols, p) {
		return fmt.Errorf(
			"packets: no protocol is called %q%s: there are %s", p, Suggest(p, protocols),
			strings.Join(protocols, ", "),
		)
	}
	return nil
}

func packets(c *call) (starlark.Value, error) {
	if err := c.countsAreNatural(); err != nil {
		return nil, err
	}
	ctx, cancel := c.within()
	defer cancel()
	network, protocol, wanted := c.networkName(), c.text("protocol"), c.integer("count")
	for {
		all, more, err := c.lab.Packets(network)
		if err != nil {
			return nil, err
		}
		var found []lan.Packet
		for _, p := range all[min(c.integer("skip"), len(all)):] {
			if protocol == "" || p.Protocol == protocol {
				found = append(found, p)
			}
		}
		if wanted > 0 && len(found) < wanted && c.looks == nil && host.Sleep(ctx, packetPause) == nil {
			continue
		}
		if c.ctx.Err() != nil {
			return nil, context.Cause(c.ctx)
		}
		if wanted > 0 {
			what := strings.TrimSpace(fmt.Sprintf("%d %s", wanted, protocol)) + " packets on " + network
			message := fmt.Sprintf("want %s, there are %d", what, len(found))
			if more > 0 {
				message += fmt.Sprintf(
					" among the first %d; the capture is full, and %d more packets are not in it", len(all), more,
				)
			}
			if err := c.check(len(found) >= wanted, what, message, ""); err != nil {
				return nil, err
			}
		}
		values := make([]starlark.Value, len(found))
		for i, p := range found {
			values[i] = packetValue(p, all[0].Time)
		}
		return starlark.NewList(values), nil
	}
}

// packetPause is the time between two looks at a capture.
const packetPause = 100 * time.Millisecond

func packetValue(p lan.Packet, first time.Time) starlark.Value {
	return record("packet", starlark.StringDict{
		"time":     starlark.Float(math.Round(p.Time.Sub(first).Seconds()*1e6) / 1e6),
		"protocol": starlark.String(p.Protocol), "operation": starlark.String(p.Operation),
		"source": starlark.String(p.Source), "target": starlark.String(p.Target),
		"source_mac": starlark.String(p.SourceMAC), "target_mac": starlark.String(p.TargetMAC),
		"source_port": starlark.MakeInt(p.SourcePort), "target_port": starlark.MakeInt(p.TargetPort),
		"client_mac": starlark.String(p.ClientMAC), "your_ip": starlark.String(p.YourIP),
		"size": starlark.MakeInt(p.Size),
	})
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
	var names []string
	for _, v := range c.list("wait_for") {
		name := v.(*machine).name()
		wanted, names = append(wanted, c.lab.Machine(name)), append(names, name)
	}
	ctx, cancel := c.within()
	defer cancel()
	leases, err := c.guest("router").Leases(ctx, wanted)
	if err != nil && (c.ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
		return nil, err
	}
	if len(wanted) > 0 {
		message := ""
		if err != nil {
			message = err.Error()
		}
		if err := c.check(err == nil, "a lease for each of "+strings.Join(names, ", "), message, ""); err != nil {
			return nil, err
		}
	}
	values := make([]starlark.Value, len(leases))
	for i, l := range leases {
		values[i] = record("lease", starlark.StringDict{
			"num": starlark.MakeInt(l.Num), "addr": starlark.String(l.Addr),
			"hardware_addr": starlark.String(l.HardwareAddr), "hostname": starlark.String(l.Hostname),
			"hostname_override": starlark.String(l.HostnameOverride),
			"expiry":            starlark.String(l.Expiry.Format(time.RFC3339)),
			"last_ack":          starlark.String(l.LastAck.Format(time.RFC3339)),
		})
	}
	return starlark.NewList(values), nil
}
