//go:build linux

package fakeqemu

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// leaseTime is that of router7.
const leaseTime = 20 * time.Minute

// lease is an entry of router7's leases.json.
type lease struct {
	Num              int       `json:"num"`
	Addr             string    `json:"addr"`
	HardwareAddr     string    `json:"hardware_addr"`
	Hostname         string    `json:"hostname"`
	HostnameOverride string    `json:"hostname_override"`
	Expiry           time.Time `json:"expiry"`
	LastACK          time.Time `json:"last_ack"`
}

// dhcp is the part of a guest that has addresses or lends them, beside its kernel's network: it takes DHCP's
// messages out
// of the frames that come in at one card.
type dhcp struct {
	send     func(frame []byte)
	mac      net.HardwareAddr
	answers  chan *layers.DHCPv4 // to a client
	hurry    <-chan struct{}     // has a token when the cable was put in
	hostname func() string

	own net.IP // a server's address; nil: this is a client
	// keep writes the leases down.
	keep   func([]byte)
	mu     sync.Mutex
	leases []lease
}

// take reports whether a frame was a message of DHCP's, which it answers.
func (d *dhcp) take(frame []byte) bool {
	message, ok := gopacket.NewPacket(
		frame, layers.LayerTypeEthernet, gopacket.Default,
	).Layer(layers.LayerTypeDHCPv4).(*layers.DHCPv4)
	switch {
	case !ok:
		return false
	case d.own != nil && message.Operation == layers.DHCPOpRequest:
		d.serve(message)
	case d.own == nil && message.Operation == layers.DHCPOpReply && message.ClientHWAddr.String() == d.mac.String():
		select {
		case d.answers <- message:
		default: // nobody asks any more
		}
	}
	return true
}

func kind(message *layers.DHCPv4) layers.DHCPMsgType {
	return layers.DHCPMsgType(option(message, layers.DHCPOptMessageType)[0])
}

// option is that option's value, or a zero.
func option(message *layers.DHCPv4, of layers.DHCPOpt) []byte {
	for _, o := range message.Options {
		if o.Type == of && len(o.Data) > 0 {
			return o.Data
		}
	}
	return []byte{0}
}

// serve answers a client, and lends it an address.
func (d *dhcp) serve(question *layers.DHCPv4) {
	d.mu.Lock()
	defer d.mu.Unlock()
	hardware := question.ClientHWAddr.String()
	found := -1
	for i, l := range d.leases {
		if l.HardwareAddr == hardware {
			found = i
		}
	}
	num := len(d.leases)
	if found >= 0 {
		num = d.leases[found].Num
	}
	address := net.IPv4(d.own[0], d.own[1], d.own[2], d.own[3]+1+byte(num)).To4()
	reply := layers.DHCPMsgTypeOffer
	if kind(question) == layers.DHCPMsgTypeRequest {
		reply = layers.DHCPMsgTypeAck
		now := time.Now()
		l := lease{Num: num, Addr: address.String(), HardwareAddr: hardware, Expiry: now.Add(leaseTime), LastACK: now}
		if name := option(question, layers.DHCPOptHostname); name[0] != 0 {
			l.Hostname = string(name)
		}
		if found >= 0 {
			d.leases[found] = l
		} else {
			d.leases = append(d.leases, l)
		}
		data, err := json.MarshalIndent(d.leases, "", "\t")
		if err != nil {
			panic(err) // they are strings, numbers and times
		}
		d.keep(data)
	}
	d.say(d.own, &layers.DHCPv4{
		Operation: layers.DHCPOpReply, HardwareType: layers.LinkTypeEthernet, Xid: question.Xid,
		ClientHWAddr: question.ClientHWAddr,
		YourClientIP: address, Options: layers.DHCPOptions{
			layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(reply)}),
			layers.NewDHCPOption(layers.DHCPOptServerID, d.own),
			layers.NewDHCPOption(
				layers.DHCPOptLeaseTime, binary.BigEndian.AppendUint32(nil, uint32(leaseTime.Seconds())),
			),
			layers.NewDHCPOption(layers.DHCPOptSubnetMask, []byte{255, 255, 255, 0}),
			layers.NewDHCPOption(layers.DHCPOptRouter, d.own),
		},
	})
}

