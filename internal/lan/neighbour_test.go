package lan

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

var (
	everybody = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	noIP      = netip.IPv4Unspecified()
)

func stationMAC(n byte) net.HardwareAddr { return net.HardwareAddr{0x52, 0x55, 0, 0, 0, n} }

// arp builds an ARP packet from a station.
func arp(t *testing.T, operation uint16, from byte, own, about netip.Addr) []byte {
	return built(t, &layers.Ethernet{SrcMAC: stationMAC(from), DstMAC: everybody, EthernetType: layers.EthernetTypeARP},
		&layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: operation,
			SourceHwAddress: stationMAC(from), SourceProtAddress: own.AsSlice(), DstHwAddress: make([]byte, 6), DstProtAddress: about.AsSlice()})
}

// dhcp builds a DHCP message about a client, from any station.
func dhcp(t *testing.T, kind layers.DHCPMsgType, from, client byte, given netip.Addr) []byte {
	operation, source, target := layers.DHCPOpReply, layers.UDPPort(67), layers.UDPPort(68)
	if from == client {
		operation, source, target = layers.DHCPOpRequest, 68, 67
	}
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.IP{10, 0, 0, 1}, DstIP: net.IPv4bcast}
	udp := &layers.UDP{SrcPort: source, DstPort: target}
	udp.SetNetworkLayerForChecksum(ip)
	return built(t, &layers.Ethernet{SrcMAC: stationMAC(from), DstMAC: everybody, EthernetType: layers.EthernetTypeIPv4}, ip, udp,
		&layers.DHCPv4{Operation: operation, HardwareType: layers.LinkTypeEthernet, HardwareLen: 6, ClientHWAddr: stationMAC(client),
			YourClientIP: given.AsSlice(), Options: layers.DHCPOptions{layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(kind)})}})
}

func TestClaims(t *testing.T) {
	a, b, c := netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("10.0.0.8"), netip.MustParseAddr("10.0.0.9")
	const client, server, other = 1, 2, 3
	spoofed := arp(t, arpRequest, client, a, b)
	copy(spoofed[6:], stationMAC(other)) // the Ethernet's sender
	long := dhcp(t, layers.DHCPMsgTypeAck, server, client, a)
	for _, test := range []struct {
		name   string
		frames [][]byte
		want   []netip.Addr
	}{
		{"an acknowledgement", [][]byte{dhcp(t, layers.DHCPMsgTypeOffer, server, client, b), dhcp(t, layers.DHCPMsgTypeAck, server, client, a)}, []netip.Addr{a}},
		{"an offer alone", [][]byte{dhcp(t, layers.DHCPMsgTypeOffer, server, client, b)}, nil},
		{"the answer to an inform", [][]byte{dhcp(t, layers.DHCPMsgTypeAck, server, client, noIP)}, nil},
		{"another's lease", [][]byte{dhcp(t, layers.DHCPMsgTypeAck, server, other, a)}, nil},
		{"another lease", [][]byte{dhcp(t, layers.DHCPMsgTypeAck, server, client, a), dhcp(t, layers.DHCPMsgTypeAck, server, client, b)}, []netip.Addr{b}},
		{"a release", [][]byte{dhcp(t, layers.DHCPMsgTypeAck, server, client, a), dhcp(t, layers.DHCPMsgTypeRelease, client, client, noIP)}, nil},
		{"a decline", [][]byte{dhcp(t, layers.DHCPMsgTypeAck, server, client, a), dhcp(t, layers.DHCPMsgTypeDecline, client, client, noIP)}, nil},
		{"a refusal", [][]byte{dhcp(t, layers.DHCPMsgTypeAck, server, client, a), dhcp(t, layers.DHCPMsgTypeNak, server, client, noIP)}, nil},
		{"a probe", [][]byte{arp(t, arpRequest, client, noIP, a)}, nil},
		{"an announcement", [][]byte{arp(t, arpRequest, client, a, a)}, []netip.Addr{a}},
		{"a question", [][]byte{arp(t, arpRequest, client, a, b)}, []netip.Addr{a}},
		{"an answer", [][]byte{arp(t, 2, client, a, b)}, []netip.Addr{a}},
		{"addresses of its own beside its lease", [][]byte{
			dhcp(t, layers.DHCPMsgTypeAck, server, client, a), arp(t, arpRequest, client, b, b), dhcp(t, layers.DHCPMsgTypeAck, server, client, c),
		}, []netip.Addr{b, c}},
		{"another takes it", [][]byte{arp(t, arpRequest, client, a, a), arp(t, arpRequest, other, a, a)}, nil},
		{"another asks for it", [][]byte{arp(t, arpRequest, client, a, a), arp(t, arpRequest, other, b, a), arp(t, arpRequest, other, noIP, a)}, []netip.Addr{a}},
		{"a sender that is not the frame's", [][]byte{spoofed}, nil},
		{"frames that are cut off", [][]byte{arp(t, arpRequest, client, a, a)[:arpSize-1], long[:60], long[:minFrame+20], long[:minFrame]}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := New("lan")
			defer n.Close()
			p := attach(t, n, "client")
			known := p.port.Neighbour(stationMAC(client))
			for _, f := range test.frames {
				_, src := addresses(record(f))
				n.hear(src, f, time.Now())
			}
			if got := known.Claims(); !slices.Equal(got, test.want) {
				t.Errorf("it claims %v, want %v", got, test.want)
			}
		})
	}
}

