package lan

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// What the switch hears for its neighbours: ARP, whose packets have all at fixed
// places and may come by the hundred thousand, is read here; DHCP's options are left
// to gopacket.

const (
	etherIPv4, etherARP = 0x0800, 0x0806

	arpRequest = 1
	// An ARP packet of IPv4 over Ethernet begins with these types and lengths (RFC 826).
	arpKind = 0x0001_0800_06_04
	arpSize = minFrame + 28

	protocolUDP            = 17
	dhcpServer, dhcpClient = 67, 68
)

// follow has the switch listen for a neighbour, in the place of an earlier one.
func (n *Network) follow(neighbour *Neighbour) {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := maps.Clone(*n.neighbours.Load())
	all[neighbour.station] = neighbour
	n.neighbours.Store(&all)
}

// forsake ends the following of those behind a port. The caller holds mu.
func (n *Network) forsake(p *Port) {
	all := maps.Clone(*n.neighbours.Load())
	maps.DeleteFunc(all, func(_ mac, neighbour *Neighbour) bool { return neighbour.port == p })
	n.neighbours.Store(&all)
}

// hear takes in a frame that came from a station, if it says anything about an address.
func (n *Network) hear(src mac, frame []byte, now time.Time) {
	neighbours := *n.neighbours.Load()
	if len(neighbours) == 0 {
		return
	}
	switch binary.BigEndian.Uint16(frame[12:]) {
	case etherARP:
		hearARP(neighbours, src, frame, now)
	case etherIPv4:
		if datagram := dhcpDatagram(frame); datagram != nil {
			hearDHCP(neighbours, datagram, now)
		}
	}
}

// hearARP takes in an ARP packet. Each names its sender's own address, save for the
// probes of RFC 5227, whose sender has none yet.
func hearARP(neighbours map[mac]*Neighbour, src mac, frame []byte, now time.Time) {
	if len(frame) < arpSize {
		return
	}
	arp := frame[minFrame:]
	sender := mac(binary.BigEndian.Uint64(arp[6:]) & (1<<48 - 1)) // after the operation
	if binary.BigEndian.Uint64(arp)>>16 != arpKind || sender != src {
		return
	}
	speaker := neighbours[sender]
	own, about := netip.AddrFrom4([4]byte(arp[14:])), netip.AddrFrom4([4]byte(arp[24:]))
	if own.IsUnspecified() {
		if speaker != nil {
			speaker.checks(about, now)
		}
		return
	}
	for _, other := range neighbours {
		if other != speaker {
			other.loses(own)
		}
	}
	if speaker != nil {
		speaker.uses(own, now)
	}
}

// dhcpDatagram returns what an IPv4 frame carries from a DHCP server or client to the
// other; nil if it is another frame.
func dhcpDatagram(frame []byte) []byte {
	packet := frame[minFrame:]
	if len(packet) < 20 || packet[9] != protocolUDP || binary.BigEndian.Uint16(packet[6:])&0x3fff != 0 {
		return nil // also what is a fragment: DHCP's messages are shorter than any network's frames
	}
	header := int(packet[0]&15) * 4
	if header < 20 || len(packet) < header+8 {
		return nil
	}
	from, to := binary.BigEndian.Uint16(packet[header:]), binary.BigEndian.Uint16(packet[header+2:])
	if from != dhcpServer && from != dhcpClient || to != dhcpServer && to != dhcpClient {
		return nil
	}
	return packet[header+8:]
}

func hearDHCP(neighbours map[mac]*Neighbour, datagram []byte, now time.Time) {
	var message layers.DHCPv4
	if message.DecodeFromBytes(datagram, gopacket.NilDecodeFeedback) != nil || message.HardwareLen != 6 {
		return
	}
	var b [8]byte
	copy(b[2:], message.ClientHWAddr)
	client := neighbours[mac(binary.BigEndian.Uint64(b[:]))]
	if client == nil {
		return
	}
	for _, option := range message.Options {
		if option.Type != layers.DHCPOptMessageType || len(option.Data) != 1 {
			continue
		}
		switch kind := layers.DHCPMsgType(option.Data[0]); kind {
		case layers.DHCPMsgTypeDiscover, layers.DHCPMsgTypeRequest:
			client.wants(kind == layers.DHCPMsgTypeDiscover)
		case layers.DHCPMsgTypeAck:
			given, ok := netip.AddrFromSlice(message.YourClientIP)
			if ok && !given.IsUnspecified() { // which it is in the answer to an inform
				client.borrows(given, now)
			}
		case layers.DHCPMsgTypeNak, layers.DHCPMsgTypeRelease, layers.DHCPMsgTypeDecline:
			client.loses(netip.Addr{})
		}
		return
	}
}

// arpProbe is a record that asks one station whether it has an address: its sender's
// own address is left out (RFC 5227, 2.1.1), so that nobody notes it.
func arpProbe(station mac, address netip.Addr) []byte {
	record := make([]byte, headerSize, headerSize+arpSize)
	put48 := func(m mac) {
		record = binary.BigEndian.AppendUint16(record, uint16(m>>32))
		record = binary.BigEndian.AppendUint32(record, uint32(m))
	}
	put48(station)
	put48(ownMAC)
	record = binary.BigEndian.AppendUint16(record, etherARP)
	record = binary.BigEndian.AppendUint64(record, arpKind<<16|arpRequest)
	put48(ownMAC)
	record = append(record, 0, 0, 0, 0)
	put48(0)
	asked := address.As4()
	record = append(record, asked[:]...)
	binary.BigEndian.PutUint32(record, uint32(len(record)-headerSize))
	return record
}