// ask gets an address, which a router may lend that boots later.
func (d *dhcp) ask() (address, router net.IP) {
	options := func(kind layers.DHCPMsgType, more ...layers.DHCPOption) layers.DHCPOptions {
		return append(layers.DHCPOptions{
			layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(kind)}),
			layers.NewDHCPOption(layers.DHCPOptHostname, []byte(d.hostname())),
		}, more...)
	}
	question := layers.DHCPv4{
		Operation: layers.DHCPOpRequest, HardwareType: layers.LinkTypeEthernet,
		Xid: binary.BigEndian.Uint32(d.mac[2:]), Flags: 1 << 15, ClientHWAddr: d.mac,
	}
	again := time.NewTicker(time.Second)
	defer again.Stop()
	discover := question
	discover.Options = options(layers.DHCPMsgTypeDiscover)
	d.say(nil, &discover)
	for {
		select {
		case answer := <-d.answers:
			switch kind(answer) {
			case layers.DHCPMsgTypeOffer:
				request := question
				request.Options = options(layers.DHCPMsgTypeRequest,
					layers.NewDHCPOption(layers.DHCPOptRequestIP, answer.YourClientIP.To4()),
					layers.NewDHCPOption(layers.DHCPOptServerID, option(answer, layers.DHCPOptServerID)))
				d.say(nil, &request)
			case layers.DHCPMsgTypeAck:
				return answer.YourClientIP, net.IP(option(answer, layers.DHCPOptRouter))
			}
		case <-again.C:
			d.say(nil, &discover)
		case <-d.hurry:
			d.say(nil, &discover)
		}
	}
}

// say sends a message to everybody on the network. A client has no address yet.
func (d *dhcp) say(from net.IP, message *layers.DHCPv4) {
	ports := [2]layers.UDPPort{68, 67}
	if from != nil {
		ports = [2]layers.UDPPort{67, 68}
	} else {
		from = net.IPv4zero
	}
	ether := &layers.Ethernet{SrcMAC: d.mac, DstMAC: layers.EthernetBroadcast, EthernetType: layers.EthernetTypeIPv4}
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: from, DstIP: net.IPv4bcast}
	udp := &layers.UDP{SrcPort: ports[0], DstPort: ports[1]}
	udp.SetNetworkLayerForChecksum(ip)
	frame := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(
		frame, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ether, ip, udp, message,
	); err != nil {
		panic(err) // all parts are our own
	}
	d.send(frame.Bytes())
}

// network gives the card its addresses, or has the guest lend some there. It returns who takes DHCP's messages, or nil.
func (k *kernel) network(p plug, send func([]byte)) (*dhcp, error) {
	name := k.name(p)
	fixed := k.Address[name]
	mac, err := net.ParseMAC(p.MAC)
	if err != nil {
		return nil, err
	}
	d := &dhcp{
		send: send, mac: mac, answers: make(chan *layers.DHCPv4, 4),
		hostname: func() string { h, _ := os.Hostname(); return h }, hurry: k.cables[p.Card].in,
	}
	if k.Saved != nil && len(k.Saved.Guest.Addresses[name]) > 0 { // it goes on with what it had
		commands := fmt.Sprintf("link set %s up\n", name)
		for _, address := range k.Saved.Guest.Addresses[name] {
			commands += fmt.Sprintf("address replace %s dev %s\n", address, name)
		}
		return k.server(d, fixed), ip(commands)
	}
	if fixed != "" {
		return k.server(d, fixed), ip(fmt.Sprintf("address replace %s dev %s\nlink set %s up\n", fixed, name, name))
	}
	if k.DHCP != "client" {
		return nil, nil
	}
	go func() {
		address, router := d.ask()
		err := ip(
			fmt.Sprintf(
				"link set %[1]s up\naddress replace %[2]s/24 dev %[1]s\nroute replace default via %[3]s dev %[1]s\n", name, address, router,
			),
		)
		if err != nil {
			k.tell(report{What: "failed", Text: err.Error()})
		}
	}()
	return d, nil
}

// server makes d lend addresses, if the guest does that.
func (k *kernel) server(d *dhcp, own string) *dhcp {
	address, _, err := net.ParseCIDR(own)
	if err != nil || k.DHCP == "" || k.DHCP == "client" {
		return nil
	}
	d.own = address.To4()
	if data, err := os.ReadFile(k.DHCP); err == nil {
		_ = json.Unmarshal(data, &d.leases) // what a student has spoilt is none
	}
	d.keep = func(data []byte) {
		_ = os.WriteFile(k.DHCP+".new", data, 0o644)
		_ = os.Rename(k.DHCP+".new", k.DHCP)
	}
	return d
}

// addresses are those of the guest's cards.
func (k *kernel) addresses() map[string][]string {
	all := map[string][]string{}
	list, err := net.Interfaces()
	if err != nil {
		return all
	}
	for _, i := range list {
		has, err := i.Addrs()
		for _, a := range has {
			if n, ok := a.(*net.IPNet); ok && err == nil && n.IP.To4() != nil && i.Name != "lo" {
				all[i.Name] = append(all[i.Name], n.String())
			}
		}
	}
	return all
}
