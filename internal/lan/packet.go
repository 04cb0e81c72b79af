package lan

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// A Packet is a frame as far as it was understood. What a protocol has not is empty.
type Packet struct {
	Number               uint64    // in the capture, from 1
	Time                 time.Time // of its arrival at the switch
	Port                 string    // by which it came in
	SourceMAC, TargetMAC string
	Protocol             string // «dhcp», «arp», «icmp», «icmpv6», «dns», «tcp», «udp», «ip», «ipv6», or «other»
	Source, Target       string // IP addresses; of ARP: whose address it is, and which one is asked for
	SourcePort           int    // of TCP and UDP, as the next
	TargetPort           int
	// Operation is a DHCP message's type («discover», «offer», «request», «ack», «nak»,
	// «release» …; RFC 2132, 9.6), «request» or «reply» of ARP and of ICMP echo
	// («unreachable» and the like of other ICMP), or TCP's flags: «syn», «syn ack».
	Operation string
	ClientMAC string // DHCP's chaddr
	YourIP    string // DHCP's yiaddr, what is offered or given; empty if none is
	Name      string // that a DNS message asks for
	Sequence  int    // of an ICMP echo
	Size      int    // of the frame, in bytes
}

// ReadPackets reads a capture and decodes its frames, in their order. A capture that
// still grows may end in half a record: what is whole is returned.
func ReadPackets(r io.Reader) ([]Packet, error) {
	file, err := pcapgo.NewNgReader(r, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if ended(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a capture: %w", err)
	}
	var packets []Packet
	for {
		data, info, err := file.ReadPacketData()
		if ended(err) {
			return packets, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read a capture: %w", err)
		}
		port, err := file.Interface(info.InterfaceIndex)
		if err != nil {
			return nil, fmt.Errorf("read a capture: %w", err)
		}
		p := decode(data)
		p.Number, p.Time, p.Port = uint64(len(packets)+1), info.Timestamp, port.Name
		packets = append(packets, p)
	}
}

// WholeSize returns how many bytes of a capture are whole records: one that still grows
// may end in half a record.
func WholeSize(r io.Reader) (size int64, err error) {
	blocks := bufio.NewReaderSize(r, 1<<20)
	for {
		start, err := blocks.Peek(blockHead)
		if ended(err) {
			return size, nil
		}
		if err != nil {
			return 0, fmt.Errorf("read a capture: %w", err)
		}
		length := int(binary.LittleEndian.Uint32(start[4:])) // as pcapgo writes it
		if length < blockHead {
			return 0, fmt.Errorf("read a capture: a block of %d bytes", length)
		}
		if _, err := blocks.Discard(length); ended(err) {
			return size, nil
		} else if err != nil {
			return 0, fmt.Errorf("read a capture: %w", err)
		}
		size += int64(length)
	}
}

func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

func decode(data []byte) Packet {
	p := Packet{Protocol: "other", Size: len(data)}
	for _, layer := range gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.NoCopy).Layers() {
		switch l := layer.(type) {
		case *layers.Ethernet:
			p.SourceMAC, p.TargetMAC = l.SrcMAC.String(), l.DstMAC.String()
		case *layers.ARP:
			p.Protocol = "arp"
			p.Source, p.Target = dotted(l.SourceProtAddress), dotted(l.DstProtAddress)
			p.Operation = map[uint16]string{layers.ARPRequest: "request", layers.ARPReply: "reply"}[l.Operation]
		case *layers.IPv4:
			p.Protocol, p.Source, p.Target = "ip", l.SrcIP.String(), l.DstIP.String()
		case *layers.IPv6:
			p.Protocol, p.Source, p.Target = "ipv6", l.SrcIP.String(), l.DstIP.String()
		case *layers.ICMPv4:
			p.Protocol, p.Operation = "icmp", icmpOperation(l.TypeCode.String())
			if kind := l.TypeCode.Type(); kind == layers.ICMPv4TypeEchoRequest || kind == layers.ICMPv4TypeEchoReply {
				p.Sequence = int(l.Seq)
			}
		case *layers.ICMPv6:
			p.Protocol, p.Operation = "icmpv6", icmpOperation(l.TypeCode.String())
		case *layers.TCP:
			p.Protocol, p.SourcePort, p.TargetPort = "tcp", int(l.SrcPort), int(l.DstPort)
			p.Operation = flags(l)
		case *layers.UDP:
			p.Protocol, p.SourcePort, p.TargetPort = "udp", int(l.SrcPort), int(l.DstPort)
		case *layers.DNS:
			p.Protocol, p.Operation = "dns", map[bool]string{false: "request", true: "reply"}[l.QR]
			if len(l.Questions) > 0 {
				p.Name = string(l.Questions[0].Name)
			}
		case *layers.DHCPv4:
			p.Protocol, p.ClientMAC = "dhcp", l.ClientHWAddr.String()
			if !l.YourClientIP.IsUnspecified() {
				p.YourIP = l.YourClientIP.String()
			}
			for _, o := range l.Options {
				if o.Type == layers.DHCPOptMessageType && len(o.Data) == 1 {
					p.Operation = strings.ToLower(layers.DHCPMsgType(o.Data[0]).String())
				}
			}
		}
	}
	return p
}

// dotted writes an IPv4 address of an ARP packet.
func dotted(address []byte) string {
	if len(address) != 4 {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d.%d", address[0], address[1], address[2], address[3])
}

// icmpOperation shortens gopacket's name of a type: EchoRequest, DestinationUnreachable(Host).
func icmpOperation(name string) string {
	name, _, _ = strings.Cut(name, "(")
	name = strings.TrimPrefix(strings.TrimPrefix(name, "Echo"), "Destination")
	return strings.ToLower(name)
}

func flags(l *layers.TCP) string {
	var set []string
	for _, f := range []struct {
		on   bool
		name string
	}{{l.SYN, "syn"}, {l.ACK, "ack"}, {l.FIN, "fin"}, {l.RST, "rst"}} {
		if f.on {
			set = append(set, f.name)
		}
	}
	return strings.Join(set, " ")
}
