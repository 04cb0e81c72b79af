package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
)

// A netInterface is an entry of /perm/interfaces.json.
type netInterface struct {
	HardwareAddr string `json:"hardware_addr"`
	Name         string `json:"name"`
	Addr         string `json:"addr"`
}

// netconfigd names the cards by their MAC addresses, gives them what interfaces.json and the uplink's lease say, and
// masquerades what leaves by the uplink; again whenever it is told of a new lease.
func netconfigd() error {
	// The real one does much else before: until then the cards are eth0 and eth1.
	time.Sleep(5 * time.Second)
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1)
	for {
		if err := configure(); err != nil {
			return err
		}
		syscall.Kill(1, syscall.SIGHUP) // its web server listens at all addresses
		<-told
	}
}

func configure() error {
	data, err := os.ReadFile("/perm/interfaces.json")
	if err != nil {
		return err
	}
	var config struct {
		Interfaces []netInterface `json:"interfaces"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return err
	}
	for _, details := range config.Interfaces {
		if err := configureInterface(details); err != nil {
			return err
		}
	}
	if err := configureUplink(); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return err
	}
	return masquerade()
}

func configureInterface(details netInterface) error {
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, link := range links {
		if link.Attrs().HardwareAddr.String() != details.HardwareAddr {
			continue
		}
		log.Printf("apply details %+v", details)
		if link.Attrs().Name != details.Name {
			if err := netlink.LinkSetName(link, details.Name); err != nil {
				return fmt.Errorf("LinkSetName(%q): %v", details.Name, err)
			}
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return fmt.Errorf("LinkSetUp(%s): %v", details.Name, err)
		}
		if details.Addr == "" {
			return nil
		}
		addr, err := netlink.ParseAddr(details.Addr)
		if err != nil {
			return err
		}
		if details.Name == "lan0" {
			// gokrazy made it a link to /proc/net/pnp
			os.Remove("/tmp/resolv.conf")
			if err := os.WriteFile(
				"/tmp/resolv.conf", fmt.Appendf(nil, "nameserver %s\n", addr.IP), 0o644,
			); err != nil {
				return err
			}
		}
		return netlink.AddrReplace(link, addr)
	}
	return nil
}

// configureUplink applies the uplink's lease, if there is one.
func configureUplink() error {
	data, err := os.ReadFile(uplinkLease)
	if os.IsNotExist(err) {
		return nil
	}
	var lease uplinkConfig
	if err == nil {
		err = json.Unmarshal(data, &lease)
	}
	if err != nil {
		return err
	}
	link, err := netlink.LinkByName("uplink0")
	if err != nil {
		return err
	}
	addr := &netlink.Addr{
		IPNet: &net.IPNet{IP: net.ParseIP(lease.ClientIP), Mask: net.IPMask(net.ParseIP(lease.SubnetMask).To4())},
	}
	log.Printf("replacing address %v on uplink0", addr)
	if err := netlink.AddrReplace(link, addr); err != nil {
		return err
	}
	return netlink.RouteReplace(&netlink.Route{
		LinkIndex: link.Attrs().Index,
		Dst:       &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)},
		Gw:        net.ParseIP(lease.Router),
	})
}

func masquerade() error {
	name := make([]byte, 16) // as the kernel keeps it
	copy(name, "uplink0")
	conn := &nftables.Conn{}
	conn.FlushRuleset()
	nat := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "nat"})
	postrouting := conn.AddChain(&nftables.Chain{
		Name:     "postrouting",
		Table:    nat,
		Type:     nftables.ChainTypeNAT,
		Hooknum:  nftables.ChainHookPostrouting,
		Priority: nftables.ChainPriorityNATSource,
	})
	conn.AddRule(&nftables.Rule{Table: nat, Chain: postrouting, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: name},
		&expr.Masq{},
	}})
	return conn.Flush()
}
