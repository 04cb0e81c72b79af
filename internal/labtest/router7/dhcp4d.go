package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"math/rand"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/renameio/v2"
	"github.com/mdlayher/packet"
)

const (
	leasesFile = "/perm/dhcp4d/leases.json"
	leaseTime  = 20 * time.Minute
	pool       = 230 // addresses to lend
)

// A lease is an entry of /perm/dhcp4d/leases.json.
type lease struct {
	Num              int       `json:"num"` // counted from the first address of the pool
	Addr             net.IP    `json:"addr"`
	HardwareAddr     string    `json:"hardware_addr"`
	Hostname         string    `json:"hostname"`
	HostnameOverride string    `json:"hostname_override"`
	Expiry           time.Time `json:"expiry"`
	LastACK          time.Time `json:"last_ack"`
}

// dhcp4d lends addresses on lan0: like router7's, any of the pool to one who is new.
func dhcp4d() error {
	lan, err := net.InterfaceByName("lan0")
	if err != nil {
		return err
	}
	addrs, err := lan.Addrs()
	if err != nil {
		return err
	}
	if len(addrs) == 0 {
		return fmt.Errorf("lan0 has no address")
	}
	own := addrs[0].(*net.IPNet).IP.To4()
	conn, err := packet.Listen(lan, packet.Raw, syscall.ETH_P_IP, nil)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(leasesFile), 0o755); err != nil {
		return err
	}
	// Those of before a reboot are known, as the file is there.
	leases := map[int]*lease{} // in a file, their order is a map's: any
	var known []*lease
	if data, err := os.ReadFile(leasesFile); err == nil {
		if err := json.Unmarshal(data, &known); err != nil {
			return err
		}
	}
	for _, l := range known {
		leases[l.Num] = l
	}

	buffer := make([]byte, 2048)
	for {
		n, _, err := conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		question, ok := gopacket.NewPacket(
			buffer[:n], layers.LayerTypeEthernet, gopacket.Default,
		).Layer(layers.LayerTypeDHCPv4).(*layers.DHCPv4)
		if !ok || question.Operation != layers.DHCPOpRequest {
			continue
		}
		reply, latest := answer(question, own, leases)
		if latest != nil {
			log.Printf("DHCPACK %+v", latest)
			all := []*lease{}
			for _, l := range leases {
				all = append(all, l)
			}
			data, err := json.MarshalIndent(all, "", "\t")
			if err != nil {
				return err
			}
			if err := renameio.WriteFile(leasesFile, data, 0o644); err != nil {
				return err
			}
		}
		if reply == nil {
			continue
		}
		frame := gopacket.NewSerializeBuffer()
		ip := &layers.IPv4{Version: 4, TTL: 255, Protocol: layers.IPProtocolUDP, SrcIP: own, DstIP: reply.YourClientIP}
		ether := &layers.Ethernet{
			SrcMAC: lan.HardwareAddr, DstMAC: question.ClientHWAddr, EthernetType: layers.EthernetTypeIPv4,
		}
		if question.Flags&0x8000 != 0 || ip.DstIP.IsUnspecified() {
			ether.DstMAC, ip.DstIP = layers.EthernetBroadcast, net.IPv4bcast
		}
		udp := &layers.UDP{SrcPort: 67, DstPort: 68}
		udp.SetNetworkLayerForChecksum(ip)
		if err := gopacket.SerializeLayers(
			frame, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ether, ip, udp, reply,
		); err != nil {
			return err
		}
		if _, err := conn.WriteTo(frame.Bytes(), &packet.Addr{HardwareAddr: ether.DstMAC}); err != nil {
			log.Printf("WriteTo: %v", err)
		}
	}
}

// answer tells what to reply to a client, nil for nothing, and the lease it now has, nil if that is not the question.
func answer(question *layers.DHCPv4, own net.IP, leases map[int]*lease) (*layers.DHCPv4, *lease) {
	hardware, wanted, hostname := question.ClientHWAddr.String(), question.ClientIP.To4(), ""
	var kind layers.DHCPMsgType
	for _, option := range question.Options {
		switch option.Type {
		case layers.DHCPOptMessageType:
			kind = layers.DHCPMsgType(option.Data[0])
		case layers.DHCPOptRequestIP:
			wanted = net.IP(option.Data)
		case layers.DHCPOptHostname:
			hostname = string(option.Data)
		case layers.DHCPOptServerID:
			if !net.IP(option.Data).Equal(own) {
				return nil, nil
			}
		}
	}
	free := func(num int) bool {
		l := leases[num]
		return num >= 0 && num < pool && (l == nil || l.HardwareAddr == hardware || time.Now().After(l.Expiry))
	}
	num := -1
	if len(wanted) == 4 && slices.Equal(wanted[:3], own[:3]) {
		num = int(wanted[3]) - int(own[3]) - 1
	}
	switch kind {
	case layers.DHCPMsgTypeDiscover:
		for _, l := range leases {
			if l.HardwareAddr == hardware {
				num = l.Num
			}
		}
		if !free(num) {
			num = rand.Intn(pool)
		}
		for range pool {
			if free(num) {
				return reply(question, layers.DHCPMsgTypeOffer, own, num), nil
			}
			num = (num + 1) % pool
		}
	case layers.DHCPMsgTypeRequest:
		if !free(num) {
			return reply(question, layers.DHCPMsgTypeNak, own, -1), nil
		}
		for _, l := range leases {
			if l.HardwareAddr == hardware {
				delete(leases, l.Num)
			}
		}
		l := &lease{
			Num: num, Addr: slices.Clone(wanted), HardwareAddr: hardware, Hostname: hostname,
			Expiry: time.Now().Add(leaseTime), LastACK: time.Now(),
		}
		leases[num] = l
		return reply(question, layers.DHCPMsgTypeAck, own, num), l
	}
	return nil, nil
}

// reply makes the server's part of a conversation; num is the address's, -1 for none.
func reply(question *layers.DHCPv4, kind layers.DHCPMsgType, own net.IP, num int) *layers.DHCPv4 {
	r := &layers.DHCPv4{
		Operation:    layers.DHCPOpReply,
		HardwareType: layers.LinkTypeEthernet,
		Xid:          question.Xid,
		Flags:        question.Flags,
		ClientHWAddr: question.ClientHWAddr,
		YourClientIP: net.IPv4zero,
		Options: layers.DHCPOptions{
			layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(kind)}),
			layers.NewDHCPOption(layers.DHCPOptServerID, own),
		},
	}
	if num >= 0 {
		r.YourClientIP = net.IPv4(own[0], own[1], own[2], own[3]+1+byte(num))
		r.Options = append(r.Options,
			layers.NewDHCPOption(
				layers.DHCPOptLeaseTime, binary.BigEndian.AppendUint32(nil, uint32(leaseTime.Seconds())),
			),
			layers.NewDHCPOption(layers.DHCPOptSubnetMask, []byte{255, 255, 255, 0}),
			layers.NewDHCPOption(layers.DHCPOptRouter, own),
			layers.NewDHCPOption(layers.DHCPOptDNS, own),
			layers.NewDHCPOption(layers.DHCPOptDomainName, []byte("lan")),
		)
	}
	return r
}
