package lan

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// TestQEMU speaks with a real QEMU, whose network boot ROM asks for a lease by
// itself: no guest needed. Its DISCOVER proves the way in, and its REQUEST for
// what it is offered proves the way out.
func TestQEMU(t *testing.T) {
	if testing.Short() {
		t.Skip("runs QEMU for some seconds")
	}
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Fatalf("QEMU is missing: install qemu-system-x86 and ipxe-qemu, or test with -short: %v", err)
	}
	hardware := net.HardwareAddr{0x52, 0x55, 0, 0xaa, 0, 0x10}
	n := New("lan")
	var file bytes.Buffer
	capture, err := n.Capture(&file, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := connect(t, n, "server")
	ends := socketPair(t)
	port, err := n.Attach("guest", fileConn(t, ends[0]))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(qemu, "-accel", "tcg", "-M", "pc", "-m", "32", "-nodefaults", "-display", "none", "-boot", "n",
		"-netdev", "stream,id=nic0,addr.type=fd,addr.str=3",
		"-device", "virtio-net-pci,netdev=nic0,mac="+hardware.String())
	cmd.ExtraFiles = []*os.File{ends[1]}
	output := start(t, cmd)
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		server.conn.Close() // fails the read below at once
		close(ended)
	}()
	defer func() {
		cmd.Process.Kill()
		<-ended
	}()

	server.conn.SetDeadline(time.Now().Add(30 * time.Minute))
	offered := net.IPv4(10, 254, 0, 77).To4()
	want := layers.DHCPMsgTypeDiscover
	for want != layers.DHCPMsgTypeUnspecified {
		f, err := server.receive()
		if err != nil {
			cmd.Process.Kill()
			<-ended
			t.Fatalf("no DHCP %v came from QEMU: %v\nQEMU says: %s", want, err, output)
		}
		dhcp := parseDHCP(f)
		if dhcp == nil || dhcp.ClientHWAddr.String() != hardware.String() {
			continue
		}
		switch message := messageType(dhcp); message {
		case layers.DHCPMsgTypeDiscover:
			server.send(offer(t, dhcp, offered))
			want = layers.DHCPMsgTypeRequest
		case layers.DHCPMsgTypeRequest:
			if asked := option(dhcp, layers.DHCPOptRequestIP); !net.IP(asked).Equal(offered) {
				t.Errorf("QEMU requests %v, was offered %v", net.IP(asked), offered)
			}
			want = layers.DHCPMsgTypeUnspecified
		}
	}
	learned := false
	for _, e := range n.Table() {
		learned = learned || e.Port == "guest" && e.MAC.String() == hardware.String()
	}
	if !learned {
		t.Errorf("the table lacks the guest: %+v", n.Table())
	}

	cmd.Process.Kill()
	<-ended
	closed(t, n)
	if err := port.Err(); err != nil {
		t.Errorf("a killed QEMU is an error: %v", err)
	}
	if err := capture.Close(); err != nil {
		t.Fatal(err)
	}
	captured := make(map[layers.DHCPMsgType]int)
	r, err := pcapgo.NewNgReader(&file, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	for {
		f, _, err := r.ReadPacketData()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if dhcp := parseDHCP(f); dhcp != nil {
			captured[messageType(dhcp)]++
		}
	}
	for _, m := range []layers.DHCPMsgType{layers.DHCPMsgTypeDiscover, layers.DHCPMsgTypeOffer, layers.DHCPMsgTypeRequest} {
		if captured[m] == 0 {
			t.Errorf("the capture has no DHCP %v, only %v", m, captured)
		}
	}
}

// start starts a command that ends with the thread that starts it, which is
// therefore kept for the test, and returns what the command will have said when it
// has ended. It closes the files that the command inherits.
func start(t testing.TB, cmd *exec.Cmd) *bytes.Buffer {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	output := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range cmd.ExtraFiles {
		f.Close()
	}
	return output
}

func parseDHCP(frame []byte) *layers.DHCPv4 {
	packet := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	dhcp, _ := packet.Layer(layers.LayerTypeDHCPv4).(*layers.DHCPv4)
	return dhcp
}

func option(dhcp *layers.DHCPv4, o layers.DHCPOpt) []byte {
	for _, have := range dhcp.Options {
		if have.Type == o {
			return have.Data
		}
	}
	return nil
}

func messageType(dhcp *layers.DHCPv4) layers.DHCPMsgType {
	if data := option(dhcp, layers.DHCPOptMessageType); len(data) == 1 {
		return layers.DHCPMsgType(data[0])
	}
	return layers.DHCPMsgTypeUnspecified
}

// offer answers a DISCOVER with an address.
func offer(t *testing.T, discover *layers.DHCPv4, address net.IP) []byte {
	t.Helper()
	hardware, ip := net.HardwareAddr{0x52, 0x55, 0, 0xd1, 0x55, 0x04}, net.IPv4(10, 254, 0, 1).To4()
	network := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: ip, DstIP: net.IPv4bcast.To4()}
	udp := &layers.UDP{SrcPort: 67, DstPort: 68}
	udp.SetNetworkLayerForChecksum(network)
	buf := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: hardware, DstMAC: layers.EthernetBroadcast, EthernetType: layers.EthernetTypeIPv4},
		network, udp,
		&layers.DHCPv4{
			Operation: layers.DHCPOpReply, HardwareType: layers.LinkTypeEthernet, HardwareLen: 6,
			Xid: discover.Xid, Flags: discover.Flags, ClientHWAddr: discover.ClientHWAddr,
			YourClientIP: address, NextServerIP: ip,
			Options: layers.DHCPOptions{
				layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(layers.DHCPMsgTypeOffer)}),
				layers.NewDHCPOption(layers.DHCPOptServerID, ip),
				layers.NewDHCPOption(layers.DHCPOptSubnetMask, []byte{255, 255, 255, 0}),
				layers.NewDHCPOption(layers.DHCPOptLeaseTime, []byte{0, 0, 14, 16}),
			},
		})
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
