package main

import (
	"encoding/json"
	"log"
	"math/rand"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/gopacket/layers"
	"github.com/google/renameio/v2"
	"github.com/mdlayher/packet"
	rtr7 "github.com/rtr7/dhcp4"
)

const uplinkLease = "/perm/dhcp4/wire/lease.json"

// An uplinkConfig is what the uplink's lease says, as in /perm/dhcp4/wire/lease.json.
type uplinkConfig struct {
	RenewAfter time.Time `json:"valid_until"`
	ClientIP   string    `json:"client_ip"`
	SubnetMask string    `json:"subnet_mask"`
	Router     string    `json:"router"`
	DNS        []string  `json:"dns"`
}

// dhcp4 asks for the uplink's address, for ever.
func dhcp4() error {
	if err := os.MkdirAll(filepath.Dir(uplinkLease), 0o755); err != nil {
		return err
	}
	uplink, err := net.InterfaceByName("uplink0")
	if err != nil {
		return err
	}
	conn, err := packet.Listen(uplink, packet.Datagram, syscall.ETH_P_IP, nil)
	if err != nil {
		return err
	}
	for {
		config, err := obtain(conn, uplink)
		if err != nil {
			log.Printf("Temporary error: DHCP: %v (waiting 10s)", err)
			time.Sleep(10 * time.Second)
			continue
		}
		log.Printf("lease: %+v", config)
		data, err := json.Marshal(config)
		if err != nil {
			return err
		}
		if err := renameio.WriteFile(uplinkLease, data, 0o644); err != nil {
			return err
		}
		exec.Command(busybox, "pkill", "-USR1", "-f", "^/user/netconfigd$").Run() // there is something to apply
		time.Sleep(time.Until(config.RenewAfter))
	}
}

// obtain has one conversation with whatever DHCP server is there.
func obtain(conn net.PacketConn, uplink *net.Interface) (uplinkConfig, error) {
	hostname, err := os.Hostname()
	if err != nil {
		return uplinkConfig{}, err
	}
	xid := rand.Uint32()
	say := func(
		kind layers.DHCPMsgType, expect layers.DHCPMsgType, options ...layers.DHCPOption,
	) (*layers.DHCPv4, error) {
		question := &layers.DHCPv4{
			Operation: layers.DHCPOpRequest, HardwareType: layers.LinkTypeEthernet, HardwareLen: 6,
			Xid: xid, ClientHWAddr: uplink.HardwareAddr,
			Options: append([]layers.DHCPOption{
				rtr7.MessageTypeOpt(kind),
				rtr7.HostnameOpt(hostname),
				rtr7.ClientIDOpt(layers.LinkTypeEthernet, uplink.HardwareAddr),
				rtr7.ParamsRequestOpt(layers.DHCPOptDNS, layers.DHCPOptRouter, layers.DHCPOptSubnetMask),
			}, options...),
		}
		if err := rtr7.Write(conn, question); err != nil {
			return nil, err
		}
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		for {
			got, err := rtr7.Read(conn)
			if err != nil || got != nil && got.Xid == xid && rtr7.HasMessageType(got.Options, expect) {
				return got, err
			}
		}
	}
	offer, err := say(layers.DHCPMsgTypeDiscover, layers.DHCPMsgTypeOffer)
	if err != nil {
		return uplinkConfig{}, err
	}
	ack, err := say(layers.DHCPMsgTypeRequest, layers.DHCPMsgTypeAck, append(
		rtr7.ServerID(offer.Options), rtr7.RequestIPOpt(offer.YourClientIP),
	)...)
	if err != nil {
		return uplinkConfig{}, err
	}
	lease := rtr7.LeaseFromACK(ack)
	config := uplinkConfig{
		RenewAfter: time.Now().Add(lease.RenewalTime),
		ClientIP:   ack.YourClientIP.String(),
		SubnetMask: net.IP(lease.Netmask).String(),
		Router:     lease.Router.String(),
	}
	for _, server := range lease.DNS {
		config.DNS = append(config.DNS, server.String())
	}
	return config, nil
}
