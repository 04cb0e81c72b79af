package host

import (
	"net"
	"net/netip"
	"os"
	"testing"
)

// The kernel knows whose the other end of a connection is.
func TestTCPPeerUID(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp4", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	here, there := server.LocalAddr().(*net.TCPAddr).AddrPort(), server.RemoteAddr().(*net.TCPAddr).AddrPort()
	if uid, err := TCPPeerUID(here, there); err != nil || uid != os.Getuid() {
		t.Errorf("it is user %d, %v", uid, err)
	}
	if uid, err := TCPPeerUID(here, netip.AddrPortFrom(there.Addr(), 1)); err == nil {
		t.Errorf("nobody's connection is user %d's", uid)
	}
}
