package lan

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// built builds a frame of layers, with lengths and checksums.
func built(t *testing.T, parts ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, parts...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDecode(t *testing.T) {
	own, other := net.HardwareAddr{0x52, 0x55, 0, 0, 0, 1}, net.HardwareAddr{0x52, 0x55, 0, 0, 0, 2}
	ethernet := func(kind layers.EthernetType) *layers.Ethernet {
		return &layers.Ethernet{SrcMAC: own, DstMAC: other, EthernetType: kind}
	}
	ip := func(protocol layers.IPProtocol) *layers.IPv4 {
		return &layers.IPv4{Version: 4, TTL: 64, Protocol: protocol, SrcIP: net.IP{10, 0, 0, 1}, DstIP: net.IP{10, 0, 0, 2}}
	}
	udp := &layers.UDP{SrcPort: 67, DstPort: 68}
	tcp := &layers.TCP{SrcPort: 40000, DstPort: 22, SYN: true, ACK: true}
	for _, l := range []interface {
		SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
	}{udp, tcp} {
		if err := l.SetNetworkLayerForChecksum(ip(0)); err != nil {
			t.Fatal(err)
		}
	}
	base := Packet{SourceMAC: own.String(), TargetMAC: other.String(), Source: "10.0.0.1", Target: "10.0.0.2"}
	for _, c := range []struct {
		frame []byte
		want  func(p *Packet)
	}{
		{built(t, ethernet(layers.EthernetTypeARP), &layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4,
			HwAddressSize: 6, ProtAddressSize: 4, Operation: layers.ARPRequest, SourceHwAddress: own, SourceProtAddress: []byte{10, 0, 0, 1},
			DstHwAddress: make([]byte, 6), DstProtAddress: []byte{10, 0, 0, 2}}),
			func(p *Packet) { p.Protocol, p.Operation = "arp", "request" }},
		{built(t, ethernet(layers.EthernetTypeIPv4), ip(layers.IPProtocolICMPv4), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(0, 0)}),
			func(p *Packet) { p.Protocol, p.Operation = "icmp", "reply" }},
		{built(t, ethernet(layers.EthernetTypeIPv4), ip(layers.IPProtocolICMPv4), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 1)}),
			func(p *Packet) { p.Protocol, p.Operation = "icmp", "unreachable" }},
		{built(t, ethernet(layers.EthernetTypeIPv4), ip(layers.IPProtocolTCP), tcp),
			func(p *Packet) { p.Protocol, p.Operation, p.SourcePort, p.TargetPort = "tcp", "syn ack", 40000, 22 }},
		{built(t, ethernet(layers.EthernetTypeIPv4), ip(layers.IPProtocolUDP), udp, &layers.DHCPv4{Operation: layers.DHCPOpReply, HardwareType: layers.LinkTypeEthernet,
			HardwareLen: 6, ClientHWAddr: other, YourClientIP: net.IP{10, 0, 0, 9}, Options: layers.DHCPOptions{
				layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(layers.DHCPMsgTypeOffer)})}}),
			func(p *Packet) {
				p.Protocol, p.Operation, p.SourcePort, p.TargetPort = "dhcp", "offer", 67, 68
				p.ClientMAC, p.YourIP = other.String(), "10.0.0.9"
			}},
		{built(t, ethernet(0x88b5), gopacket.Payload("experiment")),
			func(p *Packet) { p.Protocol, p.Source, p.Target = "other", "", "" }},
	} {
		want := base
		want.Size = len(c.frame)
		c.want(&want)
		if got := decode(c.frame); got != want {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
	for cut := range len(built(t, ethernet(layers.EthernetTypeIPv4), ip(layers.IPProtocolTCP), tcp)) {
		decode(make([]byte, cut)) // half a frame must not end labrun
	}
}

// A capture that still grows ends anywhere.
func TestReadPacketsOfHalfACapture(t *testing.T) {
	var file bytes.Buffer
	f := captureFile{w: &file, network: "lan", interfaces: map[string]int{}}
	for range 3 {
		if err := f.frame(captured{port: "a", at: time.Unix(1000, 0)}, make([]byte, 60)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.flush(); err != nil {
		t.Fatal(err)
	}
	most := 0
	for cut := range file.Len() + 1 {
		packets, err := ReadPackets(bytes.NewReader(file.Bytes()[:cut]))
		if err != nil || len(packets) < most {
			t.Fatalf("of %d bytes: %d packets, %v", cut, len(packets), err)
		}
		most = len(packets)
	}
	if most != 3 {
		t.Errorf("%d packets, want 3", most)
	}
}
