package lan

import (
	"cmp"
	"fmt"
	"strings"
)

// From and To are whom the packet is from and for, as people name them: by IP address
// where it has one.
func (p Packet) From() string { return cmp.Or(p.Source, p.SourceMAC) }

// To is explained at From.
func (p Packet) To() string { return cmp.Or(p.Target, p.TargetMAC) }

// Summary says in a few words of the field's what the packet is about, without its
// protocol and addresses.
func (p Packet) Summary() string {
	ports := fmt.Sprintf("%d → %d", p.SourcePort, p.TargetPort)
	switch p.Protocol {
	case "arp":
		switch {
		case p.Operation == "reply":
			return fmt.Sprintf("%s is at %s", p.Source, p.SourceMAC)
		case p.Source == p.Target:
			return p.Source + " announces itself"
		}
		return fmt.Sprintf("who has %s?", p.Target)
	case "dhcp":
		return strings.TrimSpace(p.Operation + " " + p.YourIP)
	case "icmp":
		if p.Operation == "request" || p.Operation == "reply" {
			return fmt.Sprintf("echo %s, seq %d", p.Operation, p.Sequence)
		}
		return p.Operation
	case "icmpv6":
		return cmp.Or(neighbourly[p.Operation], p.Operation)
	case "dns":
		return strings.TrimSpace(p.Operation + " " + p.Name)
	case "tcp":
		return strings.TrimSpace(ports + " " + p.Operation)
	case "udp":
		return ports
	}
	return ""
}

// neighbourly are the ICMPv6 messages by which hosts find each other, which every host
// sends when it starts (RFC 4861, RFC 3810).
var neighbourly = map[string]string{
	"routersolicitation": "router solicitation", "routeradvertisement": "router advertisement",
	"neighborsolicitation": "neighbor solicitation", "neighboradvertisement": "neighbor advertisement",
	"143": "multicast listener report",
}