// TestClaimsAreBounded lets a guest claim what it likes.
func TestClaimsAreBounded(t *testing.T) {
	n := New("lan")
	defer n.Close()
	known := attach(t, n, "a").port.Neighbour(stationMAC(1))
	for i := range 200 {
		a := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
		n.hear(known.station, arp(t, arpRequest, 1, a, a), time.Now())
	}
	if got := known.Claims(); len(got) != claimsKept || got[claimsKept-1] != netip.MustParseAddr("10.0.0.199") {
		t.Errorf("it claims %v", got)
	}
}

// host answers ARP for its addresses as hosts do, RFC 5227's probes included, until
// its port is closed, and counts the questions.
func host(t *testing.T, p *peer, station byte, addresses func() []netip.Addr) (asked func() int) {
	count := 0
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for {
			f, err := p.receive()
			if err != nil {
				return
			}
			packet, ok := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default).Layer(layers.LayerTypeARP).(*layers.ARP)
			if !ok || packet.Operation != arpRequest {
				continue
			}
			count++
			about, _ := netip.AddrFromSlice(packet.DstProtAddress)
			if !slices.Contains(addresses(), about) {
				continue
			}
			reply := arp(t, 2, station, about, netip.IPv4Unspecified())
			copy(reply, packet.SourceHwAddress)
			p.conn.Write(record(reply))
		}
	}()
	return func() int {
		p.conn.Close()
		<-answered
		return count
	}
}

func TestAwait(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("10.254.0.1")
	const client, server = 1, 2
	for _, test := range []struct {
		name     string
		heard    [][]byte
		has      []netip.Addr
		recalled []netip.Addr
		expected []netip.Addr
		want     netip.Addr
		within   time.Duration
	}{
		{name: "a lease, once it cannot look for conflicts any more", heard: [][]byte{dhcp(t, layers.DHCPMsgTypeAck, server, client, a)},
			has: []netip.Addr{a}, want: a, within: detection},
		{name: "a lease that it has announced", heard: [][]byte{dhcp(t, layers.DHCPMsgTypeAck, server, client, a), arp(t, arpRequest, client, a, a)},
			has: []netip.Addr{a}, want: a},
		{name: "an address of a saved state", recalled: []netip.Addr{b, a}, has: []netip.Addr{a}, want: a},
		{name: "an address that its image is known for", expected: []netip.Addr{b}, has: []netip.Addr{b}, want: b},
		{name: "an address that is over", heard: [][]byte{arp(t, arpRequest, client, a, a)}, has: []netip.Addr{b}, within: time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := New("lan")
				defer n.Close()
				guest, beside := attach(t, n, "guest"), attach(t, n, "beside")
				known := guest.port.Neighbour(stationMAC(client))
				known.Recall(test.recalled)
				for _, f := range test.heard {
					_, src := addresses(record(f))
					n.hear(src, f, time.Now())
				}
				time.Sleep(time.Millisecond) // what was heard is past
				asked := host(t, guest, client, func() []netip.Addr { return test.has })
				defer func() {
					if asked() == 0 {
						t.Error("it was not asked")
					}
				}()
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				got, err := known.Await(ctx, test.expected...)
				if got != test.want || (err == nil) != test.want.IsValid() {
					t.Errorf("it has %v, %v; want %v", got, err, test.want)
				}
				if took := time.Since(began); took > test.within {
					t.Errorf("that took %v", took)
				}
				if got := beside.port.Counters(); got.TxFrames != 0 {
					t.Errorf("another port got %d frames", got.TxFrames)
				}
				if got := guest.port.Counters(); got.RxFrames != 0 {
					t.Errorf("%d answers were forwarded", got.RxFrames)
				}
			})
		})
	}
}

// TestAwaitLeavesConflictDetectionAlone plays a host that looks for conflicts before
// it uses its lease: a question meanwhile would be one (RFC 5227, 2.1.1).
func TestAwaitLeavesConflictDetectionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New("lan")
		defer n.Close()
		guest := attach(t, n, "guest")
		known := guest.port.Neighbour(stationMAC(1))
		a := netip.MustParseAddr("10.0.0.7")
		asked := host(t, guest, 1, func() []netip.Addr { return []netip.Addr{a} })
		found := make(chan netip.Addr)
		go func() {
			got, _ := known.Await(t.Context())
			found <- got
		}()
		guest.send(dhcp(t, layers.DHCPMsgTypeDiscover, 1, 1, noIP))
		n.hear(0, dhcp(t, layers.DHCPMsgTypeAck, 2, 1, a), time.Now())
		for range 3 {
			time.Sleep(2 * time.Second)
			guest.send(arp(t, arpRequest, 1, noIP, a))
		}
		time.Sleep(2 * time.Second)
		guest.send(arp(t, arpRequest, 1, a, a))
		if got := <-found; got != a {
			t.Errorf("it has %v", got)
		}
		if n := asked(); n != 0 {
			t.Errorf("it was asked %d times", n)
		}
	})
}

func TestManner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New("lan")
		defer n.Close()
		guest := attach(t, n, "guest")
		known := guest.port.Neighbour(stationMAC(1))
		silent := known.Manner()
		guest.send(frame(0xff, 1, "hello"))
		synctest.Wait()
		speaks := known.Manner()
		guest.send(dhcp(t, layers.DHCPMsgTypeDiscover, 1, 1, noIP))
		synctest.Wait()
		asks := known.Manner()
		known.Recall([]netip.Addr{netip.MustParseAddr("10.0.0.7")})
		n.hear(0, dhcp(t, layers.DHCPMsgTypeAck, 2, 1, netip.MustParseAddr("10.0.0.8")), time.Now())
		had := known.Manner()
		all := []string{silent, speaks, asks, had}
		slices.Sort(all)
		if len(slices.Compact(all)) != 4 {
			t.Errorf("a station looks alike in different states: %q", all)
		}
	})
}
